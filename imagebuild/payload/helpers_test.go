package payload

import (
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"testing"

	"slipway/internal/durable"
)

func mustDigest(t *testing.T, path string) string {
	t.Helper()
	sum, err := durable.Digest(path)
	if err != nil {
		t.Fatal(err)
	}
	return sum
}

func contains(list []string, s string) bool { return slices.Contains(list, s) }

// runInstalled lays the result out as in an image and runs one of its programs.
func runInstalled(t *testing.T, res Result, path string, args []string) (string, error) {
	t.Helper()
	root := t.TempDir()
	for _, f := range res.Files {
		at, target := filepath.Join(root, f.Path), f.HostPath
		if f.Symlink != "" {
			target = f.Symlink
		} else if abs, err := filepath.Abs(target); err == nil {
			target = abs
		}
		if err := os.MkdirAll(filepath.Dir(at), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.Symlink(target, at); err != nil {
			t.Fatal(err)
		}
	}
	out, err := exec.Command(filepath.Join(root, path), args...).CombinedOutput()
	return string(out), err
}
