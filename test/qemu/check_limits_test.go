//go:build qemu

package qemu_test

import (
	"regexp"
	"strings"
	"testing"
)

// checkSysctls: the kernel has every value of the profile, and the profile has what a node cannot do without.
func checkSysctls(t *testing.T, n *node) {
	differ := n.must(t, `grep -hE '^[^#]' /usr/lib/sysctl.d/90-slipway.conf | while IFS=' =' read -r key value; do
file=/proc/sys/$(tr ./ /. <<<"$key")
now=$(tr -s '\t' ' ' <"$file") || now=missing
[ "$now" = "$value" ] || echo "$key is $now, not $value"; done`)
	if differ != "" {
		t.Errorf("not in force:\n%s", differ)
	}
	for key, want := range map[string]string{
		"net/ipv4/ip_forward":                "1",
		"net/bridge/bridge-nf-call-iptables": "1",
		"net/core/somaxconn":                 "16384",
		"fs/inotify/max_user_instances":      "8192",
		"vm/overcommit_memory":               "1",
		"kernel/panic":                       "10",
	} {
		if got := n.must(t, "cat /proc/sys/"+key); got != want {
			t.Errorf("%s is %s, want %s", key, got, want)
		}
	}
}

// checkLimits: the limits that running services really have.
func checkLimits(t *testing.T, n *node) {
	for _, tc := range []struct{ process, limit, want string }{
		{"containerd", "Max open files", `^(1048576|1073741816|unlimited)$`},
		{"kubelet", "Max open files", `^(1000000|1048576)$`}, // its own maxOpenFiles,
		{"slipwayd", "Max open files", `^1048575$`},          // Go raises the soft limit to the hard one less one
		{"slipwayd", "Max core file size", `^0$`},
		{"slipwayd", "Max processes", `^131072$`},
		{"slipwayd", "Max locked memory", `^unlimited$`},
	} {
		out := n.must(t, "cat /proc/$(systemctl show -P MainPID "+tc.process+")/limits")
		if got := limit(out, tc.limit); !regexp.MustCompile(tc.want).MatchString(got) {
			t.Errorf("%s: %s is %q, want %s", tc.process, tc.limit, got, tc.want)
		}
	}
}

// limit reads the soft value of a line in /proc/PID/limits.
func limit(table, name string) string {
	for _, line := range strings.Split(table, "\n") {
		if rest, ok := strings.CutPrefix(line, name); ok && len(strings.Fields(rest)) > 0 {
			return strings.Fields(rest)[0]
		}
	}
	return ""
}

// checkSwap: none, and nothing that would bring it.
func checkSwap(t *testing.T, n *node) {
	if swaps := n.must(t, "tail -n +2 /proc/swaps"); swaps != "" {
		t.Errorf("swap is on: %s", swaps)
	}
	if total := n.must(t, "awk '/^SwapTotal/ {print $2}' /proc/meminfo"); total != "0" {
		t.Errorf("%s kB of swap", total)
	}
	if units := n.must(t, "systemctl list-units --type=swap --no-legend --all --state=active --no-pager"); units != "" {
		t.Errorf("swap units: %s", units)
	}
}
