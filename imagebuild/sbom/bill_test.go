package sbom

import (
	"bytes"
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"slipway/imagebuild/distro"
	"slipway/internal/golden"
)

// sample has a part of every kind, and every field and link is used.
func sample(t *testing.T) *Bill {
	t.Helper()
	b := &Bill{Tool: "slipway-v1.2.0", Created: time.Unix(1_780_000_000, 0).UTC(), Parts: []Part{
		{ID: id(Image, ""), Name: title},
		{ID: id(Root, ""), Name: "root file system"},
		{ID: id(Boot, ""), Name: "boot loader and boot file"},
		{
			ID: id(Package, "libstdc++6"), Name: "libstdc++6", Version: "14.2.0-19", PURL: "pkg:deb/debian/libstdc%2B%2B6@14.2.0-19?arch=amd64",
			SHA256: strings.Repeat("a", 64), Licence: "GPL-3.0-or-later AND LicenseRef-mine-00112233", By: "Debian", Home: "https://gcc.gnu.org/",
			Source: "built from source package gcc-14 14.2.0-19",
		},
		{ID: id(Source, "glibc@2.41-12"), Name: "glibc", Version: "2.41-12", PURL: "pkg:deb/debian/glibc@2.41-12?arch=source", By: "Debian"},
		{ID: id(Payload, "helm"), Name: "helm", Version: "v3.22.0", From: "https://get.helm.sh/helm.tar.gz", SHA256: strings.Repeat("b", 64)},
		{
			ID: id(Container, "pause"), Name: "registry.k8s.io/pause", Version: "3.10.2", Path: "/usr/share/slipway/images/pause.tar",
			SHA256: strings.Repeat("c", 64), PURL: "pkg:oci/pause@sha256:cc", Licence: ownLicence, By: "Slipway",
		},
		{ID: id(Program, "usr/bin/helm"), Name: "helm", Version: "v3.22.0", Path: "/usr/bin/helm", SHA256: strings.Repeat("d", 64), Note: "built by go1.26.8"},
		{ID: id(Module, "github.com/Masterminds/semver/v3@v3.4.0"), Name: "github.com/Masterminds/semver/v3", Version: "v3.4.0", Note: "go.sum h1:Zog+i5UMtVoCU8oKka5P7i9q9HgrJeGzI9SA1Xbatp0="},
		{ID: id(File, "kernel"), Name: "kernel", Version: "7.3.4+deb13-amd64", SHA256: strings.Repeat("e", 64)},
	}, Links: []Link{
		{"image", Contains, "root"}, {"image", Contains, "boot"}, {"root", Contains, id(Package, "libstdc++6")},
		{id(Package, "libstdc++6"), MadeOf, id(Source, "glibc@2.41-12")}, {"root", Contains, id(Payload, "helm")}, {"root", Contains, id(Container, "pause")},
		{id(Payload, "helm"), Contains, id(Program, "usr/bin/helm")}, {id(Program, "usr/bin/helm"), Links, id(Module, "github.com/Masterminds/semver/v3@v3.4.0")},
		{"boot", Contains, id(File, "kernel")}, {id(File, "kernel"), MadeOf, id(Package, "libstdc++6")}, {id(File, "kernel"), Contains, id(Package, "libstdc++6")},
	}, Texts: []distro.LicenceText{{ID: "LicenseRef-mine-00112233", Name: "mine", Text: "Do\n\nwhat <you> like."}}}
	if err := b.sort(); err != nil {
		t.Fatal(err)
	}
	return b
}

// TestDocuments: the documents as they are, for a person who changes them.
func TestDocuments(t *testing.T) {
	b := sample(t)
	for name, write := range map[string]func() ([]byte, error){"sample.spdx.json": b.SPDX, "sample.cdx.json": b.CycloneDX} {
		text, err := write()
		if err != nil {
			t.Fatal(err)
		}
		if again, err := write(); err != nil || !bytes.Equal(text, again) || bytes.Count(text, []byte("\n")) != 1 {
			t.Errorf("%s: %v; written twice it is not the same, or not one line", name, err)
		}
		var pretty bytes.Buffer
		if err := json.Indent(&pretty, text, "", "  "); err != nil {
			t.Fatal(err)
		}
		golden.Check(t, "testdata/"+name, pretty.Bytes())
	}
}

// TestRead: what is read is what was written.
func TestRead(t *testing.T) {
	b := sample(t)
	text, err := b.SPDX()
	if err != nil {
		t.Fatal(err)
	}
	got, err := Read(text)
	if err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff(b, got); d != "" {
		t.Error(d)
	}
	for name, c := range map[string]struct{ old, new, want string }{
		"no JSON":         {"{", "", "invalid character"},
		"another version": {`"SPDX-2.3"`, `"SPDX-2.2"`, "it is not the SPDX-2.3 document of an image of Slipway's"},
		"somebody else's": {`"name":"` + title, `"name":"x`, "it is not the SPDX-2.3 document"},
		"no time":         {`"2026-`, `"x`, "cannot parse"},
		"a dangling link": {`"relatedSpdxElement":"SPDXRef-root"`, `"relatedSpdxElement":"SPDXRef-x"`, "image CONTAINS x: one of them is not in the bill"},
		"two of one name": {`"SPDXID":"SPDXRef-root"`, `"SPDXID":"SPDXRef-boot"`, `two different parts are called "boot"`},
	} {
		_, err := Read(bytes.Replace(text, []byte(c.old), []byte(c.new), 1))
		var coded interface{ ExitCode() int }
		if coded, _ = err.(interface{ ExitCode() int }); coded == nil || coded.ExitCode() != 2 || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v, want %q", name, err, c.want)
		}
	}
}

// TestIDs: what SPDX lets stand in an ID. That two names could become one is refused when it happens.
func TestIDs(t *testing.T) {
	for want, name := range map[string]string{
		"package-libstdc-2b--2b-6": "libstdc++6", "package-a--b--v1.2": "a/b@v1.2", "package-a-5f-b": "a_b", "package-a-b": "a-b",
	} {
		if got := id(Package, name); got != want || (Part{ID: got}).Kind() != Package {
			t.Errorf("%s: got %s, want %s", name, got, want)
		}
	}
}

func TestOfAndIn(t *testing.T) {
	b := sample(t)
	if got := b.In("root", Contains, Package); len(got) != 1 || got[0].Name != "libstdc++6" {
		t.Errorf("%+v", got)
	}
	if got := b.In("boot", Contains, Package); len(got) != 0 {
		t.Errorf("%+v", got)
	}
	if got := b.Of(Module); len(got) != 1 {
		t.Errorf("%+v", got)
	}
}
