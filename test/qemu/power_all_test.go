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
}
