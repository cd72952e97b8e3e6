package imagebuild

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"slipway/imagebuild/payload"
	"slipway/imagebuild/sbom"
)

// TestAddedHidesSecrets: the bill is on every node, and who downloads may have a password in the URL.
func TestAddedHidesSecrets(t *testing.T) {
	b := testBuilder(t, func(*Options) {})
	a, err := b.added(t.Context(), payload.Result{
		Item: payload.Item{
			Name: "helm", Version: "v3", Source: payload.SourceRelease, Class: payload.ClassRoot, SHA256: "aa",
			URL: "https://user:password@files.example.org/helm.tgz?X-Amz-Signature=secret#secret",
		},
		Files: []payload.InstalledFile{{Path: "/usr/bin/helm", HostPath: "/cache/helm", SHA256: "bb"}, {Path: "/usr/bin/h", Symlink: "helm"}},
	})
	want := sbom.Content{Path: "/usr/bin/helm", Host: "/cache/helm", SHA256: "bb"}
	if err != nil || a.From != "https://files.example.org/helm.tgz" || a.SHA256 != "aa" || a.Own || len(a.Files) != 1 || a.Files[0] != want {
		t.Errorf("%+v, %v", a, err)
	}
}

// TestAddedContainer: a preloaded image is called what containerd calls it, by its manifest's digest.
func TestAddedContainer(t *testing.T) {
	b := testBuilder(t, func(*Options) {})
	b.lock = sample()
	a, err := b.added(t.Context(), payload.Result{
		Item:  payload.Item{Name: "pause", Version: "3.10.2", Source: payload.SourceGomod, Class: payload.ClassOCI},
		Files: []payload.InstalledFile{{Path: "/pause", HostPath: file(t, "pause", "program"), SHA256: "bb"}},
	})
	if err != nil {
		t.Fatal(err)
	}
	c := a.Container
	if !a.Own || c.Ref != "registry.k8s.io/pause:3.10.2" || !strings.HasPrefix(c.Digest, "sha256:") || !strings.HasSuffix(c.Path, "/pause.tar") {
		t.Errorf("%+v of %+v", c, a)
	}
	if want := "pkg:oci/pause@" + c.Digest + "?arch=amd64&repository_url=registry.k8s.io/pause&tag=3.10.2"; c.PURL != want {
		t.Errorf("got %s, want %s", c.PURL, want)
	}
}

// TestKeepBill: beside the artefacts lies what the root has, and an unchanged file is left alone.
func TestKeepBill(t *testing.T) {
	b := testBuilder(t, func(*Options) {})
	b.bill = bill{path: file(t, "sbom.spdx.json", "{}\n"), key: "k"}
	kept, err := b.keepBill()
	if err != nil || kept != filepath.Join(b.opt.Out, b.plan.Name+".spdx.json") || text(t, kept) != "{}\n" {
		t.Fatalf("%q, %v", kept, err)
	}
	old := time.Unix(1, 0)
	if err := os.Chtimes(kept, old, old); err != nil {
		t.Fatal(err)
	}
	if _, err := b.keepBill(); err != nil {
		t.Fatal(err)
	}
	if st, err := os.Stat(kept); err != nil || !st.ModTime().Equal(old) {
		t.Errorf("it was written again: %v, %v", st, err)
	}
	if e := b.billEntry(); e.Path != sbom.Path || e.Host != b.bill.path || e.Sum != "k" || e.Mode != 0o644 {
		t.Errorf("%+v", e)
	}
}
