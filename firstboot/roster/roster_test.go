package roster

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"errors"
	"fmt"
	"math/big"
	mathrand "math/rand/v2"
	"net/netip"
	"strings"
	"testing"
	"time"

	"slipway/node"
)

// operator signs entries.
type operator struct {
	t    testing.TB
	pool *x509.CertPool
	key  *ecdsa.PrivateKey
	cert []byte
}

func newOperator(t testing.TB) operator {
	t.Helper()
	ca := &x509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "peer CA"}, NotAfter: time.Now().Add(time.Hour), IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign}
	leaf := &x509.Certificate{SerialNumber: big.NewInt(2), Subject: pkix.Name{CommonName: node.InventoryName}, NotAfter: time.Now().Add(time.Hour), ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageCodeSigning}}
	caKey, err1 := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	key, err2 := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	der, err3 := x509.CreateCertificate(rand.Reader, ca, ca, caKey.Public(), caKey)
	issuer, err4 := x509.ParseCertificate(der)
	cert, err5 := x509.CreateCertificate(rand.Reader, leaf, issuer, key.Public(), caKey)
	if err := errors.Join(err1, err2, err3, err4, err5); err != nil {
		t.Fatal(err)
	}
	o := operator{t, x509.NewCertPool(), key, cert}
	o.pool.AddCert(issuer)
	return o
}

// config names one node, cp1 at 10.0.0.11 with the pods 10.244.11.0/24, and a VIP.
func config() *node.Config {
	return &node.Config{
		Cluster: node.Cluster{ID: "demo", Epoch: 1}, API: node.API{VIP: netip.MustParseAddr("10.0.0.10")},
		Network: node.Network{CNI: node.CNIBridge, PodCIDR: netip.MustParsePrefix("10.244.0.0/16")},
		Nodes:   []node.Node{worker("cp1", 11, 11)},
	}
}

func worker(name string, host, pods byte) node.Node {
	return node.Node{
		Name: name, Roles: []node.Role{node.Worker}, Address: netip.PrefixFrom(netip.AddrFrom4([4]byte{10, 0, 0, host}), 24),
		PodCIDR: netip.PrefixFrom(netip.AddrFrom4([4]byte{10, 244, pods, 0}), 24), Fingerprint: strings.Repeat("ab", 32),
	}
}

func (o operator) entry(serial int, n node.Node) node.SignedEntry {
	o.t.Helper()
	s, err := node.SignEntry(node.Entry{Cluster: "demo", Epoch: 1, Serial: serial, Node: n}, o.key, o.cert, rand.Reader)
	if err != nil {
		o.t.Fatal(err)
	}
	return s
}

// TestAdmit: the newer of two that claim the same stays, whoever comes first, and the config's own nodes always do.
func TestAdmit(t *testing.T) {
	o := newOperator(t)
	r := New(config(), o.pool)
	for _, c := range []struct {
		serial int
		node   node.Node
		want   string // in the refusal
		then   string // who is known
	}{
		{5, worker("w1", 21, 21), "", "cp1 w1"},
		{5, worker("w1", 21, 21), "", "cp1 w1"},
		{5, worker("w1", 22, 22), "the same serial, 5, and does not say the same", "cp1 w1"},
		{4, worker("w1", 22, 22), "a newer entry has the name: serial 5, and this one's is 4", "cp1 w1"},
		{4, worker("w2", 21, 22), `a newer entry has the address or the pods of "w1"`, "cp1 w1"},
		{4, worker("w2", 22, 21), `a newer entry has the address or the pods of "w1"`, "cp1 w1"},
		{4, worker("w2", 22, 22), "", "cp1 w1 w2"},
		{6, worker("w3", 21, 22), "", "cp1 w3"}, // in the place of both
		{5, worker("w1", 21, 21), `a newer entry has the address or the pods of "w3"`, "cp1 w3"},
		{9, worker("cp1", 11, 11), `the node "cp1" of this cluster's config has another entry`, "cp1 w3"},
		{9, worker("w4", 11, 24), `the address 10.0.0.11 of node "w4" is that of "cp1"`, "cp1 w3"},
		{9, worker("w4", 24, 11), `the pods 10.244.11.0/24 of node "w4" are those of "cp1"`, "cp1 w3"},
		{9, worker("w4", 10, 24), "is the API's", "cp1 w3"},
	} {
		_, _, err := r.Admit(o.entry(c.serial, c.node))
		if _, outdated := errors.AsType[Outdated](err); (err == nil) != (c.want == "") || err != nil && (!outdated || !strings.Contains(err.Error(), c.want)) {
			t.Errorf("%s, serial %d: %v, want %q", c.node.Name, c.serial, err, c.want)
		}
		var names []string
		for _, n := range r.All() {
			names = append(names, n.Name)
		}
		if got := strings.Join(names, " "); got != c.then {
			t.Errorf("after %s, serial %d: %s, want %s", c.node.Name, c.serial, got, c.then)
		}
	}
	if _, _, err := r.Admit(newOperator(t).entry(99, worker("w9", 99, 99))); err == nil {
		t.Error("another operator's entry is taken")
	}
}

// TestKept: an entry is loose until the cluster is known to keep this very one.
func TestKept(t *testing.T) {
	o := newOperator(t)
	r := New(config(), o.pool)
	first, second := o.entry(1, worker("w1", 21, 21)), o.entry(2, worker("w1", 22, 22))
	loose := func(want int) {
		t.Helper()
		if got := r.Loose(10); len(got) != want {
			t.Errorf("loose are %v, want %d", got, want)
		}
	}
	for _, s := range []node.SignedEntry{first, second} {
		if _, news, err := r.Admit(s); err != nil || !news {
			t.Fatal(err)
		}
		loose(1)
		r.Keep("w1", first.Body, true)
	}
	loose(1) // what is kept is the first
	r.Keep("w1", second.Body, true)
	loose(0)
	r.Keep("w1", "", false)
	r.Keep("w9", "", false)
	loose(1)
}

// TestNoTwo walks through random entries: never have two nodes one name, address or pods, and All is never another without Version.
func TestNoTwo(t *testing.T) {
	o, random := newOperator(t), mathrand.New(mathrand.NewPCG(1, 2))
	for range 60 {
		r := New(config(), o.pool)
		before, version := fmt.Sprint(r.All()), r.Version()
		for range 30 {
			some := func() byte { return byte(11 + random.IntN(5)) }
			_, _, err := r.Admit(o.entry(1+random.IntN(6), worker(fmt.Sprint("w", random.IntN(4)), some(), some())))
			taken := map[string]string{}
			for _, n := range r.All() {
				for _, claim := range append(claims(n), n.Name) {
					if taken[claim] != "" {
						t.Fatalf("%s is of %s and %s", claim, taken[claim], n.Name)
					}
					taken[claim] = n.Name
				}
			}
			after := fmt.Sprint(r.All())
			if after != before && r.Version() == version || err != nil && after != before {
				t.Fatalf("version %d then %d, %v:\n%s\n%s", version, r.Version(), err, before, after)
			}
			before, version = after, r.Version()
		}
	}
}

// BenchmarkAdmit is one introduction among thousands.
func BenchmarkAdmit(b *testing.B) {
	o := newOperator(b)
	r := New(config(), o.pool)
	for i := 0; b.Loop(); i = (i + 1) % 5000 {
		b.StopTimer()
		n := worker(fmt.Sprint("w", i), 0, 0)
		n.Address = netip.PrefixFrom(netip.AddrFrom4([4]byte{10, 1, byte(i / 250), byte(1 + i%250)}), 16)
		n.PodCIDR = netip.Prefix{}
		n.Roles = []node.Role{node.LB}
		s := o.entry(1, n)
		b.StartTimer()
		if _, _, err := r.Admit(s); err != nil {
			b.Fatal(err)
		}
	}
}
