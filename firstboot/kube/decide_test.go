package kube

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"net"
	"net/netip"
	"net/url"
	"slices"
	"strings"
	"testing"

	"slipway/node"
)

var inventory = []node.Node{
	{Name: "cp1", Roles: []node.Role{node.Etcd, node.ControlPlane}, Address: netip.MustParsePrefix("10.0.0.11/24")},
	{Name: "w1", Roles: []node.Role{node.Worker}, Address: netip.MustParsePrefix("10.0.0.21/24")},
	{Name: "w2", Roles: []node.Role{node.Worker}, Address: netip.MustParsePrefix("10.0.0.22/24")},
}

// request is what the kubelet of w1 asks for, changed.
func request(t testing.TB, change func(*x509.CertificateRequest)) []byte {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	r := &x509.CertificateRequest{
		Subject:  pkix.Name{CommonName: "system:node:w1", Organization: []string{"system:nodes"}},
		DNSNames: []string{"w1"}, IPAddresses: []net.IP{net.ParseIP("10.0.0.21")},
	}
	if change != nil {
		change(r)
	}
	der, err := x509.CreateCertificateRequest(rand.Reader, r, key)
	if err != nil {
		t.Fatal(err)
	}
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE REQUEST", Bytes: der})
}

func good(t testing.TB) CSR {
	return CSR{Spec: CSRSpec{
		Request: request(t, nil), SignerName: SignerKubeletServing, Username: "system:node:w1",
		Usages: []string{"digital signature", "server auth"}, Groups: []string{"system:nodes", "system:authenticated"},
	}}
}

func TestDecide(t *testing.T) {
	asks := func(change func(*x509.CertificateRequest)) func(*CSR) {
		return func(c *CSR) { c.Spec.Request = request(t, change) }
	}
	for _, test := range []struct {
		name   string
		change func(*CSR)
		want   string // in the refusal; empty: approved
	}{
		{"as kubelets ask", func(*CSR) {}, ""},
		{"RSA keys are enciphered to", func(c *CSR) { c.Spec.Usages = append(c.Spec.Usages, "key encipherment") }, ""},
		{"address only", asks(func(r *x509.CertificateRequest) { r.DNSNames = nil }), ""},
		{"name only", asks(func(r *x509.CertificateRequest) { r.IPAddresses = nil }), ""},
		{"other signer", func(c *CSR) { c.Spec.SignerName = "kubernetes.io/kube-apiserver-client-kubelet" }, "signer"},
		{"no node", func(c *CSR) { c.Spec.Username = "admin" }, "no node of the inventory"},
		{"unknown node", func(c *CSR) { c.Spec.Username = "system:node:w9" }, "no node of the inventory"},
		{"empty node", func(c *CSR) { c.Spec.Username = "system:node:" }, "no node of the inventory"},
		{"node without a kubelet", func(c *CSR) { c.Spec.Username = "system:node:cp1" }, "runs no kubelet"},
		{"not in the group", func(c *CSR) { c.Spec.Groups = []string{"system:authenticated"} }, "group"},
		{"client usage", func(c *CSR) { c.Spec.Usages = append(c.Spec.Usages, "client auth") }, `"client auth"`},
		{"CA usage", func(c *CSR) { c.Spec.Usages = append(c.Spec.Usages, "cert sign") }, `"cert sign"`},
		{"no usage", func(c *CSR) { c.Spec.Usages = nil }, "missing"},
		{"for another node", func(c *CSR) { c.Spec.Username = "system:node:w2" }, "common name"},
		{"other common name", asks(func(r *x509.CertificateRequest) { r.Subject.CommonName = "system:node:w2" }), "common name"},
		{"masters", asks(func(r *x509.CertificateRequest) { r.Subject.Organization = []string{"system:masters"} }), "organization"},
		{"masters too", asks(func(r *x509.CertificateRequest) {
			r.Subject.Organization = []string{"system:nodes", "system:masters"}
		}), "organization"},
		{"foreign name", asks(func(r *x509.CertificateRequest) { r.DNSNames = []string{"w1", "api.example.com"} }), `"api.example.com"`},
		{"other node's name", asks(func(r *x509.CertificateRequest) { r.DNSNames = []string{"w2"} }), `"w2"`},
		{"wildcard", asks(func(r *x509.CertificateRequest) { r.DNSNames = []string{"*"} }), `"*"`},
		{"foreign address", asks(func(r *x509.CertificateRequest) { r.IPAddresses = append(r.IPAddresses, net.ParseIP("10.96.0.1")) }), "10.96.0.1"},
		{"no names", asks(func(r *x509.CertificateRequest) { r.DNSNames, r.IPAddresses = nil, nil }), "neither"},
		{"e-mail", asks(func(r *x509.CertificateRequest) { r.EmailAddresses = []string{"a@b.c"} }), "e-mail"},
		{"URI", asks(func(r *x509.CertificateRequest) { r.URIs = []*url.URL{{Scheme: "spiffe", Host: "x"}} }), "URIs"},
		{"no PEM", func(c *CSR) { c.Spec.Request = []byte("hello") }, "PEM"},
		{"two requests", func(c *CSR) { c.Spec.Request = append(c.Spec.Request, c.Spec.Request...) }, "PEM"},
		{"broken", func(c *CSR) {
			c.Spec.Request = pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE REQUEST", Bytes: []byte("x")})
		}, "parsing"},
	} {
		t.Run(test.name, func(t *testing.T) {
			csr := good(t)
			test.change(&csr)
			err := Decide(csr, find)
			if (err == nil) != (test.want == "") || err != nil && !strings.Contains(err.Error(), test.want) {
				t.Errorf("error %v, want %q", err, test.want)
			}
		})
	}
}

// find knows the inventory.
func find(name string) (node.Node, bool) {
	i := slices.IndexFunc(inventory, func(n node.Node) bool { return n.Name == name })
	if i < 0 {
		return node.Node{}, false
	}
	return inventory[i], true
}

// TestTampered: a request whose signature does not fit is somebody else's.
func TestTampered(t *testing.T) {
	csr := good(t)
	block, _ := pem.Decode(csr.Spec.Request)
	block.Bytes[len(block.Bytes)-1] ^= 1
	csr.Spec.Request = pem.EncodeToMemory(block)
	if err := Decide(csr, find); err == nil {
		t.Error("approved")
	}
}

// FuzzDecide: nothing that is not a request is ever approved, and nothing makes it panic.
func FuzzDecide(f *testing.F) {
	f.Add([]byte("-----BEGIN CERTIFICATE REQUEST-----\nAAAA\n-----END CERTIFICATE REQUEST-----\n"))
	f.Add(request(f, nil))
	f.Fuzz(func(t *testing.T, data []byte) {
		csr := good(t)
		csr.Spec.Request = data
		if Decide(csr, find) != nil {
			return
		}
		block, _ := pem.Decode(data)
		r, err := x509.ParseCertificateRequest(block.Bytes)
		if err != nil || r.Subject.CommonName != "system:node:w1" {
			t.Errorf("approved %+v, %v", r, err)
		}
	})
}
