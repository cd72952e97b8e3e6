//go:build fleet

package fleet_test

import (
	"debug/buildinfo"
	"encoding/json"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// billOfImage is what is asked of the image's bill of materials.
type billOfImage struct {
	Packages []struct {
		SPDXID, Name, VersionInfo, PackageFileName, LicenseDeclared string
		Checksums                                                   []struct{ ChecksumValue string }
	}
	Relationships []struct{ SpdxElementId, RelationshipType, RelatedSpdxElement string }
}

// TestBill counts: the bill of the image has what dpkg's own tool finds in its root, and every program in which Go's finds what it
// wrote there, with all modules.
func TestBill(t *testing.T) {
	im, err := theImage()
	if err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(filepath.Join(im.root, "usr/share/slipway/sbom.spdx.json"))
	if err != nil {
		t.Fatal(err)
	}
	if beside, err := os.ReadFile(filepath.Join(im.out(), "fleet.spdx.json")); err != nil || string(beside) != string(text) {
		t.Errorf("the bill beside the image is another than the one in it: %v", err)
	}
	var bill billOfImage
	if err := json.Unmarshal(text, &bill); err != nil {
		t.Fatal(err)
	}
	var said []string
	programs, licences := map[string]string{}, 0
	for _, p := range bill.Packages {
		kind, _, _ := strings.Cut(strings.TrimPrefix(p.SPDXID, "SPDXRef-"), "-")
		switch {
		case kind == "package" && bill.contains("SPDXRef-root", p.SPDXID):
			said = append(said, p.Name+" "+p.VersionInfo)
			if p.LicenseDeclared != "NOASSERTION" {
				licences++
			}
		case kind == "program" && !strings.HasPrefix(p.SPDXID, "SPDXRef-program-initrd--") && !strings.HasPrefix(p.SPDXID, "SPDXRef-program-pause--") && !strings.HasPrefix(p.SPDXID, "SPDXRef-program-coredns--"):
			programs[p.PackageFileName] = p.SPDXID
		}
	}
	out, err := exec.Command("dpkg-query", "--admindir="+filepath.Join(im.root, "usr/lib/sysimage/dpkg"), "-W", "-f", "${Package} ${Version}\n").Output()
	if err != nil {
		t.Fatal(err)
	}
	there := strings.Split(strings.TrimSpace(string(out)), "\n")
	slices.Sort(said)
	slices.Sort(there)
	if !slices.Equal(said, there) || len(there) < 100 {
		t.Errorf("the bill has %d packages, dpkg-query %d", len(said), len(there))
	}
	if licences < len(said)*8/10 {
		t.Errorf("licences of %d packages of %d", licences, len(said))
	}
	found := bill.checkPrograms(t, im.root, programs)
	if found != len(programs) || found < 15 {
		t.Errorf("the bill has %d programs in the root, of which %d are there", len(programs), found)
	}
	t.Logf("%d KiB: %d packages, %d with licences; %d Go programs", len(text)>>10, len(said), licences, found)
}

// checkPrograms looks for Go programs in the root, and returns how many it found.
func (b billOfImage) checkPrograms(t *testing.T, root string, said map[string]string) (found int) {
	t.Helper()
	modules := map[string]int{}
	for _, r := range b.Relationships {
		if r.RelationshipType == "STATIC_LINK" {
			modules[r.SpdxElementId]++
		}
	}
	err := filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		if err != nil || !d.Type().IsRegular() {
			return err
		}
		info, err := d.Info()
		if err != nil || info.Mode()&0o111 == 0 {
			return err
		}
		program, err := buildinfo.ReadFile(path)
		if err != nil {
			return nil // none of Go's
		}
		found++
		name := strings.TrimPrefix(path, root)
		want := 1 + len(program.Deps) // and the standard library
		if v := program.Main.Version; v != "" && v != "(devel)" {
			want++
		}
		if n := modules[said[name]]; said[name] == "" || n != want {
			t.Errorf("%s: the bill has it with %d modules, want %d", name, n, want)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return found
}

func (b billOfImage) contains(from, to string) bool {
	return slices.ContainsFunc(b.Relationships, func(r struct{ SpdxElementId, RelationshipType, RelatedSpdxElement string }) bool {
		return r.SpdxElementId == from && r.RelationshipType == "CONTAINS" && r.RelatedSpdxElement == to
	})
}
