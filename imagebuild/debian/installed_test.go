package debian

import (
	"strings"
	"testing"
	"testing/fstest"

	"github.com/google/go-cmp/cmp"

	"slipway/imagebuild/distro"
)

// database is a tree with four packages: one of two names for a list, one built with others' code, one whose documentation is a
// link, and one that was removed.
func database() fstest.MapFS {
	tree := fstest.MapFS{}
	for name, text := range map[string]string{
		"usr/lib/os-release": "PRETTY_NAME=\"Debian GNU/Linux 13 (trixie)\"\nVERSION_ID=\"13\"\nID=debian\n",
		"usr/lib/sysimage/dpkg/status": `Package: runc
Status: install ok installed
Architecture: amd64
Version: 1.1.15+ds1-2+b1
Source: runc (1.1.15+ds1-2)
Homepage: https://github.com/opencontainers/runc
Depends: libseccomp2 (>= 2.6)
Built-Using: golang-1.24 (= 1.24.4-1), golang-dbus (= 5.1.0-1)
Static-Built-Using: glibc (= 2.41-12)
Description: runs containers
 Built-Using: nothing (= 1)

Package: libgcc-s1
Status: install ok installed
Architecture: amd64
Source: gcc-14
Version: 14.2.0-19
Depends: gcc-14-base (= 14.2.0-19)

Package: gcc-14-base
Status: install ok installed
Architecture: amd64
Source: gcc-14
Version: 14.2.0-19

Package: gone
Status: deinstall ok config-files
Version: 1
`,
		"usr/lib/sysimage/dpkg/info/runc.list":            "/.\n/usr\n/usr/sbin/runc\n",
		"usr/lib/sysimage/dpkg/info/libgcc-s1:amd64.list": "/lib/x86_64-linux-gnu/libgcc_s.so.1\n",
		"usr/share/doc/runc/copyright":                    format + "License: Apache-2.0\n",
		"usr/share/doc/gcc-14-base/copyright":             format + "License: GPL-3+\n",
	} {
		tree[name] = &fstest.MapFile{Data: []byte(text)}
	}
	return tree
}

func TestInstalled(t *testing.T) {
	got, err := Driver{}.Installed(database(), Driver{}.Facts().ShipsAt)
	if err == nil {
		err = Driver{}.Contents(database(), Driver{}.Facts().ShipsAt, got)
	}
	if err != nil {
		t.Fatal(err)
	}
	gcc := distro.Source{Name: "gcc-14", Version: "14.2.0-19", PURL: "pkg:deb/debian/gcc-14@14.2.0-19?arch=source"}
	want := []distro.Installed{
		{
			Name: "gcc-14-base", Version: "14.2.0-19", Architecture: "amd64", Supplier: "Debian", Source: gcc, Licence: "GPL-3.0-or-later",
			PURL: "pkg:deb/debian/gcc-14-base@14.2.0-19?arch=amd64&distro=debian-13&upstream=gcc-14%4014.2.0-19",
		},
		{
			Name: "libgcc-s1", Version: "14.2.0-19", Architecture: "amd64", Supplier: "Debian", Source: gcc, Licence: "GPL-3.0-or-later",
			PURL:  "pkg:deb/debian/libgcc-s1@14.2.0-19?arch=amd64&distro=debian-13&upstream=gcc-14%4014.2.0-19",
			Needs: []string{"gcc-14-base"}, Files: []string{"/lib/x86_64-linux-gnu/libgcc_s.so.1"},
		},
		{
			Name: "runc", Version: "1.1.15+ds1-2+b1", Architecture: "amd64", Supplier: "Debian", Licence: "Apache-2.0",
			Homepage: "https://github.com/opencontainers/runc",
			Source:   distro.Source{Name: "runc", Version: "1.1.15+ds1-2", PURL: "pkg:deb/debian/runc@1.1.15%2Bds1-2?arch=source"},
			PURL:     "pkg:deb/debian/runc@1.1.15%2Bds1-2%2Bb1?arch=amd64&distro=debian-13&upstream=runc%401.1.15%2Bds1-2",
			Using: []distro.Source{
				{Name: "golang-1.24", Version: "1.24.4-1", PURL: "pkg:deb/debian/golang-1.24@1.24.4-1?arch=source&distro=debian-13"},
				{Name: "golang-dbus", Version: "5.1.0-1", PURL: "pkg:deb/debian/golang-dbus@5.1.0-1?arch=source&distro=debian-13"},
				{Name: "glibc", Version: "2.41-12", PURL: "pkg:deb/debian/glibc@2.41-12?arch=source&distro=debian-13"},
			},
			Needs: []string{"libseccomp2"}, Files: []string{"/.", "/usr", "/usr/sbin/runc"},
		},
	}
	if d := cmp.Diff(want, got); d != "" {
		t.Error(d)
	}
	if _, err := (Driver{}).Installed(fstest.MapFS{}, "var/lib/dpkg"); err == nil || !strings.HasPrefix(err.Error(), "reading the package database: ") {
		t.Errorf("got %v", err)
	}
}
