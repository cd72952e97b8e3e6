//go:build qemu

package qemu_test

import (
	"strings"
	"testing"
)

func checkDocker(t *testing.T, n *node) {
	if got := n.must(t, "docker info --format '{{.CgroupDriver}} {{.ServerVersion}}'"); !strings.HasPrefix(got, "systemd ") || len(got) <= len("systemd ") {
		t.Errorf("docker info: %q", got)
	}
}

// checkContainerd: it answers, with the systemd driver, and has what no registry is there to give.
func checkContainerd(t *testing.T, n *node) {
	n.must(t, "ctr version >/dev/null && crictl version >/dev/null")
	n.must(t, `crictl info | jq -e '[.. | .SystemdCgroup? // empty] | any'`)
	images := n.must(t, "crictl images -o json | jq -r '.images[].repoTags[]'")
	for _, want := range []string{"registry.k8s.io/pause:", "registry.k8s.io/coredns/coredns:"} {
		if !strings.Contains(images, want) {
			t.Errorf("no image %s...:\n%s", want, images)
		}
	}
}

// checkUnits: systemd is content.
func checkUnits(t *testing.T, n *node) {
	if failed := n.must(t, "systemctl --failed --no-legend --plain --no-pager"); failed != "" {
		t.Errorf("failed units:\n%s", failed)
	}
}
