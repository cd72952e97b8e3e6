package sbom

import (
	"debug/buildinfo"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"runtime/debug"
	"slices"
	"strings"
	"testing"
	"testing/fstest"

	"slipway/imagebuild/distro"
)

// lab is an input with a package that stays, one that goes, one of which the boot file is made, and a Go program at each place: this
// test itself.
func lab(t *testing.T) Input {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	program, err := os.ReadFile(self)
	if err != nil {
		t.Fatal(err)
	}
	script := filepath.Join(t.TempDir(), "script")
	if err := os.WriteFile(script, []byte("#!/bin/sh\n"), 0o755); err != nil {
		t.Fatal(err)
	}
	return Input{
		Tool: "slipway-v1", Epoch: 1_780_000_000,
		Tree: fstest.MapFS{
			"usr/sbin/runc":        {Data: program, Mode: 0o755},
			"usr/bin/of-the-tools": {Data: program, Mode: 0o755},
			"usr/lib/no-program":   {Data: program, Mode: 0o644},
			"usr/bin/script":       {Data: []byte("#!/bin/sh\n"), Mode: 0o755},
			"boot/program":         {Data: program, Mode: 0o755},
			"opt/by-hand":          {Data: program, Mode: 0o755},
		},
		Installed: []distro.Installed{
			{Name: "linux", Version: "7.3", Source: distro.Source{Name: "linux", Version: "7.3"}, Files: []string{"/boot/vmlinuz"}},
			{Name: "loader", Version: "257", Source: distro.Source{Name: "systemd", Version: "257"}, Files: []string{"/lib/loader.efi"}},
			{Name: "runc", Version: "1.1", Licence: "Apache-2.0", Supplier: "Debian", Source: distro.Source{Name: "runc-src", Version: "1"}, Files: []string{"/sbin/runc"},
				Using: []distro.Source{{Name: "golang-1.24", Version: "1.24.4-1", PURL: "pkg:deb/debian/golang-1.24@1.24.4-1"}}},
			{Name: "tools", Version: "1", Files: []string{"/.", "/usr", "/usr/bin", "/usr/bin/of-the-tools"}},
		},
		Locked: []distro.Package{{Name: "linux", Version: "7.3", SHA256: "01"}, {Name: "loader", Version: "257", SHA256: "02"}, {Name: "runc", Version: "1.1", SHA256: "03"}},
		Purged: []string{"tools", "loader"},
		Payloads: []Added{
			{Name: "helm", Version: "v3", From: "https://get.helm.sh/x", SHA256: "04", Files: []Content{{"/usr/bin/helm", self, "05"}, {"/usr/bin/plugin", script, "06"}}},
			{Name: "pause", Version: "3.10", Own: true, Files: []Content{{"/pause", self, "07"}}, Container: &Preload{Ref: "registry.k8s.io/pause:3.10", Digest: "sha256:08", Path: "/usr/share/pause.tar", PURL: "pkg:oci/pause"}},
		},
		Boot: []BootFile{
			{Name: "kernel", Version: "7.3", Content: Content{SHA256: "09"}, Taken: []string{"/boot/vmlinuz", "/usr/lib/modules/vmlinuz"}},
			{Name: "initrd", Content: Content{SHA256: "10"}, Taken: []string{"/boot/vmlinuz"}, Program: &Content{"/init", self, "11"}},
			{Name: "loader", Content: Content{SHA256: "12"}, Taken: []string{"/usr/lib/loader.efi"}},
		},
	}
}

// TestCollect tells the bill as lines: what is in what, but for Go modules, of which only the number is told.
func TestCollect(t *testing.T) {
	b, err := Collect(lab(t))
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, l := range b.Links {
		if l.How != Links {
			got = append(got, fmt.Sprintf("%s %s %s", l.From, l.How, l.To))
		}
	}
	want := `boot CONTAINS file-initrd
boot CONTAINS file-kernel
boot CONTAINS file-loader
container-pause CONTAINS program-pause--pause
file-initrd CONTAINS program-initrd--init
file-initrd GENERATED_FROM package-linux
file-kernel GENERATED_FROM package-linux
file-loader GENERATED_FROM package-loader
image CONTAINS boot
image CONTAINS root
package-runc CONTAINS program-usr--sbin--runc
package-runc GENERATED_FROM source-golang-1.24--1.24.4-1
payload-helm CONTAINS file-usr--bin--plugin
payload-helm CONTAINS program-usr--bin--helm
root CONTAINS container-pause
root CONTAINS package-linux
root CONTAINS package-runc
root CONTAINS payload-helm
root CONTAINS program-opt--by-hand`
	if text := strings.Join(got, "\n"); text != want {
		t.Errorf("got\n%s\nwant\n%s", text, want)
	}
	self, err := buildinfo.ReadFile("/proc/self/exe")
	if err != nil {
		t.Fatal(err)
	}
	if n, modules := len(b.Of(Module)), len(self.Deps)+1; n != modules { // and the standard library
		t.Errorf("%d modules, want %d", n, modules)
	}
	if n := len(b.In(id(Program, "usr/bin/helm"), Links, Module)); n != len(b.Of(Module)) {
		t.Errorf("%d modules in one of the programs, want all of %d", n, len(b.Of(Module)))
	}
	for id, want := range map[string]Part{
		"package-runc": {ID: "package-runc", Name: "runc", Version: "1.1", SHA256: "03", Licence: "Apache-2.0", By: "Debian", Source: "built from source package runc-src 1"},
		"container-pause": {ID: "container-pause", Name: "registry.k8s.io/pause", Version: "3.10", SHA256: "08", Path: "/usr/share/pause.tar", PURL: "pkg:oci/pause",
			Licence: "Apache-2.0", By: "Slipway"},
		"payload-helm":          {ID: "payload-helm", Name: "helm", Version: "v3", From: "https://get.helm.sh/x", SHA256: "04"},
		"file-usr--bin--plugin": {ID: "file-usr--bin--plugin", Name: "plugin", Version: "v3", Path: "/usr/bin/plugin", SHA256: "06"},
		"file-kernel":           {ID: "file-kernel", Name: "kernel", Version: "7.3", SHA256: "09"},
	} {
		if i := slices.IndexFunc(b.Parts, func(p Part) bool { return p.ID == id }); i < 0 || b.Parts[i] != want {
			t.Errorf("%s: got %+v", id, b.Parts[i])
		}
	}
}

// TestCollectRefuses what would make the bill say something wrong.
func TestCollectRefuses(t *testing.T) {
	for want, change := range map[string]func(*Input){
		"the tree has package runc 1.1, and the lock does not":                         func(in *Input) { in.Locked[2].Version = "1.2" },
		"no package has /usr/lib/loader.efi, and loader is made of it":                 func(in *Input) { in.Installed[1].Files = nil },
		"no package has /boot/vmlinuz or /usr/lib/modules/vmlinuz, and kernel is made": func(in *Input) { in.Installed[0].Files = nil },
		"no such file": func(in *Input) { in.Payloads[0].Files[0].Host = "/nowhere" },
		`two different parts are called "payload-helm"`: func(in *Input) { in.Payloads = append(in.Payloads, Added{Name: "helm", Version: "v4"}) },
	} {
		in := lab(t)
		change(&in)
		if _, err := Collect(in); err == nil || !strings.HasPrefix(err.Error(), "writing the bill of materials: ") || !strings.Contains(err.Error(), want) {
			t.Errorf("got %v, want %q", err, want)
		}
	}
}

// TestModule: what is really in a program.
func TestModule(t *testing.T) {
	for want, m := range map[string]debug.Module{
		"module-k8s.io--api--v0.36.3 k8s.io/api v0.36.3 go.sum h1:b; in place of k8s.io/api v0.0.0 pkg:golang/k8s.io/api@v0.36.3": {
			Path: "k8s.io/api", Version: "v0.0.0", Sum: "h1:a", Replace: &debug.Module{Path: "k8s.io/api", Version: "v0.36.3", Sum: "h1:b"}},
		"module-github.com--coreos--ignition--v2--v2.26.0-changed github.com/coreos/ignition/v2 v2.26.0 with changes of Slipway's pkg:golang/github.com/coreos/ignition/v2@v2.26.0": {
			Path: "github.com/coreos/ignition/v2", Version: "v2.26.0", Replace: &debug.Module{Path: "../patched", Version: "(devel)"}},
		"module-github.com--MakeNowJust--heredoc--v1.0.0 github.com/MakeNowJust/heredoc v1.0.0 go.sum h1:c pkg:golang/github.com/makenowjust/heredoc@v1.0.0": {
			Path: "github.com/MakeNowJust/heredoc", Version: "v1.0.0", Sum: "h1:c"},
	} {
		if p := module(&m); fmt.Sprint(p.ID, " ", p.Name, " ", p.Version, " ", p.Note, " ", p.PURL) != want {
			t.Errorf("got %+v, want %s", p, want)
		}
	}
}

// unreadable is a tree in which one file and one folder are another user's.
type unreadable struct{ fstest.MapFS }

func (u unreadable) Open(name string) (fs.File, error) {
	if strings.HasSuffix(name, "secret") {
		return nil, &fs.PathError{Op: "open", Path: name, Err: fs.ErrPermission}
	}
	return u.MapFS.Open(name)
}

func (u unreadable) ReadDir(name string) ([]fs.DirEntry, error) {
	if name == "var/secret" {
		return nil, &fs.PathError{Op: "open", Path: name, Err: fs.ErrPermission}
	}
	return u.MapFS.ReadDir(name)
}

func TestProgramsOfOthers(t *testing.T) {
	tree := unreadable{fstest.MapFS{"usr/bin/secret": {Mode: 0o755}, "var/secret/program": {Mode: 0o755}, "usr/bin/empty": {Mode: 0o755}}}
	found, err := Programs(tree, func(string) bool { return false })
	if err != nil || len(found) != 0 {
		t.Errorf("%v, %v", found, err)
	}
	broken := errors.New("broken")
	if _, err := Programs(brokenFS{broken}, func(string) bool { return false }); !errors.Is(err, broken) {
		t.Errorf("got %v", err)
	}
}

type brokenFS struct{ err error }

func (b brokenFS) Open(string) (fs.File, error) { return nil, b.err }
