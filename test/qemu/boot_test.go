//go:build qemu

package qemu_test

import "testing"

// TestSingleNode boots one node, cuts its power in the first minutes, lets it form a cluster all the same, and looks at it from all
// sides. All checks share the boot; the one that switches it off comes last.
func TestSingleNode(t *testing.T) {
	l := theLab(t)
	n := newNode(t, l, l.out)
	n.up(t, "--fresh")
	n.cutAt(t, firstCuts())
	n.waitServing(t)
	n.must(t, "true")
	for _, c := range []struct {
		name  string
		check func(*testing.T, *node)
	}{
		{"root is verified and cannot be written", checkRoot},
		{"state can be written", checkState},
		{"one kernel", checkKernel},
		{"ipvs modules", checkModules},
		{"sysctls", checkSysctls},
		{"limits", checkLimits},
		{"no swap", checkSwap},
		{"no SSH", checkSSH},
		{"only known ports", checkPorts},
		{"docker", checkDocker},
		{"containerd", checkContainerd},
		{"etcd", checkEtcd},
		{"formed", checkFormed},
		{"node ready", checkNodeReady},
		{"API from outside", checkAPIOutside},
		{"DNS from the node", checkDNSNode},
		{"DNS from a pod", checkDNSPod},
		{"a Service through ipvs", checkService},
		{"no failed units", checkUnits},
		{"keys on the node", checkKeys},
		{"keys in logs", checkLogs},
		{"node config is gone", checkScrub},
		{"power button", checkPowerButton},
	} {
		t.Run(c.name, func(t *testing.T) { c.check(t, n) })
	}
}
