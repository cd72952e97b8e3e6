// Package testtool finds the foreign programs that tests ask whether what we wrote is right: qemu-img, fsck.vfat,
// haproxy and the like. Start with Find; Missing is for whatever else a
// test cannot run without. It installs nothing: scripts/deps does. Etcd builds what no package has.
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
	Missing(t, name+" is not installed")
	return ""
}

// Missing ends a test that cannot run, because of what: it is skipped, and fails in CI.
func Missing(t testing.TB, what string) {
	t.Helper()
	if os.Getenv("CI") != "" {
		t.Fatalf("%s", what)
	}
	t.Skipf("%s", what)
}

// Folder is the absolute path of the folder that an environment variable names, or else of the fallback.
func Folder(variable, fallback string) (string, error) {
	dir := os.Getenv(variable)
	if dir == "" {
		dir = fallback
	}
	return filepath.Abs(dir)
}
