// Package testtool finds the foreign programs that tests ask whether what we wrote is right: qemu-img, fsck.vfat,
// haproxy and the like. Start with Find. It installs nothing: scripts/deps does. Etcd builds what no package has.
package testtool

import (
	"os"
	"os/exec"
	"path/filepath"
	"testing"
)

// Find is the path of a program, looked for in PATH and where Debian keeps what only root runs. Without it the test is
// skipped, by the program's name; in CI, where a check that did not run must not look like one that passed, it fails.
func Find(t testing.TB, name string) string {
	t.Helper()
	for _, dir := range append(filepath.SplitList(os.Getenv("PATH")), "/usr/sbin", "/sbin") {
		if path, err := exec.LookPath(filepath.Join(dir, name)); err == nil {
			return path
		}
	}
	missing(t, name+" is not installed")
	return ""
}

func missing(t testing.TB, what string) {
	t.Helper()
	if os.Getenv("CI") != "" {
		t.Fatalf("%s", what)
	}
	t.Skipf("%s", what)
}
