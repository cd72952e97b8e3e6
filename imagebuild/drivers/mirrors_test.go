//go:build mirrors

package drivers

import (
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"slipway/cluster"
	"slipway/imagebuild/distro"
	"slipway/kernel"
)

// TestMirrors resolves every release and kernel stream from its distribution's own mirrors, and prints a table: for a person
// with the internet, by `make check-mirrors`. RELEASES="noble trixie" takes only those. It fails if one does not resolve.
func TestMirrors(t *testing.T) {
	only := strings.Fields(os.Getenv("RELEASES"))
	var rows []row
	for _, s := range kernel.Streams() {
		if !slices.Contains(cluster.Distros(), s.Distro) || len(only) > 0 && !slices.Contains(only, s.Release) {
			continue
		}
		r := resolve(t, s)
		if rows = append(rows, r); r.Result != "ok" {
			t.Errorf("%s %s %s: %s", s.Distro, s.Release, s.Name, r.Result)
		}
	}
	fmt.Print(reportHead)
	for _, r := range rows {
		fmt.Print(r)
	}
}

func resolve(t *testing.T, s kernel.Stream) row {
	t.Helper()
	out := row{Distro: s.Distro, Release: s.Release, Stream: s.Name}
	d, err := Find(s.Distro)
	if err != nil {
		t.Fatal(err)
	}
	spec, err := cluster.Parse("spec", fmt.Appendf(nil, "cluster: {name: x}\nnetwork: {gateway: 10.0.0.1}\nimage: {distro: %s, release: %q}\n"+
		"nodes: [{name: n1, roles: [etcd, control-plane, worker], address: 10.0.0.11/24}]\n", s.Distro, s.Release), nil)
	if err != nil {
		t.Fatal(err)
	}
	mirrors := d.Mirrors(s.Release, spec.Image.Mirror, spec.Image.Security)
	pkg := s.Package
	if s.Suite != "" {
		pkg += "/" + s.Suite
	}
	facts := d.Facts(s.Release)
	got, err := d.Resolve(t.Context(), d.Request(s.Release, pkg, s.Modules), distro.ResolveInput{
		Mirrors: mirrors, Dir: t.TempDir(), Environ: os.Environ(),
		Fetcher: distro.Fetcher{
			Pool: filepath.Join(t.TempDir(), "pool"), Suffix: facts.Suffix, Snapshots: facts.Snapshots, Client: http.DefaultClient,
			Places: func(p distro.Package) []string { return d.Places(p, mirrors) },
		},
	})
	if err != nil {
		out.Result, _, _ = strings.Cut(err.Error(), "\n")
		return out
	}
	for _, made := range got.Made {
		out.Made = max(out.Made, made.Format(time.DateOnly))
	}
	out.Packages, out.Result = len(got.Packages), "ok"
	for _, p := range got.Packages {
		switch {
		case aKernel.MatchString(p.Name):
			out.Kernel = p.Version
		case p.Name == "systemd":
			out.Systemd = p.Version
		case p.Name == "containerd" || p.Name == "containerd.io":
			out.Containerd = p.Version
		}
	}
	return out
}

// aKernel is a package of a kernel itself, of apt's or of yum's kind.
var aKernel = regexp.MustCompile(`^(linux-image-[0-9].*|kernel(-ml|-lt)?-core)$`)
