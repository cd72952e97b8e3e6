//go:build fleet

package fleet_test

import (
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// addPod does what the container runtime does for a pod: a network namespace, and the plugins of the node's own configuration
// (https://www.cni.dev/docs/spec/, section 3), each with what the one before it said. It prints the pod's address.
const addPod = `set -e
conf=$(ls /etc/cni/net.d/*.conflist) prev=null
ip netns add pod
ip -n pod link set lo up
export CNI_COMMAND=ADD CNI_CONTAINERID=pod CNI_NETNS=/run/netns/pod CNI_IFNAME=eth0 CNI_PATH=/usr/lib/cni
for plugin in $(jq -r '.plugins[].type' $conf); do
  prev=$(jq --argjson prev "$prev" --arg type $plugin '(.plugins[] | select(.type == $type)) + {name, cniVersion} + if $prev then {prevResult: $prev} else {} end' $conf |
    /usr/lib/cni/$plugin)
done
jq -r '.ips[0].address' <<<"$prev"`

// Pod starts a pod on a node that answers at port 8080 with the node's name and the address of who asks, and at 8081 with 3 MB.
func (f *fleet) Pod(name string) (address string) {
	f.t.Helper()
	said, err := f.In(name, addPod)
	if err != nil {
		f.fatal(err)
	}
	address, _, _ = strings.Cut(said, "/")
	f.listen(name, "ip netns exec pod", "8080", "SYSTEM:echo "+name+" $SOCAT_PEERADDR")
	f.listen(name, "ip netns exec pod", "8081", "SYSTEM:head -c 3000000 /dev/zero")
	return address
}

// listen serves a port on a node, for as long as it is on.
func (f *fleet) listen(name, where, port, what string) {
	f.t.Helper()
	script := fmt.Sprintf("systemd-run --quiet --expand-environment=no --unit=port-%s %s socat TCP4-LISTEN:%s,fork,reuseaddr '%s'", port, where, port, what)
	if _, err := f.In(name, script); err != nil {
		f.fatal(err)
	}
}

// reaches demands an answer, soon.
func (f *fleet) reaches(what, name, where, address, port, want string) {
	f.t.Helper()
	took := f.Wait(20*time.Second, what, func() error {
		said, err := f.In(name, fmt.Sprintf("%s timeout 5 socat -u TCP:%s:%s,connect-timeout=2 -", where, address, port))
		if err == nil && said != want {
			err = fmt.Errorf("it says %q, not %q", said, want)
		}
		return err
	})
	f.t.Logf("%s: %q after %v", what, want, took.Round(time.Second/10))
}

// podsReachEachOther puts a pod on each worker: they reach each other by address and by service, with their own addresses, packets as
// large as the network takes, and the world with their node's address. The control plane, which is no worker, reaches them as well.
func (f *fleet) podsReachEachOther(mtu int) {
	f.t.Helper()
	const pod = "ip netns exec pod"
	one, two := f.Pod("w1"), f.Pod("w2")
	f.reaches("pod to pod", "w1", pod, two, "8080", "w2 "+one)
	f.reaches("pod to pod, back", "w2", pod, one, "8080", "w1 "+two)
	f.carries(two, mtu)
	f.serve(two)
	f.reaches("pod to service", "w1", pod, "10.96.0.77", "80", "w2 "+one)
	f.reaches("node to service", "w1", "", "10.96.0.77", "80", "w2 "+f.sourceTo("w1", two))
	f.reaches("control plane to pod", "cp1", "", two, "8080", "w2 "+f.node("cp1").address)
	f.listen("cp1", "", "8080", "SYSTEM:echo cp1 $SOCAT_PEERADDR")
	f.reaches("pod to the world", "w1", pod, f.node("cp1").address, "8080", "cp1 "+f.node("w1").address)
}

// carries demands that 3 MB arrive whole, that a packet of the network's size passes in one piece, and that pods make none larger.
func (f *fleet) carries(two string, mtu int) {
	f.t.Helper()
	said, err := f.In("w1", fmt.Sprintf(`ip netns exec pod timeout 20 socat -u TCP:%s:8081 - | wc -c
ip netns exec pod ping -c 1 -W 2 -M do -s %d %s >/dev/null && echo fits
ip netns exec pod ping -c 1 -W 2 -M do -s %d %s >/dev/null 2>&1 || echo does not fit
ip -n pod -j link show eth0 | jq .[0].mtu`, two, mtu-28, two, mtu-27, two))
	if want := fmt.Sprintf("3000000\nfits\ndoes not fit\n%d", mtu); err != nil || said != want {
		f.t.Errorf("between pods: %q, %v, want %q", said, err, want)
	}
}

// serve makes a service that leads to an address.
func (f *fleet) serve(address string) {
	f.t.Helper()
	text, err := os.ReadFile("testdata/service.yaml")
	if err != nil {
		f.fatal(err)
	}
	file := filepath.Join(f.dir, "service.yaml")
	if err := os.WriteFile(file, []byte(strings.ReplaceAll(string(text), "ADDRESS", address)), 0o644); err != nil {
		f.fatal(err)
	}
	if _, err := f.kubectl("apply", "--validate=false", "-f", file); err != nil {
		f.fatal(err)
	}
}

// sourceTo is the address with which a node speaks to another.
func (f *fleet) sourceTo(name, address string) string {
	f.t.Helper()
	said, err := f.In(name, "ip -j route get "+address+" | jq -r .[0].prefsrc")
	if err != nil {
		f.fatal(err)
	}
	return said
}

// TestFlannel: flannel's vxlan between two workers of the built root.
func TestFlannel(t *testing.T) {
	f := newFleet(t, "testdata/flannel.yaml")
	f.Start()
	took := f.Wait(formLimit, "all nodes formed", f.formed)
	t.Logf("formed after %v", took.Round(time.Second/10))
	for _, name := range []string{"w1", "w2"} {
		said, err := f.In(name, `ip -j -d link show flannel.1 | jq -r '.[0] | "\(.mtu) \(.linkinfo.info_kind) \(.linkinfo.info_data.port)"'; cat /run/flannel/subnet.env | grep MTU`)
		if err != nil || said != "1450 vxlan 8472\nFLANNEL_MTU=1450" {
			t.Errorf("flannel.1 of %s: %q, %v", name, said, err)
		}
	}
	f.podsReachEachOther(1450)
	f.flannelIsKept()
}

// flannelIsKept: with the key of one worker's flannel another node, or more than flannel's own annotations, cannot be changed, and
// nothing is read but nodes.
func (f *fleet) flannelIsKept() {
	f.t.Helper()
	client := f.flannelOf("w1")
	const node, status = "/api/v1/nodes/%s", "/api/v1/nodes/%s/status"
	for _, c := range []struct{ path, patch, want string }{
		{fmt.Sprintf(status, "w1"), `{"metadata":{"annotations":{"flannel.alpha.coreos.com/test":"x"}}}`, `"flannel.alpha.coreos.com/test":"x"`},
		{fmt.Sprintf(status, "w2"), `{"metadata":{"annotations":{"flannel.alpha.coreos.com/public-ip":"10.99.0.41"}}}`, "may change no other node"},
		{fmt.Sprintf(status, "w1"), `{"metadata":{"annotations":{"other":"x"}}}`, "no annotations but its own"},
		{fmt.Sprintf(status, "w1"), `{"metadata":{"labels":{"node-role.kubernetes.io/control-plane":""}}}`, "nothing but annotations"},
		{fmt.Sprintf(status, "w1"), `{"status":{"conditions":[{"type":"Ready","status":"False"}]}}`, "nothing but annotations"},
		{fmt.Sprintf(node, "w1"), `{"metadata":{"annotations":{"flannel.alpha.coreos.com/test":"y"}}}`, `cannot patch resource \"nodes\"`},
		{"/api/v1/secrets", "", `cannot list resource \"secrets\"`},
		{"/api/v1/pods", "", `cannot list resource \"pods\"`},
	} {
		method := http.MethodPatch
		if c.patch == "" {
			method = http.MethodGet
		}
		req, err := http.NewRequest(method, "https://"+f.node("cp1").address+":6443"+c.path, strings.NewReader(c.patch))
		if err != nil {
			f.fatal(err)
		}
		req.Header.Set("Content-Type", "application/merge-patch+json")
		resp, err := client.Do(req)
		if err != nil {
			f.fatal(err)
		}
		said, err := io.ReadAll(resp.Body)
		resp.Body.Close()
		if err != nil || !strings.Contains(string(said), c.want) {
			f.t.Errorf("%s %s: %v, no %q in %.400s", c.path, c.patch, err, c.want, said)
		}
	}
}

// flannelOf speaks with the key of a worker's flannel.
func (f *fleet) flannelOf(name string) *http.Client {
	f.t.Helper()
	pki := filepath.Join(f.node(name).etcUpper(), "slipway/pki")
	pair, err := tls.LoadX509KeyPair(pki+"/flannel.crt", pki+"/flannel.key")
	if err != nil {
		f.fatal(err)
	}
	ca, err := os.ReadFile(pki + "/ca.crt")
	if err != nil {
		f.fatal(err)
	}
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM(ca)
	return &http.Client{Timeout: 10 * time.Second, Transport: &http.Transport{TLSClientConfig: &tls.Config{Certificates: []tls.Certificate{pair}, RootCAs: roots}}}
}
