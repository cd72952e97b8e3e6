package roles_test

import (
	"fmt"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/rogpeppe/go-internal/txtar"

	"slipway/internal/golden"
	"slipway/node"
	"slipway/roles"
)

// TestGolden renders the contract in each txtar and compares everything that the node would get; a bad_ case holds the
// exact error instead.
func TestGolden(t *testing.T) {
	for _, path := range cases(t, "*") {
		t.Run(filepath.Base(path), func(t *testing.T) {
			archive := parse(t, path)
			out, err := roles.Render(contract(t, archive))
			if bad := strings.HasPrefix(filepath.Base(path), "bad_"); bad != (err != nil) {
				t.Fatalf("error %v, want one: %v", err, bad)
			}
			got := &txtar.Archive{Comment: archive.Comment, Files: append(archive.Files[:1:1], listing(out, err)...)}
			golden.Check(t, path, txtar.Format(got))
		})
	}
}

// TestRenderTwice guards the order of everything: maps must never show.
func TestRenderTwice(t *testing.T) {
	for _, path := range cases(t, "[^b]*") {
		cfg := contract(t, parse(t, path))
		first, err := roles.Render(cfg)
		if err != nil {
			t.Fatal(err)
		}
		second, err := roles.Render(cfg)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(first, second); diff != "" {
			t.Errorf("%s: two renderings differ:\n%s", path, diff)
		}
	}
}

func cases(t *testing.T, pattern string) []string {
	t.Helper()
	paths, err := filepath.Glob(filepath.Join("testdata", pattern+".txtar"))
	if err != nil || len(paths) == 0 {
		t.Fatalf("finding cases %q: %v", pattern, err)
	}
	return paths
}

func parse(t *testing.T, path string) *txtar.Archive {
	t.Helper()
	archive, err := txtar.ParseFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if len(archive.Files) == 0 || archive.Files[0].Name != "node.json" {
		t.Fatalf("%s: the first file must be node.json", path)
	}
	return archive
}

func contract(t *testing.T, archive *txtar.Archive) *node.Config {
	t.Helper()
	cfg, err := node.Parse(archive.Files[0].Data)
	if err != nil {
		t.Fatalf("parsing node.json: %v", err)
	}
	return cfg
}

// listing writes an output as the files of a txtar archive.
func listing(out roles.Output, err error) []txtar.File {
	if err != nil {
		return []txtar.File{{Name: "error", Data: []byte(err.Error() + "\n")}}
	}
	var files []txtar.File
	for _, f := range out.Files {
		files = append(files, txtar.File{Name: fmt.Sprintf("file %04o %s", f.Mode, f.Path), Data: f.Content})
	}
	for _, u := range out.Units {
		files = append(files, txtar.File{Name: "unit " + u.Name, Data: u.Content})
	}
	for _, o := range out.Objects {
		files = append(files, txtar.File{Name: "object " + o.Path, Data: o.Content})
	}
	return files
}
