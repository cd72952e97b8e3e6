package distro

import (
	"path/filepath"
	"strings"
	"testing"
)

// A release that moved something is named, with what it moved.
func TestFactsAreChecked(t *testing.T) {
	f := Facts{
		Modules: "lib/modules", Kernel: "boot/vmlinuz-VERSION", Stub: "efi/stub", BootLoader: "efi/boot", Database: "var/db", CABundle: "etc/ca.crt",
		Units: []string{"time.service"},
	}
	all := []string{"boot/vmlinuz-6.1", "efi/stub", "efi/boot", "var/db", "etc/ca.crt", "usr/lib/systemd/system/time.service"}
	for _, missing := range append([]string{""}, all...) {
		tree := t.TempDir()
		for _, path := range all {
			if path != missing {
				writeFile(t, filepath.Join(tree, path), "")
			}
		}
		err := f.Check(tree, "6.1")
		if (err == nil) != (missing == "") || err != nil && !strings.HasSuffix(err.Error(), "the distribution has no /"+missing) {
			t.Errorf("without %q: %v", missing, err)
		}
	}
}
