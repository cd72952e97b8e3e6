//go:build qemu

package qemu_test

import (
	"strings"
	"testing"
	"time"
)

// dnsScript defines dns(), which asks a server from bash alone: the image has no nslookup.
func dnsScript(t *testing.T) string {
	t.Helper()
	data, err := testdata.ReadFile("testdata/dns.sh")
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}

const (
	apiName    = "kubernetes.default.svc.cluster.local"
	apiService = "10.96.0.1"
	dnsService = "10.96.0.10"
)

// checkDNSNode: the node reaches CoreDNS at its service address.
func checkDNSNode(t *testing.T, n *node) {
	n.eventually(t, 2*time.Minute, dnsScript(t)+"dns "+dnsService+" "+apiName, func(out string) bool { return out == apiService })
}

// checkDNSPod: so does a pod, with the resolv.conf that the kubelet gave it. The pod is a bare pause container; its
// network is entered from the node.
func checkDNSPod(t *testing.T, n *node) {
	startPod(t, n)
	resolv := n.must(t, "cat /proc/"+podPID(t, n)+"/root/etc/resolv.conf")
	if !strings.Contains(resolv, "nameserver "+dnsService) || !strings.Contains(resolv, "default.svc.cluster.local") {
		t.Errorf("the pod's resolv.conf:\n%s", resolv)
	}
	script := inPod(t, n, dnsScript(t)+"dns "+dnsService+" "+apiName)
	n.eventually(t, 2*time.Minute, script, func(out string) bool { return out == apiService })
}

// checkService: the API's Service is an ipvs server, and answers a pod through it.
func checkService(t *testing.T, n *node) {
	table := n.must(t, "ipvsadm -Ln")
	for _, want := range []string{
		"TCP  " + apiService + ":443 rr\n  -> RemoteAddress:Port",
		"UDP  " + dnsService + ":53 rr",
	} {
		want, _, _ = strings.Cut(want, "\n")
		if !strings.Contains(table, want) {
			t.Errorf("no %q in\n%s", want, table)
		}
	}
	if !strings.Contains(table, "-> 10.77.0.11:6443") {
		t.Errorf("the API server is behind no service:\n%s", table)
	}
	startPod(t, n)
	// The API server says in plain HTTP that it wants TLS: enough to know who answers. Then it may well reset.
	out := n.must(t, inPod(t, n, `exec 3<>/dev/tcp/`+apiService+`/443
printf 'GET / HTTP/1.0\r\n\r\n' >&3; timeout 20 cat <&3 || true`))
	if !strings.Contains(out, "HTTP request to an HTTPS server") {
		t.Errorf("from a pod, %s:443 answers %q", apiService, out)
	}
	before := connections(t, n)
	n.must(t, inPod(t, n, dnsScript(t)+"dns "+dnsService+" "+apiName))
	for range 10 { // the kernel adds its counters up every two seconds
		if connections(t, n) != before {
			return
		}
		time.Sleep(2 * time.Second)
	}
	t.Errorf("a query did not pass through ipvs; counters stay %s", before)
}

// connections reads ipvs's own counters of the DNS service.
func connections(t *testing.T, n *node) string {
	t.Helper()
	return n.must(t, "ipvsadm -Ln --stats --exact -u "+dnsService+":53 | grep '^UDP'")
}

const podManifest = `{"apiVersion":"v1","kind":"Pod","metadata":{"name":"slipway-test","namespace":"default"},
"spec":{"terminationGracePeriodSeconds":1,"containers":[{"name":"pause","image":"'"$image"'","imagePullPolicy":"Never"}]}}`

// startPod makes the test's pod and waits until it runs.
func startPod(t *testing.T, n *node) {
	t.Helper()
	n.must(t, `image=$(crictl images -o json | jq -r '.images[].repoTags[]' | grep -m1 /pause:)
echo '`+podManifest+`' | `+kubectl+`apply --validate=false -f - && `+kubectl+`wait --for=condition=Ready pod/slipway-test --timeout=100s`)
}

// podPID is the number of the pod's container process on the node.
func podPID(t *testing.T, n *node) string {
	t.Helper()
	return n.must(t, `crictl inspect "$(crictl ps -q --label io.kubernetes.pod.name=slipway-test | head -1)" | jq -r .info.pid`)
}

// inPod wraps a script so that it runs in the pod's network.
func inPod(t *testing.T, n *node, script string) string {
	t.Helper()
	return "nsenter --net=/proc/" + podPID(t, n) + "/ns/net bash <<'END_OF_SCRIPT'\n" + script + "\nEND_OF_SCRIPT\n"
}
