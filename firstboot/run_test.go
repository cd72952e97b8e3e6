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
	"errors"
	"io"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"slipway/firstboot/journal"
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
			console := consoleFiles(t, root, "ttyS0")["ttyS0"]
			err := Run(context.Background(), Options{Root: root, Log: io.Discard, Now: time.Now})
			if err == nil || !strings.Contains(err.Error(), test.want) {
				t.Fatalf("error %v, want %q in it", err, test.want)
			}
			text, err := os.ReadFile(console)
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

// TestForeignIdentity: a machine with the certificate of another node, or another key, says so on the console and starts nothing.
func TestForeignIdentity(t *testing.T) {
	for name, want := range map[string]string{"n2": `certificate "slipwayd": it is that of "n2"`, "n1": `certificate "slipwayd": its key is not the one`} {
		root, cfg, ca := t.TempDir(), single(t), newCA(t)
		writeIdentity(t, Prefix(root), cfg, ca, ca.issue(t, name))
		console := consoleFiles(t, root, "ttyS0")["ttyS0"]
		if err := Run(t.Context(), Options{Root: root, Log: io.Discard, Random: rand.Reader, Now: time.Now}); err == nil {
			t.Fatalf("it runs with the certificate of %s", name)
		}
		text, err := os.ReadFile(console)
		if d, ok := status.ParseLine(string(text)); err != nil || !ok || d.Node != "n1" || d.State != status.Failed || !strings.Contains(d.LastError, want) {
			t.Errorf("console: %s, %v", text, err)
		}
	}
}

// TestPortInUse: a daemon whose port another program holds says so on the console before it ends.
func TestPortInUse(t *testing.T) {
	root, cfg, ca := t.TempDir(), single(t), newCA(t)
	pair := ca.issue(t, "n1")
	cfg.Nodes[0].Fingerprint = peer.Fingerprint(pair.Leaf.RawSubjectPublicKeyInfo)
	writeIdentity(t, Prefix(root), cfg, ca, pair)
	console := consoleFiles(t, root, "ttyS0")["ttyS0"]
	other, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer other.Close()
	err = Run(t.Context(), Options{Root: root, Listen: other.Addr().String(), Log: io.Discard, Random: rand.Reader, Now: time.Now})
	if !errors.Is(err, syscall.EADDRINUSE) {
		t.Fatalf("error %v", err)
	}
	text, err := os.ReadFile(console)
	if err != nil {
		t.Fatal(err)
	}
	d, ok := status.ParseLine(string(text))
	if !ok || d.Node != "n1" || d.State != status.Failed || d.Step != "peer-api" || !strings.Contains(d.LastError, "opening the peer API") {
		t.Errorf("console: %s", text)
	}
}

// consoleFiles makes files that stand for the kernel's consoles, and gives their paths.
func consoleFiles(t *testing.T, root string, names ...string) map[string]string {
	t.Helper()
	files := Prefix(root)
	paths := map[string]string{}
	for _, dir := range []string{filepath.Dir(activeConsoles), "/dev"} {
		if err := files.MkdirAll(dir, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	for _, name := range names {
		paths[name] = files.path("/dev/" + name)
		if err := os.WriteFile(paths[name], nil, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.WriteFile(files.path(activeConsoles), []byte(strings.Join(names, " ")+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	return paths
}

// TestConsoles: all that the kernel writes to, or the one that there always is.
func TestConsoles(t *testing.T) {
	root := t.TempDir()
	if got := consoles(Prefix(root)); strings.Join(got, " ") != "/dev/console" {
		t.Errorf("without a list: %q", got)
	}
	consoleFiles(t, root, "tty0", "ttyS0")
	if got := consoles(Prefix(root)); strings.Join(got, " ") != "/dev/tty0 /dev/ttyS0" {
		t.Errorf("got %q", got)
	}
}

// daemonLab is the real daemon in a folder, with no program to be found, and the operator.
type daemonLab struct {
	root   string
	cfg    *node.Config
	ca     testCA
	client *peer.Client
	stop   func() error // and what Run returned
}

// startDaemon runs the daemon with a clock that is so many years off.
func startDaemon(t *testing.T, years int, prepare func(root string)) daemonLab {
	t.Helper()
	t.Setenv("PATH", t.TempDir())
	l := daemonLab{root: t.TempDir(), cfg: single(t), ca: newCA(t)}
	pair, operator := l.ca.issue(t, "n1"), l.ca.issue(t, node.OperatorName)
	l.cfg.Nodes[0].Fingerprint = peer.Fingerprint(pair.Leaf.RawSubjectPublicKeyInfo)
	l.cfg.Operator = peer.Fingerprint(operator.Leaf.RawSubjectPublicKeyInfo)
	writeIdentity(t, Prefix(l.root), l.cfg, l.ca, pair)
	prepare(l.root)
	address := freeAddress(t)
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() {
		ended <- Run(ctx, Options{Root: l.root, Listen: address, Log: io.Discard, Random: rand.Reader,
			Now: func() time.Time { return time.Now().AddDate(years, 0, 0) }})
	}()
	l.stop = sync.OnceValue(func() error {
		cancel()
		return <-ended
	})
	t.Cleanup(func() { l.stop() })
	l.client = peer.NewClient(l.trusting(operator), l.cfg.Cluster, l.cfg.Nodes[0], address, rand.Reader)
	return l
}

// trusting is a caller's side of TLS.
func (l daemonLab) trusting(pair tls.Certificate) *tls.Config {
	pool := x509.NewCertPool()
	pool.AddCert(l.ca.cert)
	return &tls.Config{RootCAs: pool, Certificates: []tls.Certificate{pair}}
}

func writeIdentity(t *testing.T, files Prefix, cfg *node.Config, ca testCA, pair tls.Certificate) {
	t.Helper()
	text, err := cfg.Marshal()
	if err != nil {
		t.Fatal(err)
	}
	key, err := x509.MarshalPKCS8PrivateKey(pair.PrivateKey)
	if err != nil {
		t.Fatal(err)
	}
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
}

// failing asks until the status tells of a failure.
func (l daemonLab) failing(t *testing.T) status.Document {
	t.Helper()
	var d status.Document
	var err error
	for end := time.Now().Add(20 * time.Second); d.LastError == "" && time.Now().Before(end); time.Sleep(100 * time.Millisecond) {
		d, err = l.client.Status(context.Background())
	}
	if err != nil || d.LastError == "" {
		t.Fatalf("status %+v, %v", d, err)
	}
	return d
}

// TestDaemon: it writes what it can, serves its status to the operator, tells of strangers and ends when it is told to.
// One console has been stopped before it started, as by XOFF: nobody reads from the pipe, so that opening it for writing
// never ends.
func TestDaemon(t *testing.T) {
	var consoles map[string]string
	l := startDaemon(t, 0, func(root string) {
		consoles = consoleFiles(t, root, "tty0", "ttyS0")
		os.Remove(consoles["ttyS0"])
		if err := syscall.Mkfifo(consoles["ttyS0"], 0o600); err != nil {
			t.Fatal(err)
		}
		half := filepath.Join(root, "/var/lib/slipway/.slipway-123")
		if err := errors.Join(os.MkdirAll(filepath.Dir(half), 0o700), os.WriteFile(half, []byte("half"), 0o600)); err != nil {
			t.Fatal(err)
		}
	})
	if d := l.failing(t); d.Step != "apilb" || !strings.Contains(d.LastError, "systemctl") || len(d.Notices) > 0 {
		t.Errorf("status %+v", d)
	}
	if a, err := l.client.Attest(context.Background(), peer.Testimony{}); err != nil || a.Cluster != "demo" || a.Formed || a.HasData || a.Unsure {
		t.Errorf("attestation %+v, %v", a, err)
	}
	if _, err := os.Stat(filepath.Join(l.root, "/etc/containerd/config.toml")); err != nil {
		t.Error(err)
	}
	if left, _ := filepath.Glob(filepath.Join(l.root, "/var/lib/slipway/.slipway-*")); len(left) > 0 {
		t.Errorf("left over: %q", left)
	}
	if err := l.stop(); err != nil {
		t.Errorf("ended with %v", err)
	}
	if text, err := os.ReadFile(consoles["tty0"]); err != nil || bytes.Contains(text, []byte("PRIVATE")) || !bytes.Contains(text, []byte(status.Prefix)) {
		t.Errorf("console %s, %v", text, err)
	}
}

// TestDaemonClock: with a clock that is ten years off, either way, the status is served and says so.
func TestDaemonClock(t *testing.T) {
	for years, want := range map[int]string{-10: "the clock is before 2026-01-02T00:00:00Z", 10: `the clock is past 2`} {
		l := startDaemon(t, years, func(root string) { consoleFiles(t, root, "ttyS0") })
		if d := l.failing(t); d.Step != "time-gate" || !strings.HasPrefix(d.LastError, want) {
			t.Errorf("%d years off: %+v", years, d)
		}
		l.stop()
	}
}

// TestDaemonTells: what is wrong with the journal and with callers is in the status, by name.
func TestDaemonTells(t *testing.T) {
	l := startDaemon(t, 0, func(root string) {
		consoleFiles(t, root, "ttyS0")
		if err := errors.Join(Prefix(root).MkdirAll("/var/lib/slipway", 0o700), os.WriteFile(filepath.Join(root, journal.Path), []byte("?"), 0o600)); err != nil {
			t.Fatal(err)
		}
	})
	l.failing(t)
	stranger := peer.NewClient(l.trusting(l.ca.issue(t, "n9")), l.cfg.Cluster, l.cfg.Nodes[0], l.client.Address(), rand.Reader)
	if d, err := stranger.Status(context.Background()); err == nil {
		t.Fatalf("a stranger got %+v", d)
	}
	d := l.failing(t)
	if len(d.Notices) != 2 || d.Notices[0] != (status.Notice{Kind: "caller", Name: "127.0.0.1", Text: `"n9" is not in the inventory, and has not introduced itself`}) || !strings.Contains(d.Notices[1].Text, journal.Path+".unreadable-1") {
		t.Errorf("notices %+v", d.Notices)
	}
	if a, err := l.client.Attest(context.Background(), peer.Testimony{}); err != nil || !a.Unsure {
		t.Errorf("attestation %+v, %v", a, err)
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
	return c.issueUntil(t, name, time.Now().Add(time.Hour))
}

func (c testCA) issueUntil(t *testing.T, name string, end time.Time) tls.Certificate {
	t.Helper()
	cert, key := sign(t, &x509.Certificate{SerialNumber: big.NewInt(2), Subject: pkix.Name{CommonName: name}, DNSNames: []string{name}, NotAfter: end,
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
