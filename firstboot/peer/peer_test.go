package peer

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/json"
	"errors"
	"fmt"
	"math/big"
	"net"
	"net/http"
	"net/netip"
	"strings"
	"sync"
	"testing"
	"time"

	"slipway/firstboot/status"
	"slipway/node"
)

// authority is a CA for one test.
type authority struct {
	cert *x509.Certificate
	key  *ecdsa.PrivateKey
}

func newAuthority(t testing.TB) authority {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "peer CA"}, NotAfter: time.Now().Add(time.Hour),
		IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	return authority{cert, key}
}

func (a authority) pool() *x509.CertPool {
	pool := x509.NewCertPool()
	pool.AddCert(a.cert)
	return pool
}

// issue makes a certificate for a name, and the fingerprint of its key.
func (a authority) issue(t testing.TB, name string) (tls.Certificate, string) {
	t.Helper()
	pair := a.issueAt(t, name, time.Time{}, time.Now().Add(time.Hour))
	return pair, Fingerprint(pair.Leaf.RawSubjectPublicKeyInfo)
}

func (a authority) issueAt(t testing.TB, name string, from, to time.Time) tls.Certificate {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(2), Subject: pkix.Name{CommonName: name}, DNSNames: []string{name}, NotBefore: from, NotAfter: to,
		KeyUsage: x509.KeyUsageDigitalSignature, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth}}
	der, err := x509.CreateCertificate(rand.Reader, template, a.cert, key.Public(), a.key)
	if err != nil {
		t.Fatal(err)
	}
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key, Leaf: cert}
}

// fakeNode is a node that has something to say, and knows w1 once it has introduced itself.
type fakeNode struct{ known *sync.Map }

func newFakeNode() fakeNode { return fakeNode{&sync.Map{}} }

func (f fakeNode) Introduce(c Caller, s node.SignedEntry) error {
	if s.Body != c.Name {
		return errors.New("who is " + s.Body + "?")
	}
	f.known.Store(c.Name, node.Node{Name: c.Name, Fingerprint: c.Fingerprint})
	return nil
}

func (f fakeNode) Nodes() (List, bool) {
	list, err := NewList([]Neighbour{{"w1", netip.MustParseAddr("10.0.0.21"), netip.MustParsePrefix("10.244.1.0/24")}})
	return list, err == nil
}

func (f fakeNode) Known(name string) (node.Node, bool) {
	n, known := f.known.Load(name)
	if !known {
		return node.Node{}, false
	}
	return n.(node.Node), true
}

func (fakeNode) Status(c Caller) status.Document {
	return status.Document{Node: "n1", Step: "etcd", WaitingFor: fmt.Sprintf("%s, operator %v", c.Name, c.Operator)}
}

// Attest repeats what it is told.
func (fakeNode) Attest(c Caller, t Testimony) (Attestation, error) {
	return Attestation{Node: "n1", Cluster: "demo", Epoch: 1, Testimony: t, HasData: true, Twin: &Twin{instanceA, c.Address}}, nil
}

const (
	instanceA = "0123456789abcdef0123456789abcdef"
	instanceB = "00000000000000000000000000000001"
)

// lab is a server for n1 with n2 in its inventory.
type lab struct {
	ca       authority
	addr     string
	n1, n2   node.Node
	caller   tls.Certificate // n2's
	operator tls.Certificate
	turned   chan string // whom the server turned away, and why
}

var demo = node.Cluster{ID: "demo", Epoch: 1}

// newLab makes the lab; the clock, judged by From and Until, is the server's alone.
func newLab(t *testing.T, clock Clock) lab {
	t.Helper()
	return newLabWith(t, clock, func(*ServerOptions) {})
}

// newLabWith makes the lab with a server that the test changes.
func newLabWith(t *testing.T, clock Clock, change func(*ServerOptions)) lab {
	t.Helper()
	l := lab{ca: newAuthority(t), n1: node.Node{Name: "n1"}, n2: node.Node{Name: "n2"}, turned: make(chan string, 1000)}
	var server tls.Certificate
	server, l.n1.Fingerprint = l.ca.issue(t, "n1")
	l.caller, l.n2.Fingerprint = l.ca.issue(t, "n2")
	cfg := &node.Config{Cluster: demo, Node: "n1", Nodes: []node.Node{l.n1, l.n2}}
	l.operator, cfg.Operator = l.ca.issue(t, node.OperatorName)
	o := ServerOptions{Certificate: server, CA: l.ca.pool(), Config: cfg, Clock: clock, Node: newFakeNode(),
		Refused: func(address string, why error) { l.turned <- address + ": " + why.Error() }}
	change(&o)
	s, err := NewServer(o)
	if err != nil {
		t.Fatal(err)
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	go s.Serve(listener)
	t.Cleanup(func() { s.Close() })
	l.addr = listener.Addr().String()
	return l
}

func (l lab) client(node node.Node, certs ...tls.Certificate) *Client {
	return NewClient(&tls.Config{RootCAs: l.ca.pool(), Certificates: certs}, demo, node, l.addr, rand.Reader)
}

// TestCalls: the handler knows who asks, by the certificate.
func TestCalls(t *testing.T) {
	l := newLab(t, Clock{Now: time.Now})
	ctx := context.Background()
	for want, c := range map[string]*Client{
		"n2, operator false": l.client(l.n1, l.caller), "slipway-operator, operator true": l.client(node.Node{Name: "n1"}, l.operator),
	} {
		if d, err := c.Status(ctx); err != nil || d.WaitingFor != want {
			t.Errorf("status %+v, %v, want the caller %q", d, err, want)
		}
	}
	told := Testimony{Instance: instanceA, Started: map[string][]string{"n1": {instanceA, instanceB}}, Formed: true}
	a, err := l.client(l.n1, l.caller).Attest(ctx, told)
	if err != nil || !a.Formed || !a.HasData || a.Cluster != "demo" || a.Epoch != 1 || !a.HasStarted() || !a.Has("n1", instanceB) || *a.Twin != (Twin{instanceA, "127.0.0.1"}) {
		t.Errorf("attestation %+v, %v", a, err)
	}
}

// TestStrangers: who is not in the contract by name and key gets nothing, and the server says why; nor does a node trust
// a stranger.
func TestStrangers(t *testing.T) {
	l := newLab(t, Clock{Now: time.Now})
	otherKey, _ := l.ca.issue(t, "n2")
	unknown, _ := l.ca.issue(t, "n9")
	signer, _ := l.ca.issue(t, node.InventoryName)
	foreign, _ := newAuthority(t).issue(t, node.OperatorName)
	second, _ := l.ca.issue(t, node.OperatorName)
	old := l.ca.issueAt(t, node.OperatorName, time.Now().Add(-2*time.Hour), time.Now().Add(-time.Hour))
	const away = "it turned this node away: tls: bad certificate"
	for name, c := range map[string]struct {
		client     *Client
		says, hear string // what the caller gets to know, and what the server tells of it
	}{
		"no certificate":                     {l.client(l.n1), "it turned this node away: tls: certificate required", ""},
		"a key that is not in the inventory": {l.client(l.n1, otherKey), away, `127.0.0.1: "n2": its key is not the one in the inventory`},
		"an unknown name":                    {l.client(l.n1, unknown), `"n9" is not in the inventory`, `127.0.0.1: "n9" is not in the inventory, and has not introduced itself`},
		"who signs entries":                  {l.client(l.n1, signer), away, `127.0.0.1: "slipway-inventory": it signs entries, and calls nobody`},
		"an operator of another CA":          {l.client(l.n1, foreign), away, `127.0.0.1: "slipway-operator": x509: certificate signed by unknown authority`},
		"another operator of this CA":        {l.client(l.n1, second), away, `127.0.0.1: "slipway-operator": its key is not the operator's in this node's config`},
		"an operator whose time is over":     {l.client(l.n1, old), away, `127.0.0.1: "slipway-operator": its certificate is valid from 2`},
		"another node's name":                {l.client(node.Node{Name: "n2"}, l.caller), `x509: certificate is valid for n1, not n2`, ""},
		"another key than the inventory's":   {l.client(node.Node{Name: "n1", Fingerprint: l.n2.Fingerprint}, l.caller), `the key of "n1" is not the one in the inventory`, ""},
	} {
		d, err := c.client.Status(context.Background())
		if err == nil || !strings.Contains(err.Error(), c.says) {
			t.Errorf("%s: got %+v, %v, want %q", name, d, err, c.says)
		}
		heard := ""
		select {
		case heard = <-l.turned:
		default:
		}
		if !strings.HasPrefix(heard, c.hear) || c.hear == "" && heard != "" {
			t.Errorf("%s: the server told %q, want %q", name, heard, c.hear)
		}
	}
}

// TestOtherClusters: a caller of another cluster is refused, one of another epoch learns from the attestation which epoch
// this is, and gets nothing else.
func TestOtherClusters(t *testing.T) {
	l := newLab(t, Clock{Now: time.Now})
	as := func(id string, epoch int) *Client {
		c := l.client(l.n1, l.caller)
		c.from = token(node.Cluster{ID: id, Epoch: epoch})
		return c
	}
	for _, test := range []struct {
		id             string
		epoch          int
		status, attest bool
	}{{"demo", 1, true, true}, {"demo", 2, false, true}, {"other", 1, false, false}, {"demo", 0, false, false}, {"", 1, false, false}} {
		_, err1 := as(test.id, test.epoch).Status(context.Background())
		a, err2 := as(test.id, test.epoch).Attest(context.Background(), Testimony{Formed: true})
		if (err1 == nil) != test.status || (err2 == nil) != test.attest {
			t.Errorf("%s/%d: status %v, attestation %v", test.id, test.epoch, err1, err2)
		}
		if a.Formed != test.status {
			t.Errorf("%s/%d: the node heard that the cluster formed: %v", test.id, test.epoch, a.Formed)
		}
		for _, err := range []error{err1, err2} {
			if err != nil && !strings.Contains(err.Error(), fmt.Sprintf(`409 Conflict: "n2" asks as one of cluster "%s/%d", and this node is of "demo/1"`, test.id, test.epoch)) {
				t.Errorf("%s/%d: %v", test.id, test.epoch, err)
			}
		}
	}
	if heard := <-l.turned; !strings.Contains(heard, "demo/2") {
		t.Errorf("the server told %q", heard)
	}
}

// TestWrongClock: a node whose clock is certainly wrong answers nodes and the operator by their keys, and strangers as
// little as ever.
func TestWrongClock(t *testing.T) {
	from, until := time.Now().Add(-time.Hour), time.Now().Add(time.Hour)
	for _, years := range []int{-10, 10} {
		l := newLab(t, Clock{Now: func() time.Time { return time.Now().AddDate(years, 0, 0) }, From: from, Until: until})
		for name, cert := range map[string]tls.Certificate{"a node": l.caller, "the operator": l.operator} {
			if d, err := l.client(l.n1, cert).Status(context.Background()); err != nil || d.Step != "etcd" {
				t.Errorf("%d years off, %s: %+v, %v", years, name, d, err)
			}
		}
		otherKey, _ := l.ca.issue(t, "n2")
		foreign, _ := newAuthority(t).issue(t, "n2")
		for name, cert := range map[string]tls.Certificate{"another key": otherKey, "another CA": foreign} {
			if d, err := l.client(l.n1, cert).Status(context.Background()); err == nil {
				t.Errorf("%d years off, %s: got %+v", years, name, d)
			}
		}
	}
}

// TestIntroduce: one that is not known may introduce itself and nothing else, is known by the key that it did it with, and then
// gets the list, once.
func TestIntroduce(t *testing.T) {
	l, ctx := newLab(t, Clock{Now: time.Now}), context.Background()
	key, _ := l.ca.issue(t, "w1")
	other, _ := l.ca.issue(t, "w1")
	w1, twin := l.client(l.n1, key), l.client(l.n1, other)
	if _, err := w1.Attest(ctx, Testimony{}); !errors.Is(err, ErrStranger) {
		t.Errorf("a stranger attests: %v", err)
	}
	if _, _, err := w1.Nodes(ctx, ""); !errors.Is(err, ErrStranger) {
		t.Errorf("a stranger gets the nodes: %v", err)
	}
	if _, ok := errors.AsType[*Refusal](w1.Introduce(ctx, node.SignedEntry{Body: "w2"})); !ok {
		t.Error("an entry of another is not refused")
	}
	if err := w1.Introduce(ctx, node.SignedEntry{Body: "w1"}); err != nil {
		t.Fatal(err)
	}
	if _, err := w1.Attest(ctx, Testimony{}); err != nil {
		t.Error(err)
	}
	if _, err := twin.Attest(ctx, Testimony{}); !errors.Is(err, ErrStranger) {
		t.Errorf("another key of the same name: %v", err)
	}
	list, changed, err := w1.Nodes(ctx, "")
	all, unread := ParseList(list)
	if err != nil || unread != nil || !changed || len(all) != 1 || all[0].Name != "w1" {
		t.Errorf("list %+v, %v, %v", all, err, unread)
	}
	if _, changed, err := w1.Nodes(ctx, list.Tag); changed || err != nil {
		t.Errorf("the list changed: %v", err)
	}
	older := l.client(l.n1, key)
	older.from = token(node.Cluster{ID: "demo", Epoch: 9})
	if err := older.Introduce(ctx, node.SignedEntry{Body: "w1"}); err == nil || !strings.Contains(err.Error(), "409") {
		t.Errorf("of another epoch: %v", err)
	}
}

func TestNonce(t *testing.T) {
	l := newLab(t, Clock{Now: time.Now})
	c := l.client(l.n1, l.caller)
	for _, nonce := range []string{"", "abc", strings.Repeat("A", 32), strings.Repeat("a", 200)} {
		if _, err := c.do(context.Background(), http.MethodPost, attestPath+"?nonce="+nonce, []byte("{}")); err == nil || !strings.Contains(err.Error(), http.StatusText(400)) {
			t.Errorf("nonce %q: %v", nonce, err)
		}
	}
}

// signed is an attestation of n1, and the arguments with which it verifies.
func signed(t testing.TB) (data []byte, fingerprint, nonce string) {
	t.Helper()
	nonce = strings.Repeat("ab", 16)
	data, fingerprint = signedAs(t, Attestation{Node: "n1", Cluster: "demo", Epoch: 1, Nonce: nonce})
	return data, fingerprint, nonce
}

// signedAs signs any attestation.
func signedAs(t testing.TB, a Attestation) (data []byte, fingerprint string) {
	t.Helper()
	cert, fingerprint := newAuthority(t).issue(t, "n1")
	s, err := Sign(cert.PrivateKey.(*ecdsa.PrivateKey), a)
	if err != nil {
		t.Fatal(err)
	}
	data, err = json.Marshal(s)
	if err != nil {
		t.Fatal(err)
	}
	return data, fingerprint
}

func TestVerify(t *testing.T) {
	data, fingerprint, nonce := signed(t)
	if _, err := Verify(data, "n1", fingerprint, nonce); err != nil {
		t.Fatal(err)
	}
	other, _, _ := signed(t)
	changed := func(change func(*Signed)) []byte {
		var s Signed
		if err := json.Unmarshal(data, &s); err != nil {
			t.Fatal(err)
		}
		change(&s)
		out, err := json.Marshal(s)
		if err != nil {
			t.Fatal(err)
		}
		return out
	}
	for _, test := range []struct {
		name              string
		data              []byte
		node, nonce, want string
	}{
		{"replayed", data, "n1", strings.Repeat("cd", 16), "another question"},
		{"of another node", data, "n2", nonce, `about "n1"`},
		{"another key", other, "n1", nonce, "inventory"},
		{"changed body", changed(func(s *Signed) { s.Body = []byte(strings.Replace(string(s.Body), "1", "2", 1)) }), "n1", nonce, "signature"},
		{"no signature", changed(func(s *Signed) { s.Signature = nil }), "n1", nonce, "signature"},
		{"cut off", data[:len(data)/2], "n1", nonce, "parsing"},
		{"two documents", append(append([]byte{}, data...), data...), "n1", nonce, "after the document"},
		{"unknown key", []byte(`{"x":1}`), "n1", nonce, "parsing"},
	} {
		_, err := Verify(test.data, test.node, fingerprint, test.nonce)
		if err == nil || !strings.Contains(err.Error(), test.want) {
			t.Errorf("%s: %v, want %q", test.name, err, test.want)
		}
	}
}

// TestVerifyBounds: a node that the key is right of cannot attest what it could not tell.
func TestVerifyBounds(t *testing.T) {
	nonce := strings.Repeat("ab", 16)
	data, fingerprint := signedAs(t, Attestation{Node: "n1", Testimony: Testimony{Instance: "x"}, Nonce: nonce})
	if a, err := Verify(data, "n1", fingerprint, nonce); err == nil || !strings.Contains(err.Error(), `"x" is no instance`) {
		t.Errorf("%+v, %v", a, err)
	}
}

// FuzzVerify: only what the key signed verifies.
func FuzzVerify(f *testing.F) {
	data, fingerprint, nonce := signed(f)
	var original Signed
	if err := json.Unmarshal(data, &original); err != nil {
		f.Fatal(err)
	}
	f.Add(data)
	f.Add([]byte(`{"body":"e30=","publicKey":"","signature":""}`))
	f.Add([]byte(`null`))
	f.Fuzz(func(t *testing.T, data []byte) {
		a, err := Verify(data, "n1", fingerprint, nonce)
		if err == nil && (a.Cluster != "demo" || a.Epoch != 1 || a.Formed) {
			t.Errorf("verified %+v", a)
		}
	})
}
