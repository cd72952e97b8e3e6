package drivers

import (
	"maps"
	"slices"
	"strings"
	"testing"

	"slipway/cluster"
	"slipway/imagebuild/distro"
	"slipway/kernel"
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
		for _, release := range kernel.Releases(name) {
			m, want := d.Mirrors(release, "http://main", "http://security"), cluster.Archives(name, release)
			if got := slices.Sorted(maps.Keys(m)); !slices.Equal(got, slices.Sorted(slices.Values(want))) {
				t.Errorf("%s %s has the archives %q, and a spec may name %q", name, release, got, want)
			}
			checkFacts(t, name+" "+release, d.Facts(release))
		}
	}
	if _, err := Find("plan9"); err == nil || !strings.Contains(err.Error(), `"plan9"`) || !strings.Contains(err.Error(), "\nhint: take one of debian") {
		t.Errorf("got %v", err)
	}
}

// Every distribution that a spec may name has a driver.
func TestEveryDistro(t *testing.T) {
	for _, name := range cluster.Distros() {
		if _, err := Find(name); err != nil {
			t.Error(err)
		}
	}
}

func checkFacts(t *testing.T, name string, f distro.Facts) {
	t.Helper()
	for what, value := range map[string]string{
		"suffix": f.Suffix, "modules": f.Modules, "kernel": f.Kernel, "stub": f.Stub, "boot loader": f.BootLoader, "database": f.Database,
		"place of the database in the image": f.ShipsAt, "purge": f.Purge, "CA bundle": f.CABundle, "snapshots": f.Snapshots,
	} {
		if value == "" || strings.HasPrefix(value, "/") {
			t.Errorf("%s: %s is %q", name, what, value)
		}
	}
	if !strings.Contains(f.KernelImage("6.1"), "6.1") || string(f.Network) != (cluster.Image{Distro: strings.Fields(name)[0]}).Configurator() || len(f.Units) == 0 {
		t.Errorf("%s: %+v", name, f)
	}
}
