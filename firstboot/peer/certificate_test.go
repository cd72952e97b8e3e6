package peer

import (
	"crypto/ecdsa"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"slipway/node"
)

// Issue says who asked for what, but for what it refuses, and what it cannot do yet.
func (fakeNode) Issue(c Caller, r CertificateRequest) ([]byte, error) {
	switch r.Name {
	case "early":
		return nil, fmt.Errorf("%w: the clock is wrong", ErrNotNow)
	case "other":
		return nil, errors.New("it is another's")
	}
	return fmt.Appendf(nil, "%s for %s by %s", r.Name, c.Name, r.Request), nil
}

// controlPlane makes the lab's node one.
func controlPlane(o *ServerOptions) { o.Config.Nodes[0].Roles = []node.Role{node.ControlPlane} }

// TestCertificate: a control plane is asked for the caller's own certificates, so often a caller and no more; strangers and nodes that sign
// nothing give none.
func TestCertificate(t *testing.T) {
	now := time.Now()
	l := newLabWith(t, Clock{Now: func() time.Time { return now }}, controlPlane)
	ask := func(c *Client, name string) string {
		got, err := c.Certificate(t.Context(), CertificateRequest{name, []byte("request")})
		return fmt.Sprint(string(got), err)
	}
	c := l.client(l.n1, l.caller)
	stranger, _ := l.ca.issue(t, "w1")
	other := newLab(t, Clock{Now: time.Now})
	for _, test := range []struct {
		client     *Client
		name, want string
	}{
		{c, "kubelet-client", "kubelet-client for n2 by request<nil>"},
		{c, "early", "503 Service Unavailable: not now: the clock is wrong"},
		{c, "other", "403 Forbidden: it is another's"},
		{c, strings.Repeat("x", maxRequest), "400 Bad Request: reading the request for a certificate"},
		{l.client(l.n1, stranger), "kubelet-client", "401 Unauthorized"},
		{other.client(other.n1, other.caller), "kubelet-client", "404 Not Found"},
	} {
		if got := ask(test.client, test.name); !strings.Contains(got, test.want) {
			t.Errorf("%.20s: %s, want %q", test.name, got, test.want)
		}
	}
	for range certificateBurst {
		ask(c, "kubelet-client")
	}
	if got := ask(c, "kubelet-client"); !strings.Contains(got, http.StatusText(http.StatusTooManyRequests)) {
		t.Errorf("asked too often: %s", got)
	}
	now = now.Add(2 * time.Second)
	if got := ask(c, "kubelet-client"); !strings.Contains(got, "for n2") {
		t.Errorf("2 s later: %s", got)
	}
}

// TestDates: a node that was off for longer than its certificate lasts is known by its key all the same, on both sides of a call.
func TestDates(t *testing.T) {
	l := newLab(t, Clock{Now: time.Now})
	old := l.ended(t, l.caller)
	if d, err := l.client(l.n1, old).Status(t.Context()); err != nil || d.Step != "etcd" {
		t.Errorf("as a caller: %+v, %v", d, err)
	}
	other := l.ca.issueAt(t, "n2", time.Now().Add(-2*time.Hour), time.Now().Add(-time.Hour))
	if d, err := l.client(l.n1, other).Status(t.Context()); err == nil {
		t.Errorf("with another key: %+v", d)
	}
	shown := tls.ConnectionState{PeerCertificates: []*x509.Certificate{old.Leaf}}
	for name, c := range map[string]struct {
		n    node.Node
		ca   *x509.CertPool
		want string
	}{
		"by its key":      {l.n2, l.ca.pool(), ""},
		"by its name":     {node.Node{Name: "n2"}, l.ca.pool(), ""},
		"of another key":  {node.Node{Name: "n2", Fingerprint: l.n1.Fingerprint}, l.ca.pool(), "key"},
		"of another name": {node.Node{Name: "n1"}, l.ca.pool(), "valid for n2"},
		"of another CA":   {l.n2, newAuthority(t).pool(), "unknown authority"},
		"without any CA":  {l.n2, nil, "no peer CA"},
	} {
		if err := checkNode(shown, c.n, c.ca); (err == nil) != (c.want == "") || err != nil && !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v, want %q", name, err, c.want)
		}
	}
}

// ended is a certificate of the same name and key whose time is over.
func (l lab) ended(t *testing.T, c tls.Certificate) tls.Certificate {
	t.Helper()
	template := *c.Leaf
	template.NotBefore, template.NotAfter = time.Now().Add(-2*time.Hour), time.Now().Add(-time.Hour)
	der, err := x509.CreateCertificate(rand.Reader, &template, l.ca.cert, c.Leaf.PublicKey.(*ecdsa.PublicKey), l.ca.key)
	if err != nil {
		t.Fatal(err)
	}
	leaf, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: c.PrivateKey, Leaf: leaf}
}
