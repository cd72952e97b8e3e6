package drivers

import (
	"slices"
	"strings"
	"testing"

	"slipway/imagebuild/distro"
)

// What a build relies on, of every distribution: a driver that forgets a fact is named here and not in the middle of a build.
func TestEveryDriver(t *testing.T) {
	for name := range all() {
		d, err := Find(name)
		if err != nil {
			t.Fatal(err)
		}
		req := d.Request("release", "kernel/archive", []string{"zzz"})
		if req.Name != name || req.Release != "release" || req.Architecture == "" || req.Kernel != "kernel/archive" ||
			!slices.IsSorted(req.Packages) || !slices.Contains(req.Packages, "zzz") {
			t.Errorf("%s asks for %+v", name, req)
		}
		for _, p := range d.BuildOnly() {
			if !slices.Contains(req.Packages, p) {
				t.Errorf("%s does not ask for %s, which building needs", name, p)
			}
		}
		if m := d.Mirrors("release", "http://main", "http://security"); len(m) == 0 {
			t.Errorf("%s has no archives", name)
		}
		f := d.Facts()
		for what, value := range map[string]string{
			"suffix": f.Suffix, "modules": f.Modules, "kernel": f.Kernel, "stub": f.Stub, "boot loader": f.BootLoader, "database": f.Database,
			"place of the database in the image": f.ShipsAt, "purge": f.Purge, "CA bundle": f.CABundle, "snapshots": f.Snapshots,
		} {
			if value == "" || strings.HasPrefix(value, "/") {
				t.Errorf("%s: %s is %q", name, what, value)
			}
		}
		if !strings.Contains(f.KernelImage("6.1"), "6.1") || f.Network != distro.Networkd || len(f.Units) == 0 {
			t.Errorf("%s: %+v", name, f)
		}
	}
	if _, err := Find("plan9"); err == nil || !strings.Contains(err.Error(), `"plan9"`) || !strings.Contains(err.Error(), "\nhint: take one of debian") {
		t.Errorf("got %v", err)
	}
}
