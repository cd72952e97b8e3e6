package pki

import (
	"bytes"
	"crypto/x509"
	"net/netip"
	"strings"
	"testing"
	"time"

	"slipway/node"
)

// peerRoots is the peer CA as nodes have it.
func peerRoots(t *testing.T, set *Set) *x509.CertPool {
	t.Helper()
	roots := x509.NewCertPool()
	if !roots.AppendCertsFromPEM(nodeFile(t, set, "w1", node.CAPeer+".crt")) {
		t.Fatal("no peer CA")
	}
	return roots
}

// TestEntries: nodes believe them, years later, and one that did not change is the same again, byte for byte.
func TestEntries(t *testing.T) {
	store := Memory{}
	set := mustIssue(t, mustInit(t, store), inventory())
	if err := set.Save(); err != nil {
		t.Fatal(err)
	}
	cfg := inventory()
	cfg.Network.PodCIDR = netip.MustParsePrefix("10.244.0.0/16")
	for _, n := range cfg.Nodes {
		e, err := cfg.VerifyEntry(set.Entries()[n.Name], peerRoots(t, set))
		if err != nil || e.Node.Fingerprint != set.Fingerprints()[n.Name] || e.Serial != 1 || e.Node.Address != n.Address {
			t.Errorf("%s: %+v, %v", n.Name, e, err)
		}
	}
	first := bytes.Clone(store[ledgerName])
	p, err := Open(store, epoch.AddDate(9, 0, 0))
	if err != nil {
		t.Fatal(err)
	}
	again := mustIssue(t, p, inventory())
	if err := again.Save(); err != nil || !bytes.Equal(store[ledgerName], first) {
		t.Errorf("nothing changed, and the entries did: %v", err)
	}
}

// TestSerials: what changes counts for more than all that there was, whoever had it.
func TestSerials(t *testing.T) {
	store := Memory{}
	serials := func(change func(*node.Config)) map[string]int {
		t.Helper()
		p := mustInit(t, store)
		cfg := inventory()
		change(cfg)
		set := mustIssue(t, p, cfg)
		if err := set.Save(); err != nil {
			t.Fatal(err)
		}
		got := map[string]int{}
		for _, n := range cfg.Nodes {
			e, err := set.Entries()[n.Name].Read()
			if err != nil {
				t.Fatal(err)
			}
			got[n.Name] = e.Serial
		}
		return got
	}
	move := func(c *node.Config) { c.Nodes[3].Address = netip.MustParsePrefix("10.0.0.29/24") }
	if got := serials(func(*node.Config) {}); got["w1"] != 1 || got["cp1"] != 1 {
		t.Errorf("first: %v", got)
	}
	if got := serials(move); got["w1"] != 2 || got["cp1"] != 1 {
		t.Errorf("w1 moved: %v", got)
	}
	heir := func(c *node.Config) { move(c); c.Nodes[3].Name = "w9" }
	if got := serials(heir); got["w9"] != 3 || got["lb1"] != 1 {
		t.Errorf("another node at its place: %v", got)
	}
	if got := serials(func(*node.Config) {}); got["w1"] != 4 {
		t.Errorf("w1 is back: %v", got)
	}
	delete(store, node.CAPeer+".crt")
	delete(store, node.CAPeer+".key")
	if got := serials(func(*node.Config) {}); got["w1"] != 5 || got["cp1"] != 5 {
		t.Errorf("another peer CA: %v", got)
	}
	store[ledgerName] = []byte("{")
	if _, err := mustInit(t, store).Issue(inventory(), nil); err == nil || !strings.Contains(err.Error(), "restore it from your backup") {
		t.Errorf("a broken list: %v", err)
	}
}

// TestInventorySigner: the key that vouches for entries calls nobody, serves nobody, and lasts as long as its CA.
func TestInventorySigner(t *testing.T) {
	set := mustIssue(t, mustInit(t, Memory{}), inventory())
	c, roots := set.inventory.Cert, peerRoots(t, set)
	for usage, want := range map[x509.ExtKeyUsage]bool{x509.ExtKeyUsageCodeSigning: true, x509.ExtKeyUsageClientAuth: false, x509.ExtKeyUsageServerAuth: false} {
		_, err := c.Verify(x509.VerifyOptions{Roots: roots, CurrentTime: epoch.Add(time.Hour), KeyUsages: []x509.ExtKeyUsage{usage}})
		if (err == nil) != want {
			t.Errorf("usage %d: %v", usage, err)
		}
	}
	if ca := set.pki.cas[node.CAPeer].Cert; !c.NotAfter.Equal(ca.NotAfter) || len(sans(c)) > 0 {
		t.Errorf("it ends %v, its CA %v; names %v", c.NotAfter, ca.NotAfter, sans(c))
	}
}
