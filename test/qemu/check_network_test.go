//go:build qemu

package qemu_test

import (
	"fmt"
	"net"
	"strings"
	"testing"
)

// checkSSH: no server, no keys for one, and nothing on its port.
func checkSSH(t *testing.T, n *node) {
	if found := n.must(t, "find / -xdev '(' -name sshd -o -name 'sshd@*' -o -name 'ssh.service' -o -name 'ssh.socket' -o -name dropbear -o -name 'ssh_host_*' ')' ; ls /usr/sbin/sshd /var/lib/systemd/ssh 2>/dev/null || true"); found != "" {
		t.Errorf("found in the image:\n%s", found)
	}
	if listeners := n.must(t, "ss -Hltn 'sport = :22'; ss -Hlx | grep -i ssh || true"); listeners != "" {
		t.Errorf("somebody listens: %s", listeners)
	}
	n.mustFail(t, "exec 3<>/dev/tcp/10.77.0.11/22")
}

// known are the ports that may be reached from other machines.
var known = map[string]string{
	"6443": "kube-apiserver", "7400": "slipwayd", "2379": "etcd", "2380": "etcd", "10250": "kubelet",
}

// checkPorts: nothing else listens beyond the loopback interface.
func checkPorts(t *testing.T, n *node) {
	for _, line := range strings.Split(n.must(t, "ss -Hlntup"), "\n") {
		f := strings.Fields(line)
		if len(f) < 5 {
			continue
		}
		host, port, err := net.SplitHostPort(f[4])
		if err != nil {
			t.Errorf("unreadable: %s", line)
			continue
		}
		host, _, _ = strings.Cut(strings.Trim(host, "[]"), "%")
		if ip := net.ParseIP(host); ip != nil && ip.IsLoopback() {
			continue
		}
		// The bridge's and kube-proxy's own addresses are only inside the node.
		if owner, ok := known[port]; !ok || f[0] != "tcp" {
			t.Errorf("somebody unknown listens: %s", line)
		} else if !strings.Contains(line, owner) {
			t.Errorf("port %s should be %s's: %s", port, owner, line)
		}
	}
	for port, owner := range known {
		if _, err := n.Run(fmt.Sprintf("ss -Hltn 'sport = :%s' | grep -q .", port)); err != nil {
			t.Errorf("%s does not listen on %s", owner, port)
		}
	}
}
