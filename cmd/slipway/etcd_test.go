package main

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"net/http"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"slipway/cluster"
	"slipway/cluster/pki"
	"slipway/imagebuild/payload"
	"slipway/internal/durable"
	"slipway/internal/testtool"
	"slipway/node"
	"slipway/roles"
)

// etcdAddress is the member's: a loopback address that nobody else is likely to use.
const etcdAddress = "127.0.77.1"

// TestEtcdPorts starts the etcd that builds put into images as its unit would, and asks all of its ports with every
// certificate that a control plane has.
func TestEtcdPorts(t *testing.T) {
	cfg := etcdContract()
	dir := t.TempDir()
	roots := layOutPKI(t, cfg, dir)
	startEtcd(t, builtEtcd(t, cfg), cfg, dir)
	for _, c := range []struct {
		cert         string
		client, peer bool
	}{
		{node.CertEtcdPeer, false, true},
		{node.CertEtcdCli, true, false},
		{node.CertAPIKubelet, false, false},
	} {
		pair, err := tls.LoadX509KeyPair(filepath.Join(dir, c.cert+".crt"), filepath.Join(dir, c.cert+".key"))
		if err != nil {
			t.Fatal(err)
		}
		for _, port := range []string{"2379", "2381/health"} {
			if err := getEtcd(roots, pair, port); (err == nil) != c.client {
				t.Errorf("%s at the client port %s: %v, want it let in: %v", c.cert, port, err, c.client)
			}
		}
		if err := getEtcd(roots, pair, "2380/version"); (err == nil) != c.peer {
			t.Errorf("%s at the peer port: %v, want it let in: %v", c.cert, err, c.peer)
		}
	}
}

// builtEtcd is an etcd of the payload cache: where payloads are built for real, and in CI, the one of the contract's
// Kubernetes, which is compiled if it is not there; else the last one that a build left.
func builtEtcd(t *testing.T, cfg *node.Config) string {
	t.Helper()
	cache := os.Getenv("SLIPWAY_TEST_PAYLOAD_CACHE")
	forReal := cache != "" || os.Getenv("CI") != ""
	if cache == "" {
		base, err := os.UserCacheDir()
		if err != nil {
			t.Fatal(err)
		}
		cache = filepath.Join(base, "slipway", "payloads")
	}
	if forReal {
		return buildEtcd(t, cache, cfg.Versions.Kubernetes)
	}
	found, _ := filepath.Glob(filepath.Join(cache, "etcd-*", "etcd"))
	if len(found) == 0 {
		testtool.Missing(t, "no etcd was built yet: slipway build makes one")
	}
	return found[len(found)-1]
}

func buildEtcd(t *testing.T, cache, kubernetes string) string {
	t.Helper()
	host, err := payload.Probe(t.Context(), payload.Exec{}, os.Environ(), t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	sum, err := durable.Digest("/proc/self/exe")
	if err != nil {
		t.Fatal(err)
	}
	host.Slipwayd, host.SlipwaydSHA256 = "/proc/self/exe", sum
	items, err := payload.Plan(&cluster.Spec{Kubernetes: cluster.Kubernetes{Version: kubernetes}}, host)
	if err != nil {
		t.Fatal(err)
	}
	i := slices.IndexFunc(items, func(item payload.Item) bool { return item.Name == "etcd" })
	env := payload.Env{Run: payload.Exec{}, CacheDir: cache, Environ: os.Environ(), Now: time.Now}
	env.Locks.Wait = func(who string) { t.Logf("waiting for %s", who) } // other tests build into it, too
	res, err := payload.Build(t.Context(), items[i], env)
	if err != nil {
		t.Fatal(err)
	}
	file, ok := res.Program("/usr/bin/etcd")
	if !ok {
		t.Fatalf("no etcd in %v", res.Files)
	}
	return file.HostPath
}

func etcdContract() *node.Config {
	member := node.Node{Name: "n1", Roles: []node.Role{node.Etcd, node.ControlPlane}, Address: netip.MustParsePrefix(etcdAddress + "/8")}
	return &node.Config{
		Version: node.Version, Cluster: node.Cluster{ID: "demo", Name: "demo", Epoch: 1, Domain: "cluster.local"}, Node: "n1", Nodes: []node.Node{member},
		Versions: node.Versions{Kubernetes: "v1.36.3", Kubelet: "v1.36.3", Etcd: "v3.6.16", CoreDNS: "v1.14.1", Pause: "3.10.2"},
		API:      node.API{Mode: node.ModeNone, Host: etcdAddress, Port: node.APIPort},
		Network: node.Network{PodCIDR: netip.MustParsePrefix("10.244.0.0/16"), ServiceCIDR: netip.MustParsePrefix("10.96.0.0/16"),
			APIService: netip.MustParseAddr("10.96.0.1"), DNSService: netip.MustParseAddr("10.96.0.10"), CNI: node.CNIBridge, ProxyMode: node.ProxyNFTables},
		Runtime: node.Runtime{Name: node.RuntimeContainerd},
	}
}

// layOutPKI writes the node's certificates into dir and gives the CAs by which a caller knows either port.
func layOutPKI(t *testing.T, cfg *node.Config, dir string) *x509.CertPool {
	t.Helper()
	store := pki.Memory{}
	if _, err := pki.Init(store, cfg.Cluster.ID, time.Now()); err != nil {
		t.Fatal(err)
	}
	p, err := pki.Open(store, time.Now())
	if err != nil {
		t.Fatal(err)
	}
	set, err := p.Issue(cfg, []string{etcdAddress})
	if err != nil {
		t.Fatal(err)
	}
	files, err := set.Files(cfg.Self())
	if err != nil {
		t.Fatal(err)
	}
	roots := x509.NewCertPool()
	for _, f := range files {
		if err := os.WriteFile(filepath.Join(dir, filepath.Base(f.Path)), f.Content, f.Mode); err != nil {
			t.Fatal(err)
		}
		if strings.HasSuffix(f.Path, "-ca.crt") {
			roots.AppendCertsFromPEM(f.Content)
		}
	}
	return roots
}

var etcdFlag = regexp.MustCompile(`--[a-z0-9-]+=[^ \n]+`)

// startEtcd runs the flags of the rendered unit, with its paths below dir, and waits until it answers.
func startEtcd(t *testing.T, program string, cfg *node.Config, dir string) {
	t.Helper()
	out, err := roles.Render(cfg)
	if err != nil {
		t.Fatal(err)
	}
	var flags []string
	for _, u := range out.Units {
		if u.Name == "etcd.service" {
			text := strings.NewReplacer(node.PKIDir, dir, "/var/lib/etcd", filepath.Join(dir, "data"), ",https://127.0.0.1:2379", "", "127.0.0.1:2381", etcdAddress+":2381").Replace(string(u.Content))
			flags = etcdFlag.FindAllString(text, -1)
		}
	}
	cmd := exec.Command(program, append(flags, "--initial-cluster=n1=https://"+etcdAddress+":2380")...)
	log, err := os.Create(filepath.Join(dir, "log"))
	if err != nil {
		t.Fatal(err)
	}
	cmd.Stdout, cmd.Stderr = log, log
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		cmd.Process.Kill()
		cmd.Wait()
		log.Close()
	})
	for end := time.Now().Add(30 * time.Second); time.Now().Before(end); time.Sleep(100 * time.Millisecond) {
		text, _ := os.ReadFile(log.Name())
		if strings.Contains(string(text), "ready to serve client requests") {
			return
		}
	}
	text, _ := os.ReadFile(log.Name())
	t.Fatalf("etcd is not ready after 30 s:\n%s", text)
}

// getEtcd asks with a certificate; the path begins with the port.
func getEtcd(roots *x509.CertPool, pair tls.Certificate, path string) error {
	transport := &http.Transport{TLSClientConfig: &tls.Config{RootCAs: roots, Certificates: []tls.Certificate{pair}}, ForceAttemptHTTP2: path == "2379"} // which speaks gRPC only
	defer transport.CloseIdleConnections()
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, "https://"+etcdAddress+":"+path, nil)
	if err != nil {
		return err
	}
	resp, err := transport.RoundTrip(req)
	if err != nil {
		return err
	}
	return resp.Body.Close()
}
