package main

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"slipway/cluster"
	"slipway/cluster/ignition"
	"slipway/cluster/pki"
	"slipway/firstboot/peer"
	"slipway/firstboot/status"
	"slipway/node"
)

const statusSpec = `cluster:
  name: demo
network:
  gateway: 10.0.0.1
nodes:
- name: n1
  roles: [etcd, control-plane, worker]
  address: 10.0.0.11/24
- name: n2
  roles: [worker]
  address: 10.0.0.12/24
`

// statusNode is a node of the test: its document may change while it is asked, and nothing else is asked for.
type statusNode struct {
	peer.Node
	mu    sync.Mutex
	doc   status.Document
	asked func() // is called at the first question; may be nil
}

func (n *statusNode) Status(peer.Caller) status.Document {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.asked != nil {
		n.asked()
		n.asked = nil
	}
	return n.doc
}

func (n *statusNode) set(d status.Document) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.doc = d
}

// statusLab writes a spec with its secrets and serves n1's peer API with n1's own certificate.
func statusLab(t *testing.T) (specPath, addr string, node *statusNode) {
	t.Helper()
	return labWith(t, func(*peer.ServerOptions, map[string][]byte) {})
}

// labWith is statusLab with a server that the test changes, knowing the files that the node has of the PKI, by path.
func labWith(t *testing.T, change func(*peer.ServerOptions, map[string][]byte)) (specPath, addr string, node *statusNode) {
	t.Helper()
	specPath = filepath.Join(t.TempDir(), "cluster.yaml")
	if err := os.WriteFile(specPath, []byte(statusSpec), 0o644); err != nil {
		t.Fatal(err)
	}
	if code, out := slipway(t, "pki", "init", "-f", specPath); code != exitOK {
		t.Fatal(out)
	}
	loaded, err := cluster.Load(specPath)
	if err != nil {
		t.Fatal(err)
	}
	p, dir, err := (&clusterOptions{spec: specPath}).openPKI()
	if err != nil {
		t.Fatal(err)
	}
	defer dir.Close()
	all, set, err := ignition.Contracts(loaded.Spec, p)
	if err != nil {
		t.Fatal(err)
	}
	node = &statusNode{}
	o, files := serverOptions(t, set, all[0], node)
	change(&o, files)
	server, err := peer.NewServer(o)
	if err != nil {
		t.Fatal(err)
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	go server.Serve(listener)
	t.Cleanup(func() { server.Close() })
	return specPath, listener.Addr().String(), node
}

// serverOptions are a node's own, from the files that its Ignition config would bring.
func serverOptions(t *testing.T, set *pki.Set, cfg *node.Config, api peer.Node) (peer.ServerOptions, map[string][]byte) {
	t.Helper()
	files := map[string][]byte{} // by path
	list, err := set.Files(cfg.Self())
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range list {
		files[f.Path] = f.Content
	}
	pair, err := tls.X509KeyPair(files[node.PKIDir+"/"+node.CertPeer+".crt"], files[node.PKIDir+"/"+node.CertPeer+".key"])
	if err != nil {
		t.Fatal(err)
	}
	pool := x509.NewCertPool()
	if !pool.AppendCertsFromPEM(files[node.PKIDir+"/"+node.CAPeer+".crt"]) {
		t.Fatal("no peer CA")
	}
	return peer.ServerOptions{Certificate: pair, CA: pool, Config: cfg, Clock: peer.Clock{Now: time.Now}, Node: api}, files
}

// slipway runs a command line and gives its exit code and all that it printed.
func slipway(t *testing.T, args ...string) (int, string) {
	t.Helper()
	var out bytes.Buffer
	code := run(context.Background(), args, strings.NewReader(""), &out, &out)
	return code, out.String()
}

var etcdWaits = status.Document{
	Node: "n1", Step: "etcd", State: status.Waiting, WaitingFor: "2 of 3 etcd nodes", Since: time.Date(2026, 6, 1, 0, 0, 0, 0, time.UTC), LastError: "first\nhint",
}

func TestStatus(t *testing.T) {
	spec, addr, node := statusLab(t)
	node.set(etcdWaits)
	code, out := slipway(t, "status", "-f", spec, "n1", "--address", addr)
	want := "NODE  ROLES                      STEP  STATE    SINCE                 WAITING FOR        LAST ERROR\n" +
		"n1    etcd,control-plane,worker  etcd  waiting  2026-06-01T00:00:00Z  2 of 3 etcd nodes  first; hint\n"
	if code != exitOK || out != want {
		t.Errorf("exit %d:\n%swant:\n%s", code, out, want)
	}
	code, out = slipway(t, "status", "-f", spec, "n1", "--address", addr, "--json")
	var docs []status.Document
	if err := json.Unmarshal([]byte(out), &docs); err != nil || code != exitOK || strings.Count(out, "\n") != 1 || docs[0].Step != "etcd" {
		t.Errorf("exit %d, %v: %s", code, err, out)
	}
	noted := etcdWaits
	noted.Notices = []status.Notice{{Kind: "peer", Name: "n2", Text: "its key is not\nthe one"}}
	node.set(noted)
	if code, out = slipway(t, "status", "-f", spec, "n1", "--address", addr); code != exitOK || out != want+"n1: peer n2: its key is not; the one\n" {
		t.Errorf("exit %d:\n%s", code, out)
	}
	code, out = slipway(t, "status", "-f", spec, "--address", "n1="+addr, "--address", "n2=127.0.0.1:1")
	if code != exitFailed || !strings.Contains(out, "n2    worker                     -     no answer  -") || !strings.Contains(out, "no answer from n2") {
		t.Errorf("exit %d: %s", code, out)
	}
}
