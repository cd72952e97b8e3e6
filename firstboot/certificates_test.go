package firstboot

import (
	"context"
	"crypto/ecdsa"
	"crypto/x509"
	"crypto/x509/pkix"
	"errors"
	"fmt"
	"io/fs"
	"math/big"
	"net/http"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"slipway/firstboot/issue"
	"slipway/firstboot/peer"
	"slipway/node"
)

// colony is a village whose nodes have certificates: control planes the signer for clients, workers those of their programs.
type colony struct {
	*village
	signer testCA
	ran    []string // programs that any node ran
}

const year = 365 * 24 * time.Hour

func newColony(t *testing.T) *colony {
	c := &colony{village: newVillage(t)}
	c.signer.cert, c.signer.key = sign(t, &x509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "signer"}, NotBefore: c.now.Add(-year), NotAfter: c.now.Add(9 * year),
		IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign}, &x509.Certificate{Subject: pkix.Name{CommonName: "signer"}}, nil)
	for _, n := range c.cfg.Nodes {
		c.homes[n.Name].Run = c
		c.put(n.Name, node.PKIDir+"/ca.crt", encodeCertificate(c.signer.cert))
		if n.Has(node.ControlPlane) {
			c.putPair(n.Name, node.SignerClient, c.signer.cert, c.signer.key)
		}
		for _, client := range node.ClientCertificates(n, c.cfg.Network.CNI) {
			cert, key := c.client(client, c.now.Add(-24*time.Hour), c.now.Add(2*year))
			c.putPair(n.Name, client.Name, cert, key)
		}
	}
	return c
}

// client makes a certificate as the operator does.
func (c *colony) client(of node.ClientCertificate, from, to time.Time) (*x509.Certificate, *ecdsa.PrivateKey) {
	c.t.Helper()
	return sign(c.t, &x509.Certificate{SerialNumber: big.NewInt(7), Subject: pkix.Name{CommonName: of.User, Organization: of.Organization}, NotBefore: from, NotAfter: to,
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth}}, c.signer.cert, c.signer.key)
}

func (c *colony) putPair(home, name string, cert *x509.Certificate, key *ecdsa.PrivateKey) {
	c.t.Helper()
	der, err := x509.MarshalECPrivateKey(key)
	if err != nil {
		c.t.Fatal(err)
	}
	c.put(home, path.Join(node.PKIDir, name+".crt"), encodeCertificate(cert))
	c.put(home, path.Join(node.PKIDir, name+".key"), pemBlock("EC PRIVATE KEY", der))
}

func (c *colony) put(home, name string, data []byte) {
	c.t.Helper()
	file := filepath.Join(c.roots[home], name)
	if err := errors.Join(os.MkdirAll(filepath.Dir(file), 0o755), os.WriteFile(file, data, 0o600)); err != nil {
		c.t.Fatal(err)
	}
}

// has is a certificate of a node; nil if there is none.
func (c *colony) has(home, name string) *x509.Certificate {
	c.t.Helper()
	cert, err := certificateIn(Prefix(c.roots[home]), name)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		c.t.Fatal(err)
	}
	return cert
}

func (c *colony) ofConfig(home, name string) *x509.Certificate {
	return c.has(home, path.Join(node.PKIDir, name+".crt"))
}

// Run and Feed are a machine's programs.
func (c *colony) Run(_ context.Context, name string, args ...string) (string, error) {
	c.ran = append(c.ran, strings.Join(append([]string{name}, args...), " "))
	return "", nil
}

func (c *colony) Feed(ctx context.Context, _, name string, args ...string) (string, error) {
	return c.Run(ctx, name, args...)
}

// look runs the step of a node once, as the engine does.
func (c *colony) look(home string) (Finding, error) {
	found, err := c.homes[home].observeCertificates(c.t.Context())
	if err != nil || !found.act {
		return found, err
	}
	if err := found.do(c.t.Context()); err != nil {
		return found, err
	}
	return c.homes[home].observeCertificates(c.t.Context())
}

// TestLongOff: a node that comes back when its certificates have ended, those of the config and the kubelet's own, gets new ones for the
// keys that it has; one that is a control plane gives them to itself.
func TestLongOff(t *testing.T) {
	for _, home := range []string{"w1", "cp2"} {
		c := newColony(t)
		before, kubelet := map[string]*x509.Certificate{}, node.ClientCertificates(c.homes[home].self, "")[1]
		for _, name := range []string{node.CertKubelet, node.CertProxy} {
			before[name] = c.ofConfig(home, name)
		}
		own, _ := c.client(kubelet, c.now.Add(year), c.now.Add(2*year))
		c.put(home, kubeletClient, encodeCertificate(own))
		if found, err := c.look(home); err != nil || !found.done || len(c.ran) > 0 {
			t.Errorf("%s, in time: %+v, %v, %q", home, found, err, c.ran)
		}
		c.now = c.now.Add(3 * year)
		found, err := c.homes[home].observeCertificates(t.Context())
		if want := "a new certificate kube-proxy from " + map[string]string{"w1": "cp1, cp2, cp3", "cp2": "cp2"}[home] + ": the former ended on 2028-05-31"; err != nil || found.waiting != want {
			t.Errorf("%s waits for %q, %v, want %q", home, found.waiting, err, want)
		}
		if found, err := c.look(home); err != nil || !found.done {
			t.Errorf("%s: %+v, %v", home, found, err)
		}
		for name, old := range before {
			got := c.ofConfig(home, name)
			if !got.NotAfter.Equal(c.now.Add(year)) || !old.PublicKey.(*ecdsa.PublicKey).Equal(got.PublicKey) || got.Subject.String() != old.Subject.String() {
				t.Errorf("%s has %s until %s, of %s", home, name, got.NotAfter, got.Subject)
			}
		}
		if c.has(home, kubeletClient) != nil || !slices.Equal(c.ran, []string{"systemctl try-restart --no-block kubelet.service"}) {
			t.Errorf("%s: the kubelet still has its own, or does not start again: %q", home, c.ran)
		}
	}
}

// TestKubeletStuck: with a good certificate of the config nobody is asked, and what the kubelet could not get past goes.
func TestKubeletStuck(t *testing.T) {
	c := newColony(t)
	kubelet := node.ClientCertificates(c.homes["w1"].self, "")[1]
	ended, _ := c.client(kubelet, c.now.Add(-24*time.Hour), c.now.Add(-time.Hour))
	c.homes["w1"].peers = attesterFunc(func(node.Node) error { return errors.New("nobody is asked") })
	for _, test := range []struct {
		file string
		data []byte
		want string
	}{
		{kubeletClient, encodeCertificate(ended), "the kubelet to leave kubelet-client-current.pem, which ended on 2026-06-01"},
		{kubeletClient, nil, "the kubelet to leave kubelet-client-current.pem, which cannot be read"},
		{kubeletServing, encodeCertificate(ended)[:99], "the kubelet to leave kubelet-server-current.pem, which cannot be read"},
		{kubeletServing, encodeCertificate(ended), ""},
	} {
		c.ran = nil
		c.put("w1", test.file, test.data)
		if found, err := c.homes["w1"].observeCertificates(t.Context()); err != nil || found.waiting != test.want {
			t.Errorf("%+v, %v, want %q", found, err, test.want)
		}
		if found, err := c.look("w1"); err != nil || !found.done || (len(c.ran) == 1) != (test.want != "") || (c.has("w1", test.file) == nil) != (test.want != "") {
			t.Errorf("%s: %+v, %v, %q", test.want, found, err, c.ran)
		}
	}
}

// TestNearsEnd: while a node is on, certificates are renewed when a third of their life is left, and what goes wrong with it is told.
func TestNearsEnd(t *testing.T) {
	c := newColony(t)
	w1 := c.homes["w1"]
	once := func() {
		ctx, cancel := context.WithCancel(t.Context())
		w1.Clock = onceClock{c.village, cancel}
		w1.keepCertificates(ctx)
	}
	before := c.ofConfig("w1", node.CertProxy)
	c.now = c.now.Add(year)
	if once(); !c.ofConfig("w1", node.CertProxy).Equal(before) {
		t.Error("renewed after half of its life")
	}
	c.now = c.now.Add(year / 2)
	w1.peers = attesterFunc(func(n node.Node) error { return errors.New(n.Name + " does not answer") })
	if once(); !c.ofConfig("w1", node.CertProxy).Equal(before) {
		t.Error("renewed by nobody")
	}
	if all := w1.notices.List(); len(all) != 1 || all[0].Kind != "renewal" || strings.Count(all[0].Text, "cp3 does not answer") != 1 {
		t.Errorf("notices %+v", all)
	}
	if found, err := c.look("w1"); err != nil || !found.done {
		t.Errorf("it stops the node: %+v, %v", found, err)
	}
	w1.peers = villager{c.village, "w1"}
	once()
	if got := c.ofConfig("w1", node.CertProxy); !got.NotAfter.Equal(c.now.Add(year)) || len(w1.notices.List()) > 0 {
		t.Errorf("until %s, and notices %+v", got.NotAfter, w1.notices.List())
	}
}

// onceClock ends what sleeps.
type onceClock struct {
	v   *village
	end func()
}

func (c onceClock) Now() time.Time { return c.v.now }

func (c onceClock) Sleep(ctx context.Context, _ time.Duration) error {
	c.end()
	return ctx.Err()
}

// TestClockAheadOfOthers: a node whose clock alone says that all has ended gives nothing up, and says which clocks disagree.
func TestClockAheadOfOthers(t *testing.T) {
	c := newColony(t)
	w1, before := c.homes["w1"], c.ofConfig("w1", node.CertKubelet)
	own, _ := c.client(node.ClientCertificates(w1.self, "")[1], c.now, c.now.Add(year))
	c.put("w1", kubeletClient, encodeCertificate(own))
	w1.Clock = onceClock{&village{now: c.now.Add(5 * year)}, nil}
	if _, err := c.look("w1"); err == nil || !strings.Contains(err.Error(), `taking the new certificate "kubelet-client" from cp`) || !strings.Contains(err.Error(), "one of the two clocks is wrong") {
		t.Errorf("got %v", err)
	}
	if !c.ofConfig("w1", node.CertKubelet).Equal(before) || c.has("w1", kubeletClient) == nil || len(c.ran) > 0 {
		t.Errorf("something was given up; ran %q", c.ran)
	}
}

// TestNotIssued: who is no node of the inventory gets nothing, nor does anybody from a control plane that cannot know, and those that were
// refused stand in its status.
func TestNotIssued(t *testing.T) {
	c := newColony(t)
	ca := newCA(t)
	o := operatorOf{t, c.cfg, ca}
	_, entry := o.worker("w7", 2, 21)
	e, err := entry.Read()
	if err != nil {
		t.Fatal(err)
	}
	proxy := node.ClientCertificates(e.Node, "")[0]
	_, key := c.client(proxy, c.now, c.now)
	request, err := issue.NewRequest(proxy, key)
	if err != nil {
		t.Fatal(err)
	}
	w7 := peer.Caller{Name: "w7", Fingerprint: e.Node.Fingerprint, Address: "10.0.0.21"}
	other := w7
	other.Fingerprint = strings.Repeat("ff", 32)
	known := newMachine(Host{FS: Prefix(c.roots["cp1"]), Clock: villageClock{c.village}}, c.cfg, o.pool(), "", c.homes["cp1"].out, nil, nil, t.Logf)
	if _, _, err := known.roster.Admit(entry); err != nil {
		t.Fatal(err)
	}
	ask := func(caller peer.Caller) error {
		_, err := known.issue(caller, peer.CertificateRequest{Name: proxy.Name, Request: request})
		return err
	}
	const nobody = "is no node of the inventory"
	for _, test := range []struct {
		what   string
		err    error
		want   string
		notNow bool
	}{
		{"the operator", ask(peer.Caller{Name: node.OperatorName, Operator: true}), nobody, false},
		{"a stranger", ask(peer.Caller{Name: "w7", Stranger: true}), nobody, false},
		{"before the entries were read", ask(w7), "the entries that the cluster keeps are not read here yet", true},
		{"in good order", func() error { known.entries.setRead(); return ask(w7) }(), "", false},
		{"by another key", ask(other), nobody, false},
		{"one without an entry", ask(peer.Caller{Name: "w8"}), nobody, false},
		{"for a node that another machine is by now", func() error {
			_, newer := o.worker("w7", 3, 21)
			if _, _, err := known.roster.Admit(newer); err != nil {
				t.Fatal(err)
			}
			return ask(w7)
		}(), nobody, false},
		{"a node of the config", ask(peer.Caller{Name: "cp2"}), "", false},
		{"by a clock that is certainly wrong", func() error {
			c.now = c.now.Add(-2 * year)
			return ask(peer.Caller{Name: "w1"})
		}(), "not now: the clock is before 2026-01-02", true},
	} {
		if (test.err == nil) != (test.want == "") || test.err != nil && (!strings.Contains(test.err.Error(), test.want) || errors.Is(test.err, peer.ErrNotNow) != test.notNow) {
			t.Errorf("%s: %v, want %q", test.what, test.err, test.want)
		}
	}
	c.now = c.now.Add(2 * year)
	if err := os.Remove(filepath.Join(c.roots["cp1"], node.PKIDir, node.SignerClient+".key")); err != nil {
		t.Fatal(err)
	}
	if err := ask(peer.Caller{Name: "w1"}); !errors.Is(err, peer.ErrNotNow) || !strings.Contains(err.Error(), "reading key") {
		t.Errorf("without the signer's key: %v", err)
	}
	told := fmt.Sprint(known.notices.List())
	if !strings.Contains(told, `{certificate refused 10.0.0.21 "w7" asked for "kube-proxy": "w7" is no node of the inventory}`) || strings.Contains(told, "not now") {
		t.Errorf("notices %s", told)
	}
}

// TestPKIClients: a client presents the certificate that is there now, and stays the same until it is another one.
func TestPKIClients(t *testing.T) {
	c := newColony(t)
	clients := &pkiClients{files: Prefix(c.roots["w1"]), now: time.Now}
	get := func() pkiClient {
		f, err := clients.Client(Identity{node.CertKubelet, node.CACluster})
		if err != nil {
			t.Fatal(err)
		}
		return f.(pkiClient)
	}
	first := get()
	if get().Client != first.Client {
		t.Error("a new client each time")
	}
	cert, key := c.client(node.ClientCertificates(c.homes["w1"].self, "")[1], c.now, c.now.Add(year))
	c.putPair("w1", node.CertKubelet, cert, key)
	second := get()
	if shown := second.Transport.(*http.Transport).TLSClientConfig.Certificates[0].Leaf; second.Client == first.Client || !shown.Equal(cert) {
		t.Errorf("it presents the certificate until %s", shown.NotAfter)
	}
}
