//go:build qemu && all

package qemu_test

import "testing"

// TestPowerCuts cuts the power of a virtual machine again and again during one formation. It must form all the same.
func TestPowerCuts(t *testing.T) {
	l := theLab(t)
	n := newNode(t, l, l.out)
	n.up(t, "--fresh")
	n.cutAt(t, append(firstCuts(), atStep("apiserver"), atStep("kubelet")))
	n.waitServing(t)
	checkFormed(t, n)
	checkNodeReady(t, n)
	checkDNSNode(t, n)
	checkEtcd(t, n)
	checkHardReset(t, n)
}

// checkHardReset cuts the power of a node that serves. It must serve again, with what it knew before.
func checkHardReset(t *testing.T, n *node) {
	n.must(t, kubectl+"create configmap slipway-test --from-literal=a=b")
	before := identity(t, n)
	n.down(t, "--hard")
	n.up(t)
	n.waitServing(t)
	if after := identity(t, n); after != before {
		t.Errorf("before the reset:\n%s\nafter:\n%s", before, after)
	}
	if got := n.must(t, kubectl+"get configmap slipway-test -o jsonpath={.data.a}"); got != "b" {
		t.Errorf("an object was lost: %q", got)
	}
	checkNodeReady(t, n)
	checkDNSNode(t, n)
	checkScrub(t, n)
}

// identity is what must never change in the life of a cluster.
func identity(t *testing.T, n *node) string {
	t.Helper()
	return n.must(t, "cat /etc/machine-id; "+etcdctl+"endpoint status -w json | jq -c '.[].Status.header | {cluster_id, member_id}'; "+
		kubectl+"get namespace kube-system -o jsonpath={.metadata.uid}")
}
