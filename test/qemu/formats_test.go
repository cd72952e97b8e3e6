//go:build qemu

package qemu_test

import (
	"path/filepath"
	"strings"
	"testing"
)

// TestFormats: what the build packed is sound, and holds the raw disk.
func TestFormats(t *testing.T) {
	l := theLab(t)
	raw := filepath.Join(l.out, "single.raw")
	for _, name := range []string{"single.raw", "single.qcow2", "single.ova"} {
		t.Run(name, func(t *testing.T) {
			if out := l.slipway(t, "verify", filepath.Join(l.out, name), "--raw", raw); !strings.Contains(out, name+": whole ") {
				t.Errorf("slipway verify: %s", out)
			}
		})
	}
}

// TestOVABoots boots the disk in the OVA, in place, on the disk controller and the network card of VMware. That the node
// answers on the network and runs etcd shows that both drivers work; the rest is the same as in TestSingleNode.
func TestOVABoots(t *testing.T) {
	l := theLab(t)
	n := newNode(t, l, l.out)
	n.up(t, "--fresh", "--vmware", "--image", filepath.Join(l.out, "single.ova"))
	n.WaitStatus(t, serveLimit, "with etcd running", func(s status) bool { return s.done("member") })
	n.must(t, "ls -d /sys/bus/pci/drivers/vmw_pvscsi/0000:* /sys/bus/pci/drivers/vmxnet3/0000:*")
	// Both offloads are off, and it is the rule of the image that does it: this card has none to switch off.
	n.must(t, "card=$(ls /sys/bus/pci/drivers/vmxnet3/0000:*/net) && test 2 = $(ethtool -k $card | grep -c '^tx-udp_tnl.*: off')")
	n.must(t, "udevadm test --action=add /sys/class/net/$(ls /sys/bus/pci/drivers/vmxnet3/0000:*/net) 2>&1 | grep 'ethtool -K .* tx-udp_tnl-segmentation off tx-udp_tnl-csum-segmentation off'")
	n.statusAnswers(t)
}
