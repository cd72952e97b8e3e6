package firstboot

import (
	"context"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/json"
	"fmt"
	"math/big"
	"net/http"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"slipway/firstboot/kube"
	"slipway/firstboot/peer"
	"slipway/firstboot/status"
	"slipway/node"
)

// operatorOf signs entries for a config's cluster, as the operator does.
type operatorOf struct {
	t   *testing.T
	cfg *node.Config
	ca  testCA
}

// worker is a node that no config names, with its certificate and what the operator says of it.
func (o operatorOf) worker(name string, serial, host int) (tls.Certificate, node.SignedEntry) {
	pair := o.ca.issue(o.t, name)
	return pair, o.entry(serial, node.Node{
		Name: name, Roles: []node.Role{node.Worker}, Address: netip.PrefixFrom(netip.AddrFrom4([4]byte{10, 0, 0, byte(host)}), 24),
		PodCIDR:     netip.PrefixFrom(netip.AddrFrom4([4]byte{10, 244, byte(host), 0}), 24),
		Fingerprint: peer.Fingerprint(pair.Leaf.RawSubjectPublicKeyInfo), Labels: map[string]string{"example.org/rack": "a"},
	})
}

// entry signs what it is told.
func (o operatorOf) entry(serial int, n node.Node) node.SignedEntry {
	o.t.Helper()
	cert, key := sign(o.t, &x509.Certificate{SerialNumber: big.NewInt(3), Subject: pkix.Name{CommonName: node.InventoryName}, NotAfter: time.Now().Add(time.Hour),
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageCodeSigning}}, o.ca.cert, o.ca.key)
	s, err := node.SignEntry(node.Entry{Cluster: o.cfg.Cluster.ID, Epoch: o.cfg.Cluster.Epoch, Serial: serial, Node: n}, key, cert.Raw, rand.Reader)
	if err != nil {
		o.t.Fatal(err)
	}
	return s
}

func (o operatorOf) pool() *x509.CertPool {
	pool := x509.NewCertPool()
	pool.AddCert(o.ca.cert)
	return pool
}

// as is a caller that shows an entry in the daemon's own way, though at the daemon's test address.
func (l daemonLab) as(t *testing.T, pair tls.Certificate, entry node.SignedEntry) func() (peer.Attestation, error) {
	cfg := *l.cfg
	cfg.Entry = entry
	c := &peerCaller{base: l.trusting(pair), cfg: &cfg, random: rand.Reader}
	client := peer.NewClient(c.base, cfg.Cluster, cfg.Nodes[0], l.client.Address(), rand.Reader)
	return func() (a peer.Attestation, err error) {
		err = c.with(t.Context(), client, cfg.Nodes[0].Name, func(client *peer.Client) error {
			a, err = client.Attest(t.Context(), peer.Testimony{})
			return err
		})
		return a, err
	}
}

// TestIntroductions: a worker that no config names introduces itself to a daemon, and is a witness from then on. What the
// operator did not sign, somebody else's entry and an older one are refused, and both sides are told.
func TestIntroductions(t *testing.T) {
	l := startDaemon(t, 0, func(root string) { consoleFiles(t, root, "ttyS0") })
	l.failing(t) // it serves
	o := operatorOf{t, l.cfg, l.ca}
	pair, entry := o.worker("w1", 2, 21)
	forger := operatorOf{t, l.cfg, newCA(t)}
	_, forged := forger.worker("w1", 9, 21)
	_, others := o.worker("w2", 1, 22)
	olderPair, older := o.worker("w1", 1, 23)
	heirPair, heir := o.worker("w9", 3, 21)
	usurper, self := o.worker("w5", 5, 11)
	for _, c := range []struct {
		what  string
		pair  tls.Certificate
		entry node.SignedEntry
		want  string
	}{
		{"no entry", pair, node.SignedEntry{}, "has not introduced itself"},
		{"forged", pair, forged, "the entry is that of \"w1\", and not of the key that \"w1\" has"},
		{"another's entry", pair, others, `the entry is that of "w2", and not of the key that "w1" has`},
		{"good", pair, entry, ""},
		{"again", pair, entry, ""},
		{"an older machine of the name", olderPair, older, "a newer entry has the name: serial 2, and this one's is 1"},
		{"the address of the node itself", usurper, self, `the address 10.0.0.11 of node "w5" is that of "n1" in this cluster's config`},
		{"a newer node at the address", heirPair, heir, ""},
		{"the one that was there before", pair, entry, `a newer entry has the address or the pods of "w9": serial 3, and this one's is 2`},
	} {
		if _, err := l.as(t, c.pair, c.entry)(); (err == nil) != (c.want == "") || err != nil && !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v, want %q", c.what, err, c.want)
		}
	}
	d, err := l.client.Status(context.Background())
	if err != nil || !slices.ContainsFunc(d.Notices, func(n status.Notice) bool {
		return n.Kind == "entry" && n.Name == "127.0.0.1" && strings.HasPrefix(n.Text, `"w1" introduced itself and was refused: `)
	}) {
		t.Errorf("notices %+v, %v", d.Notices, err)
	}
}

// TestForgedKey: one that has a good certificate of its name, and signs its entry itself, is found out by the signature.
func TestForgedKey(t *testing.T) {
	cfg, ca := single(t), newCA(t)
	n := newMachine(Host{Clock: WallClock(time.Now)}, cfg, operatorOf{t, cfg, ca}.pool(), "", newWorld(t, cfg).out, nil, fakePeers{}, t.Logf)
	_, forged := operatorOf{t, cfg, newCA(t)}.worker("w1", 9, 21)
	e, err := forged.Read()
	if err != nil {
		t.Fatal(err)
	}
	c := peer.Caller{Name: "w1", Stranger: true, Fingerprint: e.Node.Fingerprint, Address: "10.0.0.21"}
	if err := n.introduce(c, forged); err == nil || !strings.Contains(err.Error(), "not signed by the inventory's key") {
		t.Errorf("got %v", err)
	}
	if _, known := n.roster.Lookup("w1"); known {
		t.Error("and it is known")
	}
}

// TestRefusedKubelet: a machine whose entry is refused starts no kubelet, which would take another's place under its name.
func TestRefusedKubelet(t *testing.T) {
	w := newWorld(t, contract(t, node.Node{Name: "w1", Roles: []node.Role{node.Worker}}, node.Node{Name: "cp1", Roles: []node.Role{node.Etcd, node.ControlPlane}}))
	w.form(20 * time.Second)
	w.node.met.put(view{Name: "cp1", Err: fmt.Errorf("introducing: %w", &peer.Refusal{Code: http.StatusForbidden})})
	if found, err := w.node.observeKubelet(t.Context()); err != nil || found.act || !strings.Contains(found.waiting, "which cp1 refuses") {
		t.Errorf("refused: %+v, %v", found, err)
	}
	w.node.met.put(view{Name: "cp1", Attestation: &peer.Attestation{}})
	if found, err := w.node.observeKubelet(t.Context()); err != nil || !found.act {
		t.Errorf("taken: %+v, %v", found, err)
	}
}

// TestEntriesAreKept: a control plane keeps the entry of a worker in the cluster, approves its certificate, and gives it its
// labels and pods; a second control plane, which the worker never called, has all of that from the cluster.
func TestEntriesAreKept(t *testing.T) {
	w := newWorld(t, single(t))
	if last := w.form(5 * time.Minute); !last.Serving {
		t.Fatalf("not serving: %+v", last)
	}
	o := operatorOf{t, w.cfg, newCA(t)}
	_, entry := o.worker("w1", 1, 21)
	e, err := entry.Read()
	if err != nil {
		t.Fatal(err)
	}
	w.ca = o.pool()
	w.start()
	if _, _, err := w.node.roster.Admit(entry); err != nil {
		t.Fatal(err)
	}
	found, err := w.node.observeEntries(t.Context())
	if err != nil || !found.act {
		t.Fatalf("%+v, %v", found, err)
	}
	if err := w.node.keepEntries(t.Context()); err != nil {
		t.Fatal(err)
	}
	if found, err := w.node.observeEntries(t.Context()); err != nil || !found.done {
		t.Errorf("after keeping it: %+v, %v", found, err)
	}

	w.start() // another, of the same cluster
	if _, ok := w.node.nodeList(); ok {
		t.Error("it gives a list before it has read the cluster's")
	}
	if found, err := w.node.observeEntries(t.Context()); err != nil || !found.done {
		t.Fatalf("%+v, %v", found, err)
	}
	csr := servingCSR("csr-w1", e.Node)
	if why := w.node.vouch(*csr, nil); why != nil {
		t.Errorf("its certificate: %v", why)
	}
	elsewhere := e.Node
	elsewhere.Address = netip.MustParsePrefix("10.0.0.99/24")
	if why := w.node.vouch(*servingCSR("csr-2", elsewhere), nil); why == nil {
		t.Error("an address that is not in its entry is approved")
	}
	want, lacking := lacks(object{Metadata: kube.Metadata{Name: "w1", UID: "u9"}}, e.Node)
	text, err := json.Marshal(want)
	if err != nil || !lacking || string(text) != `{"apiVersion":"v1","kind":"Node","metadata":{"name":"w1","uid":"u9","labels":{"example.org/rack":"a","node-role.kubernetes.io/worker":""}},"spec":{"podCIDR":"10.244.21.0/24","podCIDRs":["10.244.21.0/24"]}}` {
		t.Errorf("%s, %v", text, err)
	}
	list, ok := w.node.nodeList()
	if all, err := peer.ParseList(list); !ok || err != nil || len(all) != 2 || all[1].Name != "w1" || all[1].Address != e.Node.Address.Addr() {
		t.Errorf("list %+v, %v, %v", all, ok, err)
	}
}

// TestNewerEntryStays: what a control plane keeps never goes back, whichever order the entries come in.
func TestNewerEntryStays(t *testing.T) {
	w := newWorld(t, single(t))
	w.form(5 * time.Minute)
	o := operatorOf{t, w.cfg, newCA(t)}
	w.ca = o.pool()
	_, older := o.worker("w1", 1, 21)
	_, newer := o.worker("w1", 2, 22)
	for _, entry := range []node.SignedEntry{newer, older} {
		w.start()
		if _, _, err := w.node.roster.Admit(entry); err != nil { // it has not seen the other
			t.Fatal(err)
		}
		if err := w.node.keepEntries(t.Context()); err != nil {
			t.Fatal(err)
		}
		if n, _ := w.node.roster.Lookup("w1"); n.Address.Addr() != netip.MustParseAddr("10.0.0.22") {
			t.Errorf("w1 is at %s", n.Address)
		}
	}
	w.api.objects[entriesPath+"/w1"]["data"] = map[string]any{entryKey: "{}"} // by somebody's hand
	w.start()
	if _, _, err := w.node.roster.Admit(newer); err != nil {
		t.Fatal(err)
	}
	if err := w.node.keepEntries(t.Context()); err != nil {
		t.Fatal(err)
	}
	if text, _ := json.Marshal(w.api.objects[entriesPath+"/w1"]); !strings.Contains(string(text), `serial`) {
		t.Errorf("not written again: %s", text)
	}
}
