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
	writeFile(t, filepath.Join(tree, "var/lib/dpkg/status"), []byte(`Package: packer
Status: install ok installed
Pre-Depends: packer-core (>= 106-1)
Provides: images (= 106)

Package: packer-core
Depends: libc6 (>= 2.41), squashfs-tools:any, other-tools (= 106-1) | nothing

Package: backup
Depends: perl, systemd-boot-efi (>= 1.5)
Description: needs
 Depends: squashfs-tools

Package: rescue
Depends: other | images
`))
	all := append(Driver{}.BuildOnly(), standIn)
	for extra, ships := range map[string]string{
		"":               "",
		"jq":             "",
		"squashfs-tools": "squashfs-tools",
		"backup":         "systemd-boot-efi",
		"packer":         "squashfs-tools",
		"rescue backup":  "squashfs-tools systemd-boot-efi",
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
