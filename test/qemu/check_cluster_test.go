//go:build qemu

package qemu_test

import (
	"crypto/tls"
	"crypto/x509"
	"encoding/base64"
	"io"
	"net/http"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"
)

// What the checks use in the guest: the node's own certificates.
const (
	pkiDir  = "/etc/slipway/pki/"
	etcdctl = "etcdctl --command-timeout=60s --endpoints=https://127.0.0.1:2379 --cacert=" + pkiDir + "etcd-ca.crt --cert=" + pkiDir + "etcd-client.crt --key=" + pkiDir + "etcd-client.key "
	kubectl = "kubectl --server=https://127.0.0.1:6443 --certificate-authority=" + pkiDir + "ca.crt --client-certificate=" + pkiDir + "slipwayd-admin.crt --client-key=" + pkiDir + "slipwayd-admin.key "
)

// checkEtcd: healthy over TLS; without TLS or without a certificate nobody is served.
func checkEtcd(t *testing.T, n *node) {
	n.must(t, etcdctl+"endpoint health")
	if members := n.must(t, etcdctl+"member list -w json | jq -c '[.members[] | {name, clientURLs, isLearner}]'"); members !=
		`[{"name":"n1","clientURLs":["https://10.77.0.11:2379"],"isLearner":null}]` {
		t.Errorf("members: %s", members)
	}
	for _, addr := range []string{"127.0.0.1", "10.77.0.11"} {
		n.mustFail(t, "etcdctl --command-timeout=60s --endpoints=http://"+addr+":2379 --command-timeout=10s endpoint health")
		n.mustFail(t, "etcdctl --command-timeout=60s --endpoints=https://"+addr+":2379 --command-timeout=10s --cacert="+pkiDir+"etcd-ca.crt endpoint health")
	}
	for _, port := range []string{"2379", "2380"} {
		plain := n.must(t, `exec 3<>/dev/tcp/10.77.0.11/`+port+`
printf 'GET /health HTTP/1.0\r\n\r\n' >&3; timeout 10 cat <&3 | tr -d '\0' || true`)
		if strings.Contains(plain, "200 OK") || strings.Contains(plain, `"health"`) {
			t.Errorf("port %s answers without TLS: %s", port, plain)
		}
	}
}

// checkNodeReady: the node, and everything on it, with a serving certificate that was approved.
func checkNodeReady(t *testing.T, n *node) {
	n.must(t, kubectl+"wait --for=condition=Ready node/n1 --timeout=60s")
	n.must(t, kubectl+"-n kube-system rollout status deployment/coredns --timeout=100s")
	n.must(t, kubectl+`get csr -o json | jq -e '[.items[] | select(.spec.signerName == "kubernetes.io/kubelet-serving") | .status.conditions[]? | .type] | any(. == "Approved")'`)
	roles := n.must(t, kubectl+`get node n1 -o json | jq -r '.metadata.labels | keys[] | select(startswith("node-role"))'`)
	if want := "node-role.kubernetes.io/control-plane\nnode-role.kubernetes.io/etcd\nnode-role.kubernetes.io/worker"; roles != want {
		t.Errorf("the node's roles are labelled\n%s", roles)
	}
	// Logs come through the kubelet's serving certificate.
	n.must(t, kubectl+"-n kube-system logs deployment/coredns --tail=1")
}

// checkAPIOutside: the kubeconfig that the operator gets works through the forwarded port, and a stranger does not.
func checkAPIOutside(t *testing.T, n *node) {
	kubeconfig := n.lab.slipway(t, "kubeconfig", "-f", n.lab.spec, "--qemu", n.out)
	server := regexp.MustCompile(`https://127\.0\.0\.1:\d+`).FindString(kubeconfig)
	pool := x509.NewCertPool()
	pool.AppendCertsFromPEM(field(t, kubeconfig, "certificate-authority-data"))
	pair, err := tls.X509KeyPair(field(t, kubeconfig, "client-certificate-data"), field(t, kubeconfig, "client-key-data"))
	if err != nil {
		t.Fatal(err)
	}
	known := &tls.Config{RootCAs: pool, Certificates: []tls.Certificate{pair}}
	if code, body := get(t, known, server+"/api/v1/nodes/n1"); code != http.StatusOK {
		t.Errorf("as the operator: %d %s", code, body)
	}
	if code, body := get(t, &tls.Config{RootCAs: pool}, server+"/api/v1/nodes/n1"); code != http.StatusUnauthorized && code != http.StatusForbidden {
		t.Errorf("as a stranger: %d %s", code, body)
	}
}

func field(t *testing.T, kubeconfig, name string) []byte {
	t.Helper()
	m := regexp.MustCompile(name + `: *"?([A-Za-z0-9+/=]+)`).FindStringSubmatch(kubeconfig)
	if m == nil {
		t.Fatalf("no %s in the kubeconfig", name)
	}
	data, err := base64.StdEncoding.DecodeString(m[1])
	if err != nil {
		t.Fatal(err)
	}
	return data
}

func get(t *testing.T, config *tls.Config, url string) (code int, body string) {
	t.Helper()
	client := &http.Client{Timeout: time.Minute, Transport: &http.Transport{TLSClientConfig: config}}
	defer client.CloseIdleConnections()
	res, err := client.Get(url)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	data, err := io.ReadAll(io.LimitReader(res.Body, 4096))
	if err != nil {
		t.Fatal(err)
	}
	return res.StatusCode, string(data)
}

// secretsDir is where the lab's CAs and keys are.
func (l *lab) secretsDir() string { return filepath.Join(l.dir, "secrets") }
