package debian

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"slipway/imagebuild/distro"
)

// pooled builds a package of nothing in f's pool.
func pooled(t *testing.T, f distro.Fetcher, name string) distro.Package {
	t.Helper()
	dir := t.TempDir()
	if err := os.MkdirAll(filepath.Join(dir, "tree", "DEBIAN"), 0o755); err != nil {
		t.Fatal(err)
	}
	control := "Package: " + name + "\nVersion: 1.0-1\nArchitecture: all\nMaintainer: A <a@example.org>\nDescription: nothing\n"
	if err := os.WriteFile(filepath.Join(dir, "tree", "DEBIAN", "control"), []byte(control), 0o644); err != nil {
		t.Fatal(err)
	}
	built := filepath.Join(dir, "built.deb")
	if out, err := exec.Command("dpkg-deb", "--root-owner-group", "--build", filepath.Join(dir, "tree"), built).CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	data, err := os.ReadFile(built)
	if err != nil {
		t.Fatal(err)
	}
	p := archive(name, string(data), name)
	if err := os.WriteFile(f.PoolFile(p), data, 0o644); err != nil {
		t.Fatal(err)
	}
	return p
}

func TestRepositoryIsReproducible(t *testing.T) {
	f := fetcher(t.TempDir(), "")
	pkgs := []distro.Package{pooled(t, f, "aaa"), pooled(t, f, "bbb")}
	var text [2]string
	for i := range text {
		dir := filepath.Join(t.TempDir(), "repo")
		if err := writeRepo(t.Context(), dir, request("k"), pkgs, f, 1_780_000_000); err != nil {
			t.Fatal(err)
		}
		if got, want := files(t, dir), 5; len(got) != want {
			t.Fatalf("got %v", got)
		}
		for _, name := range []string{"Packages", "Release"} {
			data, err := os.ReadFile(filepath.Join(dir, name))
			if err != nil {
				t.Fatal(err)
			}
			text[i] += string(data)
		}
	}
	if text[0] != text[1] {
		t.Errorf("differs:\n%s\n%s", text[0], text[1])
	}
	for _, want := range []string{"Package: aaa\n", "Filename: ./" + pkgs[1].SHA256 + ".deb\n", "Provides: linux-initramfs-tool\n", "Filename: ./slipway-initrd.deb\n", "Date: Thu, 28 May 2026 20:26:40 UTC\n"} {
		if !strings.Contains(text[0], want) {
			t.Errorf("%q is not in\n%s", want, text[0])
		}
	}
}

// TestStandIn: dpkg reads the package that stands for what makes initrds, and finds nothing in it.
func TestStandIn(t *testing.T) {
	dir := t.TempDir()
	if _, err := writeStandIn(dir, "amd64", 1_780_000_000); err != nil {
		t.Fatal(err)
	}
	deb := filepath.Join(dir, "slipway-initrd.deb")
	out, err := exec.Command("dpkg-deb", "--field", deb, "Package", "Provides").CombinedOutput()
	if err != nil || string(out) != "Package: slipway-initrd\nProvides: linux-initramfs-tool\n" {
		t.Errorf("%v: %s", err, out)
	}
	if out, err := exec.Command("dpkg-deb", "--contents", deb).CombinedOutput(); err != nil || len(out) != 0 {
		t.Errorf("%v: %s", err, out)
	}
}

func TestDamagedArchiveIsNamed(t *testing.T) {
	f := fetcher(t.TempDir(), "")
	p := archive("jq", "no archive", "")
	if err := os.WriteFile(f.PoolFile(p), []byte("no archive"), 0o644); err != nil {
		t.Fatal(err)
	}
	err := writeRepo(t.Context(), filepath.Join(t.TempDir(), "repo"), request("k"), []distro.Package{p}, f, 0)
	if err == nil || !strings.Contains(err.Error(), "reading the control fields of jq") {
		t.Errorf("got %v", err)
	}
}

func TestTreeKeySeesEverything(t *testing.T) {
	req := request("k", "jq")
	pkgs := []distro.Package{archive("jq", "1", "")}
	base := Driver{}.TreeKey(req, pkgs, 1)
	moved := archive("jq", "1", "elsewhere")
	moved.Archive = "trixie-security"
	if (Driver{}).TreeKey(req, []distro.Package{moved}, 1) != base {
		t.Error("where the same archives come from changes the tree")
	}
	other := req
	other.Packages = []string{"jq", "socat"}
	for name, key := range map[string]string{
		"packages": Driver{}.TreeKey(other, pkgs, 1), "digests": Driver{}.TreeKey(req, []distro.Package{archive("jq", "2", "")}, 1), "epoch": Driver{}.TreeKey(req, pkgs, 2),
	} {
		if key == base {
			t.Errorf("other %s give the same key", name)
		}
	}
}

// The lists are sorted and without doubles, every package has its reason, and what only builds does not ship.
func TestPackageLists(t *testing.T) {
	for name, list := range map[string][]struct{ name, why string }{"base": base, "buildOnly": buildOnly} {
		var names []string
		for _, p := range list {
			names = append(names, p.name)
			if p.why == "" {
				t.Errorf("%s has no reason", p.name)
			}
		}
		if !slices.IsSorted(names) || len(slices.Compact(slices.Clone(names))) != len(names) {
			t.Errorf("%s is not sorted: %v", name, names)
		}
	}
	for _, p := range base {
		if slices.Contains((Driver{}).BuildOnly(), p.name) || regexp.MustCompile(`ssh|telnet|gcc|python`).MatchString(p.name) {
			t.Errorf("%s must not ship", p.name)
		}
	}
	got := Driver{}.Request("trixie", "k", []string{"zzz", "jq"}).Packages
	if !slices.IsSorted(got) || !slices.Contains(got, "zzz") || len(got) != len(base)+len(buildOnly)+1 {
		t.Errorf("got %v", got)
	}
}
