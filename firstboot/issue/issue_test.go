package issue

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"math/big"
	"net"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"slipway/node"
)

var (
	now = time.Date(2026, 6, 1, 12, 0, 0, 0, time.UTC)
	w1  = node.Node{Name: "w1", Roles: []node.Role{node.Worker}}
)

func newKey(t *testing.T, curve elliptic.Curve) *ecdsa.PrivateKey {
	t.Helper()
	key, err := ecdsa.GenerateKey(curve, rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return key
}

// newSigner is a CA for clients, and who trusts it.
func newSigner(t *testing.T, end time.Time) (Signer, *x509.CertPool) {
	t.Helper()
	key := newKey(t, elliptic.P256())
	template := &x509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "signer"}, NotBefore: now.AddDate(-1, 0, 0), NotAfter: end,
		IsCA: true, MaxPathLenZero: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth}}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	pool := x509.NewCertPool()
	pool.AddCert(cert)
	return Signer{cert, key}, pool
}

// TestNew: what a worker asks for by its own key it gets, and it is of use for exactly that.
func TestNew(t *testing.T) {
	signer, cas := newSigner(t, now.AddDate(9, 0, 0))
	for _, c := range node.ClientCertificates(w1, node.CNIFlannel) {
		key := newKey(t, elliptic.P256())
		request, err := NewRequest(c, key)
		if err != nil {
			t.Fatal(err)
		}
		grant, err := Decide(w1, node.CNIFlannel, c.Name, request)
		if err != nil {
			t.Errorf("%s: %v", c.Name, err)
			continue
		}
		got, err := signer.Sign(grant, 365*24*time.Hour, now)
		if err != nil {
			t.Fatal(err)
		}
		if err := Check(got, c, key.Public(), cas, now); err != nil {
			t.Errorf("%s: %v", c.Name, err)
		}
		if got.Subject.CommonName != c.User || !slices.Equal(got.Subject.Organization, c.Organization) || got.IsCA || got.DNSNames != nil ||
			!slices.Equal(got.ExtKeyUsage, []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth}) || got.KeyUsage != x509.KeyUsageDigitalSignature ||
			!got.NotBefore.Equal(now.Add(-24*time.Hour)) || !got.NotAfter.Equal(now.Add(365*24*time.Hour)) {
			t.Errorf("%s: %+v", c.Name, got)
		}
		other := newKey(t, elliptic.P256())
		stranger, _ := newSigner(t, now.AddDate(1, 0, 0))
		foreign, err := stranger.Sign(grant, time.Hour, now)
		if err != nil {
			t.Fatal(err)
		}
		for want, err := range map[string]error{
			"it is of another key":                  Check(got, c, other.Public(), cas, now),
			"it is that of":                         Check(got, node.ClientCertificate{User: "x"}, key.Public(), cas, now),
			"unknown authority":                     Check(foreign, c, key.Public(), cas, now),
			"one of the two clocks is wrong":        Check(got, c, key.Public(), cas, now.AddDate(3, 0, 0)),
			"and here it is 2025-06-01T12:00:00Z: ": Check(got, c, key.Public(), cas, now.AddDate(-1, 0, 0)),
		} {
			if err == nil || !strings.Contains(err.Error(), want) {
				t.Errorf("%s: %v, want %q", c.Name, err, want)
			}
		}
	}
}

// TestLife: a short life is not begun long ago, and none outlives its signer.
func TestLife(t *testing.T) {
	grant := Grant{node.ClientCertificate{Name: "kubelet-client", User: "x"}, newKey(t, elliptic.P256()).Public()}
	signer, _ := newSigner(t, now.Add(time.Hour))
	short, err := signer.Sign(grant, 10*time.Minute, now)
	if err != nil || !short.NotBefore.Equal(now.Add(-time.Minute)) || !short.NotAfter.Equal(now.Add(10*time.Minute)) {
		t.Errorf("%+v, %v", short, err)
	}
	long, err := signer.Sign(grant, 48*time.Hour, now)
	if err != nil || !long.NotAfter.Equal(signer.Certificate.NotAfter) {
		t.Errorf("%+v, %v", long, err)
	}
	if short.SerialNumber.Cmp(long.SerialNumber) == 0 {
		t.Error("two certificates have one serial number")
	}
	if _, err := signer.Sign(grant, time.Hour, now.Add(2*time.Hour)); err == nil || !strings.Contains(err.Error(), "the signer itself ended") {
		t.Errorf("by one that ended: %v", err)
	}
}

// TestRefusals: a node gets what the inventory says of it, and nothing for a request that says more, or something else.
func TestRefusals(t *testing.T) {
	key := newKey(t, elliptic.P256())
	rsaKey, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	kubelet := pkix.Name{CommonName: "system:node:w1", Organization: []string{"system:nodes"}}
	with := func(change func(*x509.CertificateRequest)) x509.CertificateRequest {
		r := x509.CertificateRequest{Subject: kubelet}
		change(&r)
		return r
	}
	good := with(func(*x509.CertificateRequest) {})
	plane := node.Node{Name: "w1", Roles: []node.Role{node.ControlPlane}}
	for _, c := range []struct {
		what    string
		from    node.Node
		name    string
		request x509.CertificateRequest
		key     crypto.Signer
		want    string
	}{
		{"another's name", w1, "kubelet-client", with(func(r *x509.CertificateRequest) { r.Subject.CommonName = "system:node:w2" }), key, `common name "system:node:w2" is not "system:node:w1"`},
		{"a control plane's own", w1, "slipwayd-admin", good, key, `node "w1" has no certificate "slipwayd-admin"`},
		{"a name with a path", w1, "../kubelet-client", good, key, "has no certificate"},
		{"flannel where there is none", w1, "flannel", good, key, `has no certificate "flannel"`},
		{"of a node without a kubelet", plane, "kubelet-client", good, key, `has no certificate "kubelet-client"`},
		{"one as the other", w1, "kube-proxy", good, key, `common name "system:node:w1" is not "system:kube-proxy"`},
		{"a group more", w1, "kubelet-client", with(func(r *x509.CertificateRequest) {
			r.Subject.Organization = []string{"system:nodes", "system:masters"}
		}), key, `organization ["system:nodes" "system:masters"] is not`},
		{"another group", w1, "kubelet-client", with(func(r *x509.CertificateRequest) { r.Subject.Organization = []string{"system:masters"} }), key, "organization"},
		{"no group", w1, "kubelet-client", with(func(r *x509.CertificateRequest) { r.Subject.Organization = nil }), key, "organization"},
		{"more in the subject", w1, "kubelet-client", with(func(r *x509.CertificateRequest) { r.Subject.OrganizationalUnit = []string{"x"} }), key, "says more"},
		{"a second common name", w1, "kubelet-client", with(func(r *x509.CertificateRequest) {
			r.Subject.ExtraNames = []pkix.AttributeTypeAndValue{
				{Type: asn1.ObjectIdentifier{2, 5, 4, 10}, Value: "system:nodes"},
				{Type: asn1.ObjectIdentifier{2, 5, 4, 3}, Value: "system:admin"}, {Type: asn1.ObjectIdentifier{2, 5, 4, 3}, Value: "system:node:w1"}}
			r.Subject.Organization, r.Subject.CommonName = nil, ""
		}), key, "says more"},
		{"a host's name", w1, "kubelet-client", with(func(r *x509.CertificateRequest) { r.DNSNames = []string{"w1"} }), key, "extension 2.5.29.17 is not allowed"},
		{"an address", w1, "kubelet-client", with(func(r *x509.CertificateRequest) { r.IPAddresses = []net.IP{{10, 0, 0, 21}} }), key, "extension 2.5.29.17"},
		{"a URI", w1, "kubelet-client", with(func(r *x509.CertificateRequest) { r.URIs = []*url.URL{{Scheme: "a", Host: "b"}} }), key, "extension 2.5.29.17"},
		{"to be a CA", w1, "kubelet-client", with(func(r *x509.CertificateRequest) {
			r.ExtraExtensions = []pkix.Extension{{Id: asn1.ObjectIdentifier{2, 5, 29, 19}, Value: []byte{0x30, 3, 1, 1, 0xff}}}
		}), key, "extension 2.5.29.19"},
		{"an RSA key", w1, "kubelet-client", good, rsaKey, "not an ECDSA key on P-256"},
		{"another curve", w1, "kubelet-client", good, newKey(t, elliptic.P224()), "not an ECDSA key on P-256"},
	} {
		der, err := x509.CreateCertificateRequest(rand.Reader, &c.request, c.key)
		if err != nil {
			t.Fatalf("%s: %v", c.what, err)
		}
		if g, err := Decide(c.from, node.CNIBridge, c.name, der); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %+v, %v, want %q", c.what, g, err, c.want)
		}
	}
	der, err := x509.CreateCertificateRequest(rand.Reader, &good, key)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := Decide(w1, node.CNIBridge, "kubelet-client", der); err != nil {
		t.Errorf("the good one: %v", err)
	}
	der[len(der)-1] ^= 1
	for want, data := range map[string][]byte{"signature": der, "parsing the request": der[:50]} {
		if _, err := Decide(w1, node.CNIBridge, "kubelet-client", data); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("broken: %v, want %q", err, want)
		}
	}
}

// FuzzDecide: no request makes it panic, and what is granted is of the node's name.
func FuzzDecide(f *testing.F) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		f.Fatal(err)
	}
	seed, err := NewRequest(node.ClientCertificates(w1, node.CNIBridge)[1], key)
	if err != nil {
		f.Fatal(err)
	}
	f.Add(seed)
	f.Add([]byte{})
	f.Fuzz(func(t *testing.T, request []byte) {
		if g, err := Decide(w1, node.CNIBridge, "kubelet-client", request); err == nil && (g.User != "system:node:w1" || g.Key == nil) {
			t.Errorf("%+v", g)
		}
	})
}
