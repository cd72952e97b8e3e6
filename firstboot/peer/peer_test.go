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
	"math/big"
	"net"
	"net/http"
	"strings"
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
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(2), Subject: pkix.Name{CommonName: name}, DNSNames: []string{name}, NotAfter: time.Now().Add(time.Hour),
		KeyUsage: x509.KeyUsageDigitalSignature, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth}}
	der, err := x509.CreateCertificate(rand.Reader, template, a.cert, key.Public(), a.key)
	if err != nil {
		t.Fatal(err)
	}
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key, Leaf: cert}, Fingerprint(cert.RawSubjectPublicKeyInfo)
}

// fakeNode is a node that has something to say.
type fakeNode struct{}

func (fakeNode) Status() status.Document { return status.Document{Node: "n1", Step: "etcd"} }

func (fakeNode) Attest() (Attestation, error) {
	return Attestation{Node: "n1", Cluster: "demo", Epoch: 1, Formed: true, HasData: true}, nil
}

// lab is a server for n1 with n2 in its inventory.
type lab struct {
	ca     authority
	addr   string
	n1, n2 node.Node
	caller tls.Certificate // n2's
}

func newLab(t *testing.T) lab {
	t.Helper()
	l := lab{ca: newAuthority(t), n1: node.Node{Name: "n1"}, n2: node.Node{Name: "n2"}}
	var server tls.Certificate
	server, l.n1.Fingerprint = l.ca.issue(t, "n1")
	l.caller, l.n2.Fingerprint = l.ca.issue(t, "n2")
	s, err := NewServer(ServerOptions{Certificate: server, CA: l.ca.pool(), Inventory: []node.Node{l.n1, l.n2}, Now: time.Now, Node: fakeNode{}})
	if err != nil {
		t.Fatal(err)
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	go s.ServeTLS(listener, "", "")
	t.Cleanup(func() { s.Close() })
	l.addr = listener.Addr().String()
	return l
}

func (l lab) client(node node.Node, certs ...tls.Certificate) *Client {
	return NewClient(&tls.Config{RootCAs: l.ca.pool(), Certificates: certs}, node, l.addr, rand.Reader)
}

func TestCalls(t *testing.T) {
	l := newLab(t)
	ctx := context.Background()
	operator, _ := l.ca.issue(t, OperatorCN)
	for name, c := range map[string]*Client{"a node": l.client(l.n1, l.caller), "the operator": l.client(node.Node{Name: "n1"}, operator)} {
		if d, err := c.Status(ctx); err != nil || d.Step != "etcd" {
			t.Errorf("%s: status %+v, %v", name, d, err)
		}
	}
	a, err := l.client(l.n1, l.caller).Attest(ctx)
	if err != nil || !a.Formed || !a.HasData || a.Cluster != "demo" || a.Epoch != 1 {
		t.Errorf("attestation %+v, %v", a, err)
	}
}

// TestStrangers: who is not in the inventory by name and key gets nothing; nor does a node trust a stranger.
func TestStrangers(t *testing.T) {
	l := newLab(t)
	otherKey, _ := l.ca.issue(t, "n2")
	unknown, _ := l.ca.issue(t, "n9")
	foreign, _ := newAuthority(t).issue(t, OperatorCN)
	for name, c := range map[string]*Client{
		"no certificate": l.client(l.n1), "a key that is not in the inventory": l.client(l.n1, otherKey),
		"an unknown name": l.client(l.n1, unknown), "an operator of another CA": l.client(l.n1, foreign),
		"another node's name": l.client(node.Node{Name: "n2"}, l.caller), "another key than the inventory's": l.client(node.Node{Name: "n1", Fingerprint: l.n2.Fingerprint}, l.caller),
	} {
		if d, err := c.Status(context.Background()); err == nil {
			t.Errorf("%s: got %+v", name, d)
		}
	}
}

func TestNonce(t *testing.T) {
	l := newLab(t)
	c := l.client(l.n1, l.caller)
	for _, nonce := range []string{"", "abc", strings.Repeat("A", 32), strings.Repeat("a", 200)} {
		if _, err := c.get(context.Background(), attestPath+"?nonce="+nonce); err == nil || !strings.Contains(err.Error(), http.StatusText(400)) {
			t.Errorf("nonce %q: %v", nonce, err)
		}
	}
}

// signed is an attestation of n1, and the arguments with which it verifies.
func signed(t testing.TB) (data []byte, fingerprint, nonce string) {
	t.Helper()
	cert, fingerprint := newAuthority(t).issue(t, "n1")
	nonce = strings.Repeat("ab", 16)
	s, err := Sign(cert.PrivateKey.(*ecdsa.PrivateKey), Attestation{Node: "n1", Cluster: "demo", Epoch: 1, Nonce: nonce})
	if err != nil {
		t.Fatal(err)
	}
	data, err = json.Marshal(s)
	if err != nil {
		t.Fatal(err)
	}
	return data, fingerprint, nonce
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
