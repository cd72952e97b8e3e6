package pki

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"errors"
	"math/big"
	"net/netip"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"slipway/internal/golden"
	"slipway/node"
)

var epoch = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

// inventory is three stacked control planes, a worker and a load balancer.
func inventory() *node.Config {
	member := func(name, addr string, roles ...node.Role) node.Node {
		return node.Node{Name: name, Roles: roles, Address: netip.MustParsePrefix(addr + "/24")}
	}
	return &node.Config{
		Cluster: node.Cluster{ID: "demo", Name: "demo", Epoch: 1, Domain: "cluster.local"},
		API:     node.API{Mode: node.ModeStacked, VIP: netip.MustParseAddr("10.0.0.10"), Host: "api.example.org", Port: 8443},
		Network: node.Network{APIService: netip.MustParseAddr("10.96.0.1")},
		Nodes: []node.Node{
			member("cp1", "10.0.0.11", node.Etcd, node.ControlPlane),
			member("cp2", "10.0.0.12", node.Etcd, node.ControlPlane),
			member("cp3", "10.0.0.13", node.Etcd, node.ControlPlane),
			member("w1", "10.0.0.21", node.Worker),
			member("lb1", "10.0.0.31", node.LB),
		},
	}
}

// hosts stands for what the spec knows of the API's names.
func hosts(c *node.Config) []string {
	return []string{"kubernetes.default.svc", "cp1", c.API.VIP.String(), c.API.Host, "10.96.0.1", "localhost", "127.0.0.1"}
}

func mustInit(t *testing.T, s Store) *PKI {
	t.Helper()
	if _, err := Init(s, "demo", epoch); err != nil {
		t.Fatal(err)
	}
	p, err := Open(s, epoch)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func mustIssue(t *testing.T, p *PKI, cfg *node.Config) *Set {
	t.Helper()
	set, err := p.Issue(cfg, hosts(cfg))
	if err != nil {
		t.Fatal(err)
	}
	return set
}

func (s *Set) pair(t *testing.T, node, name string) *Pair {
	t.Helper()
	for _, pair := range s.nodes[node] {
		if pair.Name == "nodes/"+node+"/"+name {
			return pair
		}
	}
	t.Fatalf("node %q has no certificate %q", node, name)
	return nil
}

func certOf(t *testing.T, pair *Pair) *x509.Certificate {
	t.Helper()
	c, err := pair.parsed()
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func TestLeafsPerRole(t *testing.T) {
	cfg := inventory()
	cfg.Network.CNI = node.CNIFlannel
	set := mustIssue(t, mustInit(t, Memory{}), cfg)
	var got []string
	for _, n := range []string{"cp1", "w1", "lb1"} {
		for _, pair := range set.nodes[n] {
			c := certOf(t, pair)
			usage := ""
			for _, u := range c.ExtKeyUsage {
				usage += map[x509.ExtKeyUsage]string{x509.ExtKeyUsageServerAuth: "s", x509.ExtKeyUsageClientAuth: "c"}[u]
			}
			got = append(got, strings.Join([]string{n, filepath.Base(pair.Name), c.Issuer.CommonName, c.Subject.CommonName,
				strings.Join(c.Subject.Organization, "+"), usage, strings.Join(sans(c), ",")}, " | "))
		}
	}
	golden.Check(t, "testdata/leafs.txt", strings.Join(got, "\n")+"\n")
}

func TestCAs(t *testing.T) {
	p := mustInit(t, Memory{})
	for _, a := range authorities() {
		c := p.cas[a.name].Cert
		key, ok := c.PublicKey.(*ecdsa.PublicKey)
		if !ok || key.Curve != elliptic.P256() {
			t.Errorf("%s: key is a %T, want ECDSA P-256", a.name, c.PublicKey)
		}
		if !c.IsCA || c.KeyUsage != x509.KeyUsageCertSign|x509.KeyUsageCRLSign {
			t.Errorf("%s: IsCA %v, usage %b", a.name, c.IsCA, c.KeyUsage)
		}
		if !c.NotBefore.Equal(epoch.Add(-24*time.Hour)) || c.NotAfter.Before(epoch.AddDate(10, 0, -2)) || c.NotAfter.After(epoch.AddDate(10, 0, 1)) {
			t.Errorf("%s: from %v to %v", a.name, c.NotBefore, c.NotAfter)
		}
		parent := c
		if a.parent != "" {
			parent = p.cas[a.parent].Cert
			if !c.MaxPathLenZero {
				t.Errorf("%s: may sign further CAs", a.name)
			}
		}
		if err := c.CheckSignatureFrom(parent); err != nil {
			t.Errorf("%s: %v", a.name, err)
		}
	}
}

// The controller manager issues bare leafs; whoever verifies one holds ca.crt as it is on the nodes and nothing else.
func TestBundleAcceptsWhatTheSignersIssue(t *testing.T) {
	p := mustInit(t, Memory{})
	set := mustIssue(t, p, inventory())
	roots := x509.NewCertPool()
	if !roots.AppendCertsFromPEM(nodeFile(t, set, "cp1", "ca.crt")) {
		t.Fatal("ca.crt holds no certificate")
	}
	for _, tc := range []struct {
		signer string
		usage  x509.ExtKeyUsage
		want   bool
	}{
		{node.SignerClient, x509.ExtKeyUsageClientAuth, true},
		{node.SignerClient, x509.ExtKeyUsageServerAuth, false},
		{node.SignerServing, x509.ExtKeyUsageServerAuth, true},
		{node.SignerServing, x509.ExtKeyUsageClientAuth, false},
	} {
		leaf := signedBy(t, nodeFile(t, set, "cp1", tc.signer+".crt"), nodeFile(t, set, "cp1", tc.signer+".key"), tc.usage)
		_, err := leaf.Verify(x509.VerifyOptions{Roots: roots, CurrentTime: epoch, KeyUsages: []x509.ExtKeyUsage{tc.usage}})
		if (err == nil) != tc.want {
			t.Errorf("%s, usage %d: verified %v, want %v: %v", tc.signer, tc.usage, err == nil, tc.want, err)
		}
	}
}

// signedBy does what the controller manager does: a leaf from one signer, without a chain.
func signedBy(t *testing.T, caPEM, keyPEM []byte, usage x509.ExtKeyUsage) *x509.Certificate {
	t.Helper()
	ca, err := tls.X509KeyPair(caPEM, keyPEM)
	if err != nil {
		t.Fatal(err)
	}
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	tmpl := &x509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "system:node:w1"},
		NotBefore: epoch, NotAfter: epoch.Add(time.Hour), ExtKeyUsage: []x509.ExtKeyUsage{usage}}
	der, err := x509.CreateCertificate(rand.Reader, tmpl, ca.Leaf, key.Public(), ca.PrivateKey)
	if err != nil {
		t.Fatal(err)
	}
	leaf, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	return leaf
}

func nodeFile(t *testing.T, set *Set, of, name string) []byte {
	t.Helper()
	n, _ := inventory().Lookup(of)
	files, err := set.Files(n)
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range files {
		if f.Path == node.PKIDir+"/"+name {
			return f.Content
		}
	}
	t.Fatalf("node %q gets no %q", of, name)
	return nil
}

func TestFilesPerRole(t *testing.T) {
	set := mustIssue(t, mustInit(t, Memory{}), inventory())
	roots := map[string]bool{"ca.key": true, "etcd-ca.key": true, "etcd-peer-ca.key": true, "front-proxy-ca.key": true, "slipway-ca.key": true}
	count := map[string]int{}
	for _, n := range inventory().Nodes {
		files, err := set.Files(n)
		if err != nil {
			t.Fatal(err)
		}
		for _, f := range files {
			name := filepath.Base(f.Path)
			count[n.Name]++
			if roots[name] {
				t.Errorf("%s gets %s", n.Name, name)
			}
			if strings.HasSuffix(name, ".key") != (f.Mode == 0o600) || f.Mode != 0o600 && f.Mode != 0o644 {
				t.Errorf("%s: %s has mode %o", n.Name, name, f.Mode)
			}
			if n.Name != "cp1" && n.Name != "cp2" && n.Name != "cp3" && strings.HasPrefix(name, "signer-") {
				t.Errorf("%s gets %s", n.Name, name)
			}
		}
	}
	want := map[string]int{"cp1": 5 + 2*12 + 2, "cp2": 31, "cp3": 31, "w1": 2 + 2*3, "lb1": 2 + 2}
	if diff := cmp.Diff(want, count); diff != "" {
		t.Errorf("files a node (-want +got):\n%s", diff)
	}
}

func TestLeafsAreReused(t *testing.T) {
	store := Memory{}
	set := mustIssue(t, mustInit(t, store), inventory())
	first, operator, notBefore := set.Fingerprints(), set.Operator(), set.NotBefore(inventory().Nodes...)
	if err := set.Save(); err != nil {
		t.Fatal(err)
	}
	if want := epoch.Add(-24 * time.Hour); !notBefore.Equal(want) {
		t.Errorf("NotBefore is %v, want %v", notBefore, want)
	}
	type change func(*node.Config)
	for _, tc := range []struct {
		name   string
		after  time.Duration
		change change
		fresh  []string
	}{
		{"nothing changed", time.Hour, func(*node.Config) {}, []string{}},
		{"a third is left", LeafLife / 3 * 2, func(*node.Config) {}, nil},
		{"another worker", time.Hour, func(c *node.Config) {
			c.Nodes = append(c.Nodes, node.Node{Name: "w2", Roles: []node.Role{node.Worker}, Address: netip.MustParsePrefix("10.0.0.22/24")})
		}, []string{"nodes/w2/slipwayd", "nodes/w2/kube-proxy", "nodes/w2/kubelet-client"}},
		{"another VIP", time.Hour, func(c *node.Config) { c.API.VIP = netip.MustParseAddr("10.0.0.9") },
			[]string{"nodes/cp1/apiserver", "nodes/cp2/apiserver", "nodes/cp3/apiserver"}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			p, err := Open(store, epoch.Add(tc.after))
			if err != nil {
				t.Fatal(err)
			}
			cfg := inventory()
			tc.change(cfg)
			again := mustIssue(t, p, cfg)
			if tc.fresh == nil {
				if len(again.Fresh()) == 0 {
					t.Error("nothing was renewed")
				}
			} else if diff := cmp.Diff(tc.fresh, again.Fresh()); diff != "" {
				t.Errorf("issued anew (-want +got):\n%s", diff)
			}
			for node, fp := range first {
				if again.Fingerprints()[node] != fp {
					t.Errorf("%s: the peer key changed", node)
				}
			}
			if again.Operator() != operator {
				t.Error("the operator's key changed, and running nodes know no other")
			}
		})
	}
}

func TestInitKeepsWhatExists(t *testing.T) {
	store := Memory{}
	first, err := Init(store, "demo", epoch)
	if err != nil {
		t.Fatal(err)
	}
	before := string(store["ca.key"]) + string(store["ca.crt"])
	delete(store, "etcd-ca.crt") // as if Init had been cut off there
	etcdKey := string(store["etcd-ca.key"])
	second, err := Init(store, "demo", epoch)
	if err != nil {
		t.Fatal(err)
	}
	if len(first.Kept) != 0 || !slices.Contains(second.Kept, "ca") || !cmp.Equal(second.Created, []string{"etcd-ca"}) {
		t.Errorf("first %+v, second %+v", first, second)
	}
	if string(store["ca.key"])+string(store["ca.crt"]) != before || string(store["etcd-ca.key"]) != etcdKey {
		t.Error("an existing CA was overwritten")
	}
}

func TestMissingPieces(t *testing.T) {
	var coded interface{ ExitCode() int }
	if _, err := Open(Memory{}, epoch); !errors.As(err, &coded) || !strings.Contains(err.Error(), "slipway pki init") {
		t.Errorf("empty store: %v", err)
	}
	store := Memory{}
	p := mustInit(t, store)
	delete(store, "ca.key")
	if _, err := p.Issue(inventory(), nil); err == nil || !strings.Contains(err.Error(), "its key is not") {
		t.Errorf("no CA key: %v", err)
	}
	store["ca.key"] = store["etcd-ca.key"]
	if _, err := p.Issue(inventory(), nil); err == nil || !strings.Contains(err.Error(), "another certificate") {
		t.Errorf("foreign CA key: %v", err)
	}
	other := inventory()
	other.Cluster.ID = "other"
	_, err1 := p.Issue(other, nil)
	if _, err2 := Init(store, "other", epoch); err1 == nil || err2 == nil || !strings.Contains(err1.Error(), `not that of cluster "other"`) {
		t.Errorf("another cluster's secrets: %v, %v", err1, err2)
	}
	if _, err := Open(store, epoch.AddDate(11, 0, 0)); err == nil || !strings.Contains(err.Error(), "expired") {
		t.Errorf("eleven years later: %v", err)
	}
}

// TestEtcdWorlds: who may be etcd's client is no peer of its members, and a peer is no client. A member judges both by
// nothing but the CA of the port.
func TestEtcdWorlds(t *testing.T) {
	set := mustIssue(t, mustInit(t, Memory{}), inventory())
	accepts := func(ca string, pair *Pair) bool {
		roots := x509.NewCertPool()
		if !roots.AppendCertsFromPEM(nodeFile(t, set, "cp1", ca+".crt")) {
			t.Fatalf("%s.crt holds no certificate", ca)
		}
		_, err := certOf(t, pair).Verify(x509.VerifyOptions{Roots: roots, CurrentTime: epoch, KeyUsages: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth}})
		return err == nil
	}
	for _, tc := range []struct {
		cert         string
		client, peer bool
	}{
		{node.CertEtcdCli, true, false},
		{node.CertEtcdSrv, true, false}, // a member is its own client
		{node.CertEtcdPeer, false, true},
		{node.CertPeer, false, false},
		{node.CertAPIKubelet, false, false},
	} {
		pair := set.pair(t, "cp2", tc.cert)
		if client, peer := accepts(node.CAEtcd, pair), accepts(node.CAEtcdPeer, pair); client != tc.client || peer != tc.peer {
			t.Errorf("%s: client %v, peer %v, want %v and %v", tc.cert, client, peer, tc.client, tc.peer)
		}
	}
}
