//go:build qemu

package qemu_test

import (
	"strings"
	"testing"
)

// checkKernel: one kernel, and it is the one that runs.
func checkKernel(t *testing.T, n *node) {
	running := n.must(t, "uname -r")
	if have := n.must(t, "ls /usr/lib/modules"); have != running {
		t.Errorf("modules of %q, while %q runs", have, running)
	}
	if found := n.must(t, "find / -xdev '(' -name 'vmlinuz*' -o -name 'initrd.img*' -o -name 'initramfs*.img' ')' -type f"); found != "" {
		t.Errorf("kernels or initrds in the root file system:\n%s", found)
	}
	esp := n.must(t, `d=$(mktemp -d -p /run)
mount -o ro /dev/disk/by-parttypeuuid/c12a7328-f81f-11d2-ba4b-00a0c93ec93b $d 2>/dev/null || mount -o ro "$(lsblk -rnpo NAME,PARTTYPE | awk '$2=="c12a7328-f81f-11d2-ba4b-00a0c93ec93b" {print $1}')" $d
(cd $d; find . -type f); umount $d; rmdir $d`)
	if ukis := strings.Count(esp, "/EFI/Linux/"); ukis != 1 {
		t.Errorf("%d kernels on the ESP, want one:\n%s", ukis, esp)
	}
}

// checkModules: what kube-proxy in ipvs mode and pods need is loaded.
func checkModules(t *testing.T, n *node) {
	loaded := strings.Fields(n.must(t, "cut -d' ' -f1 /proc/modules; cat /usr/lib/modules/$(uname -r)/modules.builtin | sed 's|.*/||; s|\\.ko.*||; s|-|_|g'"))
	have := map[string]bool{}
	for _, m := range loaded {
		have[m] = true
	}
	for _, m := range []string{"ip_vs", "ip_vs_rr", "ip_vs_wrr", "ip_vs_sh", "nf_conntrack", "br_netfilter", "overlay", "nf_tables"} {
		if !have[m] {
			t.Errorf("module %s is not loaded", m)
		}
	}
	// And every one that the image asks for.
	missing := n.must(t, `grep -hv '^#' /usr/lib/modules-load.d/slipway.conf | while read -r m; do
[ -z "$m" ] || [ -d "/sys/module/${m//-/_}" ] || grep -q "/$m\.ko" /usr/lib/modules/$(uname -r)/modules.builtin || echo "$m"; done`)
	if missing != "" {
		t.Errorf("asked for by the image and not loaded: %s", missing)
	}
}
