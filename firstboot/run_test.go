package firstboot

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"io"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"slipway/firstboot/peer"
	"slipway/firstboot/status"
	"slipway/node"
)

// TestEmergency: a node that cannot begin says why on the console and ends, so that systemd tries again.
func TestEmergency(t *testing.T) {
	for _, test := range []struct {
		name, node, want string
	}{
		{"missing", "", "reading node config"},
		{"broken", `{"version":1,`, "/etc/slipway/node.json"},
		{"other version", `{"version":99}`, "version 99"},
	} {
		t.Run(test.name, func(t *testing.T) {
			root := t.TempDir()
			if test.node != "" {
				path := filepath.Join(root, node.Path)
				if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
					t.Fatal(err)
				}
				if err := os.WriteFile(path, []byte(test.node), 0o600); err != nil {
					t.Fatal(err)
				}
			}
			var log bytes.Buffer
			err := Run(context.Background(), Options{Root: root, Console: "/console", Log: &log, Now: time.Now})
			if err == nil || !strings.Contains(err.Error(), test.want) {
				t.Fatalf("error %v, want %q in it", err, test.want)
			}
			text, err := os.ReadFile(filepath.Join(root, "console"))
			if err != nil {
				t.Fatal(err)
			}
			d, ok := status.ParseLine(string(text))
			if !ok || d.State != status.Failed || d.Step != "config" || !strings.Contains(d.LastError, test.want) {
				t.Errorf("console: %s", text)
			}
		})
	}
}

// TestDaemon runs the real daemon in a folder, with no program to be found: it is ready, writes what it can, serves its
// status to the operator and ends when it is told to.
func TestDaemon(t *testing.T) {
	t.Setenv("PATH", t.TempDir())
	cfg, root := single(t), t.TempDir()
	ca := newCA(t)
	pair := ca.issue(t, "n1")
	cfg.Nodes[0].Fingerprint = peer.Fingerprint(pair.Leaf.RawSubjectPublicKeyInfo)
	text, err := cfg.Marshal()
	if err != nil {
		t.Fatal(err)
	}
	key, err := x509.MarshalPKCS8PrivateKey(pair.PrivateKey)
	if err != nil {
		t.Fatal(err)
	}
	files := Prefix(root)
	for name, data := range map[string][]byte{
		node.Path: text, node.PKIDir + "/slipway-ca.crt": pemBlock("CERTIFICATE", ca.cert.Raw),
		node.PKIDir + "/slipwayd.crt": pemBlock("CERTIFICATE", pair.Leaf.Raw), node.PKIDir + "/slipwayd.key": pemBlock("PRIVATE KEY", key),
	} {
		if err := files.MkdirAll(filepath.Dir(name), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := files.WriteFile(name, data, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	address := freeAddress(t)
	ctx, stop := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() {
		ended <- Run(ctx, Options{Root: root, Console: "/console", Listen: address, Log: io.Discard, Now: time.Now, Random: rand.Reader})
	}()
	pool := x509.NewCertPool()
	pool.AddCert(ca.cert)
	operator := &tls.Config{RootCAs: pool, Certificates: []tls.Certificate{ca.issue(t, peer.OperatorCN)}}
	client := peer.NewClient(operator, cfg.Nodes[0], address, rand.Reader)
	var d status.Document
	for end := time.Now().Add(10 * time.Second); d.LastError == "" && time.Now().Before(end); time.Sleep(20 * time.Millisecond) {
		d, err = client.Status(ctx)
	}
	if err != nil || d.Step != "files" || !strings.Contains(d.LastError, "systemctl") {
		t.Errorf("status %+v, %v", d, err)
	}
	if a, err := client.Attest(ctx); err != nil || a.Cluster != "demo" || a.Formed || a.HasData {
		t.Errorf("attestation %+v, %v", a, err)
	}
	if _, err := files.Stat("/etc/containerd/config.toml"); err != nil {
		t.Error(err)
	}
	stop()
	if err := <-ended; err != nil {
		t.Errorf("ended with %v", err)
	}
	if console, err := files.ReadFile("/console"); err != nil || bytes.Contains(console, []byte("PRIVATE")) || !bytes.Contains(console, []byte(status.Prefix)) {
		t.Errorf("console %s, %v", console, err)
	}
}

func freeAddress(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().String()
}

func pemBlock(kind string, der []byte) []byte {
	return pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der})
}

// testCA is a peer CA for one test.
type testCA struct {
	cert *x509.Certificate
	key  *ecdsa.PrivateKey
}

func newCA(t *testing.T) testCA {
	t.Helper()
	template := &x509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "peer CA"}, NotAfter: time.Now().Add(time.Hour),
		IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign}
	cert, key := sign(t, template, template, nil)
	return testCA{cert, key}
}

func (c testCA) issue(t *testing.T, name string) tls.Certificate {
	t.Helper()
	cert, key := sign(t, &x509.Certificate{SerialNumber: big.NewInt(2), Subject: pkix.Name{CommonName: name}, DNSNames: []string{name}, NotAfter: time.Now().Add(time.Hour),
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth}}, c.cert, c.key)
	return tls.Certificate{Certificate: [][]byte{cert.Raw}, PrivateKey: key, Leaf: cert}
}

// sign makes a certificate with a new key; without an issuer's key it signs itself.
func sign(t *testing.T, template, issuer *x509.Certificate, by *ecdsa.PrivateKey) (*x509.Certificate, *ecdsa.PrivateKey) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	if by == nil {
		by = key
	}
	der, err := x509.CreateCertificate(rand.Reader, template, issuer, key.Public(), by)
	if err != nil {
		t.Fatal(err)
	}
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	return cert, key
}

// TestNotify: systemd gets one datagram; without systemd nothing is sent.
func TestNotify(t *testing.T) {
	path := filepath.Join(t.TempDir(), "notify")
	socket, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: path, Net: "unixgram"})
	if err != nil {
		t.Fatal(err)
	}
	defer socket.Close()
	if err := notify(path, "READY=1"); err != nil {
		t.Fatal(err)
	}
	buf := make([]byte, 64)
	n, err := socket.Read(buf)
	if err != nil || string(buf[:n]) != "READY=1" {
		t.Errorf("got %q, %v", buf[:n], err)
	}
	if err := notify("", "READY=1"); err != nil {
		t.Error(err)
	}
	if err := notify(path+".gone", "READY=1"); err == nil {
		t.Error("a socket that is not there took a message")
	}
}

// TestBackoff: retries slow down and never stop.
func TestBackoff(t *testing.T) {
	for tries, want := range map[int]time.Duration{1: time.Second, 2: 2 * time.Second, 4: 8 * time.Second, 5: 10 * time.Second, 1000: 10 * time.Second} {
		if got := backoff(tries); got != want {
			t.Errorf("backoff(%d) = %s, want %s", tries, got, want)
		}
	}
}
