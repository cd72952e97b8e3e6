package centos

import (
	"encoding/base64"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"

	"slipway/imagebuild/distro"
	"slipway/imagebuild/sandbox"
	"slipway/internal/testyum"
)

// small are packages of a tree that needs no program but the host's: scripts of theirs have nothing to run in.
func small() []testyum.Package {
	file := func(path string, mode uint, owner, body string) testyum.File {
		return testyum.File{Path: path, Mode: mode, Owner: owner, Group: owner, Time: day, Body: []byte(body)}
	}
	setup := testyum.Package{Name: "setup", Version: "1", Release: "1", Arch: "noarch", Time: day, Files: []testyum.File{
		file("/etc/passwd", 0o100644, "root", "root:x:0:0:root:/root:/bin/bash\n"), file("/etc/group", 0o100644, "root", "root:x:0:\n"),
		file("/etc/shadow", 0o100400, "root", "root:*:19000:0:99999:7:::\n"), file("/etc/gshadow", 0o100400, "root", "root:::\n"),
	}}
	filesystem := testyum.Package{Name: "filesystem", Version: "1", Release: "1", Arch: "x86_64", Time: day, Requires: []string{"pre:setup"}, Files: []testyum.File{
		file("/usr/lib", 0o040755, "root", ""), file("/lib", 0o120777, "root", "usr/lib"), file("/tmp", 0o041777, "root", ""),
	}}
	line := base64.StdEncoding.EncodeToString([]byte(`u chrony - "chrony system user" /var/lib/chrony /sbin/nologin`))
	chrony := testyum.Package{Name: "chrony", Version: "4", Release: "1", Arch: "x86_64", Time: day,
		Requires: []string{"pre:filesystem", "user(chrony)"}, Provides: []string{"user(chrony) = " + line, "group(chrony)"},
		Files: []testyum.File{file("/var/lib/chrony", 0o040750, "chrony", ""), file("/usr/share/doc/chrony/FAQ", 0o100644, "root", "x")},
	}
	return []testyum.Package{setup, filesystem, chrony}
}

// unpack makes a tree of packages, with the modules that depmod has nothing to do for.
func unpack(t *testing.T, pkgs []testyum.Package) string {
	t.Helper()
	pool, work, dest := t.TempDir(), t.TempDir(), filepath.Join(t.TempDir(), "root")
	in := distro.UnpackInput{Fetcher: distro.Fetcher{Pool: pool, Suffix: suffix}, Work: work, Dest: dest, Epoch: 1700000000,
		Sandbox: sandbox.New(os.Geteuid(), nil)}
	for i, p := range pkgs {
		if err := p.Write(pool, nil); err != nil {
			t.Fatal(err)
		}
		sum := fmt.Sprintf("%064d", i)
		if err := os.Rename(filepath.Join(pool, p.FileName()), filepath.Join(pool, sum+suffix)); err != nil {
			t.Fatal(err)
		}
		in.Packages = append(in.Packages, distro.Package{Name: p.Name, Version: p.Version, SHA256: sum})
	}
	if err := (Driver{}).Unpack(t.Context(), in); err != nil {
		t.Fatal(err)
	}
	return dest
}

// The tree has the packages' files and owners, those accounts too that only a package's metadata tells of, and nothing of the
// programs that made it; made again it is the same.
func TestUnpack(t *testing.T) {
	tree := unpack(t, small())
	st, err := os.Stat(filepath.Join(tree, "var/lib/chrony"))
	if err != nil {
		t.Fatal(err)
	}
	if owner := st.Sys().(*syscall.Stat_t).Uid; owner == 0 || st.Mode().Perm() != 0o750 {
		t.Errorf("/var/lib/chrony belongs to %d, %v", owner, st.Mode())
	}
	passwd, err := os.ReadFile(filepath.Join(tree, "etc/passwd"))
	if err != nil || !strings.Contains(string(passwd), "\nchrony:x:") {
		t.Errorf("%v, %s", err, passwd)
	}
	list := listing(t, tree)
	for _, path := range []string{"usr/share/doc", "var/lib/dnf", "var/log/dnf.log", database + "/.rpm.lock", database + "/rpmdb.sqlite-wal", "etc/kernel", "root/.rpmdb", "dev/null"} {
		if slices.ContainsFunc(list, func(l string) bool { return strings.Contains(l, " "+path+" ") }) {
			t.Errorf("the tree has %s", path)
		}
	}
	if again := listing(t, unpack(t, small())); !slices.Equal(list, again) {
		t.Errorf("made twice:\n%s\n\n%s", strings.Join(list, "\n"), strings.Join(again, "\n"))
	}
}

// listing says of every file what it is, and of its content the digest.
func listing(t *testing.T, tree string) []string {
	t.Helper()
	cmd := exec.Command("sh", "-c", `find . -mindepth 1 -printf '%M %U:%G %P %l\n' | sort; find . -type f | sort | xargs sha256sum`)
	cmd.Dir = tree
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	return strings.Split(string(out), "\n")
}

// What builds an image leaves it, but for what the spec asks for or needs.
func TestPurge(t *testing.T) {
	pkgs := append(small(), rpm("squashfs-tools-4"), rpm("dracut-100"), rpm("own-1", "squash"), rpm("other-1"))
	pkgs[3].Provides = []string{"squash"}
	tree := unpack(t, pkgs)
	for extra, want := range map[string][]string{"": {"squashfs-tools", "dracut"}, "own": {"dracut"}, "dracut": {"squashfs-tools"}, "other": {"squashfs-tools", "dracut"}} {
		got, err := Driver{}.Purge(tree, strings.Fields(extra))
		if err != nil || !slices.Equal(got, want) {
			t.Errorf("%q: %q, %v", extra, got, err)
		}
	}
	purge := exec.Command("sh", "-euc", `purge="squashfs-tools dracut"; `+Driver{}.Facts("10").Purge)
	purge.Dir = tree
	if out, err := purge.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	if _, err := os.Stat(filepath.Join(tree, "usr/share/dracut-100")); !os.IsNotExist(err) {
		t.Error("dracut is still there")
	}
	if _, err := os.Stat(filepath.Join(tree, "usr/share/own-1")); err != nil {
		t.Error(err)
	}
}
