package pki

import (
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"net"
	"strings"
	"testing"
	"time"

	"slipway/node"
)

// A real handshake: the operator against a node's peer certificate, both ways verified.
func TestOperatorTLS(t *testing.T) {
	now := time.Now()
	store := Memory{}
	if _, err := Init(store, "demo", now); err != nil {
		t.Fatal(err)
	}
	p, err := Open(store, now)
	if err != nil {
		t.Fatal(err)
	}
	set := mustIssue(t, p, inventory())
	pair := set.pair(t, "w1", node.CertPeer)
	cert, err := tls.X509KeyPair(pair.CertPEM, pair.KeyPEM)
	if err != nil {
		t.Fatal(err)
	}
	pool := x509.NewCertPool()
	pool.AppendCertsFromPEM(nodeFile(t, set, "w1", "slipway-ca.crt"))
	clientCfg, err := p.OperatorTLS()
	if err != nil {
		t.Fatal(err)
	}
	clientCfg.ServerName = "w1"
	serverEnd, clientEnd := net.Pipe()
	srv := tls.Server(serverEnd, &tls.Config{Certificates: []tls.Certificate{cert}, ClientCAs: pool, ClientAuth: tls.RequireAndVerifyClientCert})
	done := make(chan error, 1)
	go func() { done <- srv.Handshake() }()
	if err := tls.Client(clientEnd, clientCfg).Handshake(); err != nil {
		t.Fatal(err)
	}
	if err := <-done; err != nil {
		t.Fatal(err)
	}
	if cn := srv.ConnectionState().PeerCertificates[0].Subject.CommonName; cn != node.OperatorName {
		t.Errorf("the node sees %q", cn)
	}
}

func TestKubeconfig(t *testing.T) {
	out, err := mustInit(t, Memory{}).Kubeconfig("demo", "https://10.0.0.10:8443")
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"server: https://10.0.0.10:8443", "current-context: demo", "user: demo-admin"} {
		if !strings.Contains(string(out), want) {
			t.Errorf("no %q in\n%s", want, out)
		}
	}
	if block, _ := pem.Decode(out); block != nil {
		t.Error("PEM in the kubeconfig, want base64")
	}
}
