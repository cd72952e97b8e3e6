package debian

import (
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// What the spec names, and what that needs, ships although building needs it too.
func TestPurgeLeavesWhatTheSpecNeeds(t *testing.T) {
	tree := t.TempDir()
	writeFile(t, filepath.Join(tree, "var/lib/dpkg/status"), []byte(`Package: dracut
Status: install ok installed
Pre-Depends: dracut-core (>= 106-1)
Provides: linux-initramfs-tool (= 106)

Package: dracut-core
Depends: libc6 (>= 2.41), cpio:any, dracut-install (= 106-1) | nothing

Package: backup
Depends: perl, zstd (>= 1.5)
Description: needs
 Depends: squashfs-tools

Package: rescue
Depends: other | linux-initramfs-tool
`))
	all := Driver{}.BuildOnly()
	for extra, ships := range map[string]string{
		"":              "",
		"jq":            "",
		"zstd":          "zstd",
		"backup":        "zstd",
		"cpio zstd":     "cpio zstd",
		"dracut":        "dracut dracut-core dracut-install cpio",
		"rescue backup": "dracut dracut-core dracut-install cpio zstd",
	} {
		got, err := (Driver{}).Purge(tree, strings.Fields(extra))
		want := slices.DeleteFunc(slices.Clone(all), func(name string) bool { return slices.Contains(strings.Fields(ships), name) })
		if err != nil || !slices.Equal(got, want) {
			t.Errorf("with %q: purges %q, want %q; %v", extra, got, want, err)
		}
	}
	if _, err := (Driver{}).Purge(t.TempDir(), nil); err == nil || !strings.HasPrefix(err.Error(), "reading the package database: ") {
		t.Errorf("got %v", err)
	}
}
