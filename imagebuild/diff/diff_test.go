package diff

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/google/go-cmp/cmp"

	"slipway/imagebuild/sbom"
	"slipway/imagebuild/verify"
	"slipway/imagebuild/verify/verifytest"
)

// side is an image of the good recipe after change, with a bill.
func side(t *testing.T, name string, change func(*verifytest.Recipe), bill func(*sbom.Bill)) Side {
	t.Helper()
	recipe := verifytest.Good()
	change(&recipe)
	if bill != nil {
		var err error
		if recipe, err = recipe.WithBill(bill); err != nil {
			t.Fatal(err)
		}
	}
	path := filepath.Join(t.TempDir(), name)
	if _, err := recipe.Write(path); err != nil {
		t.Fatal(err)
	}
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	i, err := verify.Open(bytes.NewReader(b), int64(len(b)))
	if err != nil {
		t.Fatal(err)
	}
	s, err := FromImage(name, i)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func same(*verifytest.Recipe) {}

// goParts adds a payload with a program of two modules to a bill.
func goParts(version string) func(*sbom.Bill) {
	return func(b *sbom.Bill) {
		for _, p := range []sbom.Part{
			{ID: "payload-etcd", Name: "etcd", Version: version}, {ID: "program-etcd", Name: "etcd", Version: version, Path: "/usr/bin/etcd"},
			{ID: "module-x--v1", Name: "x", Version: "v1"}, {ID: "module-x--" + version, Name: "x", Version: version},
			{ID: "container-pause", Name: "registry.k8s.io/pause", Version: "3.10"},
		} {
			b.Parts = append(b.Parts, p)
			b.Links = append(b.Links, sbom.Link{From: "root", How: sbom.Contains, To: p.ID})
		}
	}
}

func lines(r *Report) string {
	var b strings.Builder
	for name, list := range map[string][]Change{"package": r.Packages, "payload": r.Payloads, "container": r.Containers, "program": r.Programs, "module": r.Modules} {
		for _, c := range list {
			fmt.Fprintf(&b, "%s %s: %q %q; ", name, c.Name, c.A, c.B)
		}
	}
	for _, c := range r.Boot {
		fmt.Fprintf(&b, "boot %s; ", c.Name)
	}
	for _, f := range r.Files {
		if f.Path != sbom.Path {
			fmt.Fprintf(&b, "file %s; ", f.Path)
		}
	}
	return b.String()
}

// TestCompare changes one thing at a time.
func TestCompare(t *testing.T) {
	a := side(t, "a.raw", same, goParts("v3"))
	for name, c := range map[string]struct {
		change func(*verifytest.Recipe)
		bill   func(*sbom.Bill)
		want   []string
	}{
		"only times":     {same, goParts("v3"), []string{""}}, // when it was packed, which is in the root hash
		"a version":      {same, goParts("v4"), []string{`payload etcd: "v3" "v4"; `, `program /usr/bin/etcd: "v3" "v4"; `, `module x: "v1, v3" "v1, v4"; `}},
		"the initrd":     {func(r *verifytest.Recipe) { r.Initrd += "x" }, goParts("v3"), []string{"boot initrd; "}},
		"kernel options": {func(r *verifytest.Recipe) { r.Cmdline += " quiet" }, goParts("v3"), []string{""}},
		"a package": {func(r *verifytest.Recipe) {
			r.Tree["usr/lib/sysimage/dpkg/status"] = &fstest.MapFile{Data: []byte("Package: jq\nStatus: install ok installed\nVersion: 2\n")}
		}, goParts("v3"), []string{`package jq: "1.7.1-6" "2"; `, "file /usr/lib/sysimage/dpkg/status; "}},
		"a file more": {func(r *verifytest.Recipe) { r.Tree["usr/new"] = &fstest.MapFile{} }, goParts("v3"), []string{"file /usr/new; "}},
		"of one size": {func(r *verifytest.Recipe) {
			r.Tree["usr/lib/modules/7.2.12/modules.dep"] = &fstest.MapFile{Data: []byte("kernel/net/ip_vs.ko.zz:\n")}
		}, goParts("v3"), []string{"file /usr/lib/modules/7.2.12/modules.dep; "}},
	} {
		b := side(t, "b.raw", c.change, c.bill)
		r, err := Compare(a, b)
		if err != nil {
			t.Fatal(err)
		}
		got := lines(r)
		left := got
		for _, want := range c.want {
			if !strings.Contains(got, want) {
				t.Errorf("%s: no %q in %q", name, want, got)
			}
			left = strings.Replace(left, want, "", 1)
		}
		if left != "" || r.Equal || r.NotCompared != nil {
			t.Errorf("%s: also %q, equal %t, not compared %q", name, left, r.Equal, r.NotCompared)
		}
	}
	if r, err := Compare(a, a); err != nil || !r.Equal || lines(r) != "" {
		t.Errorf("an image and itself: %+v, %v", r, err)
	}
}

// TestStates: what is told of a file.
func TestStates(t *testing.T) {
	a := side(t, "a.raw", func(r *verifytest.Recipe) { r.Tree["x"] = &fstest.MapFile{Data: []byte("x")} }, nil)
	b := side(t, "b.raw", func(r *verifytest.Recipe) { r.Tree["y"] = &fstest.MapFile{Data: []byte("xy")} }, nil)
	r, err := Compare(a, b)
	if err != nil {
		t.Fatal(err)
	}
	want := []File{
		{Path: "/x", A: &State{Mode: "-rw-------", Owner: r.Files[0].A.Owner, Size: 1, SHA256: "2d711642b726b04401627ca9fbac32f5c8530fb1903cc4db02258717921a4881"}},
		{Path: "/y", B: &State{Mode: "-rw-------", Owner: r.Files[0].A.Owner, Size: 2, SHA256: "3f2a6f4bbdc8f4a3cfc8c3a3e0b2f5d0ef5ad3e7b5e3a0df1ab0a4d4a2d3c7b1"}},
	}
	want[1].B.SHA256 = r.Files[1].B.SHA256
	if d := cmp.Diff(want, r.Files); d != "" || len(r.Files[1].B.SHA256) != 64 {
		t.Error(d)
	}
	if len(r.NotCompared) != 1 || !strings.HasSuffix(r.NotCompared[0], "a.raw has no bill of materials") {
		t.Errorf("%q", r.NotCompared)
	}
}

// TestBills compares what there is when one side, or both, are bills alone.
func TestBills(t *testing.T) {
	a, b := side(t, "a.raw", same, goParts("v3")), side(t, "b.raw", same, goParts("v4"))
	billA, billB := FromBill("a.spdx.json", a.bill), FromBill("b.spdx.json", b.bill)
	for name, c := range map[string]struct {
		a, b  Side
		equal bool
	}{"both": {billA, billB, false}, "one": {a, billB, false}, "itself": {billA, billA, true}, "its own": {billA, a, true}} {
		r, err := Compare(c.a, c.b)
		if err != nil {
			t.Fatal(err)
		}
		if r.Equal != c.equal || len(r.NotCompared) != 1 || !c.equal && !strings.Contains(lines(r), `program /usr/bin/etcd: "v3" "v4"; `) || r.A.Kernel != "7.2.12" || r.B.Kernel != "7.2.12" {
			t.Errorf("%s: %+v", name, r)
		}
	}
}

func TestListed(t *testing.T) {
	for want, m := range map[string]os.FileMode{
		"-rwxr-xr-x": 0o755, "-rwsr-xr-x": 0o755 | os.ModeSetuid, "-rw-r-Sr--": 0o644 | os.ModeSetgid, "drwxrwxrwt": 0o777 | os.ModeDir | os.ModeSticky,
		"lrwxrwxrwx": 0o777 | os.ModeSymlink, "crw-rw-rw-": 0o666 | os.ModeDevice | os.ModeCharDevice, "brw-rw----": 0o660 | os.ModeDevice,
	} {
		if got := listed(m); got != want {
			t.Errorf("%s: got %s, want %s", m, got, want)
		}
	}
}
