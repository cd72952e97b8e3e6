package vendored

import (
	"path/filepath"
	"strings"
	"testing"

	"slipway/imagebuild/payload"
)

// Of a go.mod that only counts in the graph no archive belongs in; upper case is escaped as proxies have it.
func TestModuleSources(t *testing.T) {
	cache := t.TempDir()
	all, err := ModuleSources([]payload.Needs{
		{GoSum: "m.example/A v1.0.0 h1:a\nm.example/A v1.0.0/go.mod h1:am\n", Cache: cache},
		{GoSum: "m.example/A v1.0.0 h1:a\nx.example v2.0.0/go.mod h1:xm\n", Cache: cache},
	}, []string{"m.example/A@v1.0.0"})
	if err != nil {
		t.Fatal(err)
	}
	var paths []string
	for _, s := range all {
		paths = append(paths, s.Path)
	}
	const want = "go.sum go/sumdb/sum.golang.org/supported go/m.example/!a/@v/v1.0.0.zip go/m.example/!a/@v/v1.0.0.mod go/x.example/@v/v2.0.0.mod go/m.example/!a/@v/v1.0.0.info"
	if got := strings.Join(paths, " "); got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
	if got := string(all[0].Data); got != "m.example/A v1.0.0 h1:a\nm.example/A v1.0.0/go.mod h1:am\nx.example v2.0.0/go.mod h1:xm\n" {
		t.Error(got)
	}
	if got := all[2].From; got != filepath.Join(cache, "m.example/!a/@v/v1.0.0.zip") {
		t.Error(got)
	}
}

func TestModuleSourcesRefuse(t *testing.T) {
	for text, want := range map[string]string{
		"m.example v1.0.0 h1:a\nm.example v1.0.0 h1:b\n": "m.example v1.0.0 has two checksums, h1:a and h1:b",
		"m.example v1.0.0\n":                             `"m.example v1.0.0" is no line of one`,
		"../m v1.0.0 h1:a\n":                             "malformed module path",
		"m.example ../1 h1:a\n":                          "disallowed version string",
	} {
		if _, err := ModuleSources([]payload.Needs{{GoSum: text}}, nil); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v", text, err)
		}
	}
}

// go's cache may have rotted: what goes into the folder is what go.sum says, or nothing does.
func TestRottenModuleCache(t *testing.T) {
	cache := t.TempDir()
	put(t, cache, "m.example/@v/v1.0.0.mod", "module m.example\n")
	put(t, cache, "z.example/@v/v1.0.0.zip", "no archive")
	for sum, want := range map[string]string{
		"m.example v1.0.0/go.mod h1:other\n": "its checksum is h1:",
		"z.example v1.0.0 h1:other\n":        "not a valid zip file",
	} {
		all, err := ModuleSources([]payload.Needs{{GoSum: sum, Cache: cache}}, nil)
		if err != nil {
			t.Fatal(err)
		}
		dir := filepath.Join(t.TempDir(), "vendor")
		_, err = Write(t.Context(), dir, Index{}, all, Writing{})
		if err == nil || !strings.Contains(err.Error(), want) || !strings.Contains(err.Error(), "\nhint: go's module cache is damaged") {
			t.Errorf("got %v", err)
		}
	}
}
