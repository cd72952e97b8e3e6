package payload

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"golang.org/x/mod/module"
)

// Needs is what go takes from a module proxy to build an item: less than the module graph, of whose most modules it reads
// the go.mod alone.
type Needs struct {
	GoSum string // lines as in go.sum: of modules, and of go.mod files
	Cache string // go's download cache, which has them all now and is laid out as a module proxy
}

// FindNeeds brings what the item's modules need into go's cache, checked against go.sum and the checksum database, and
// says what it is. It compiles nothing. An item without modules needs nothing.
func FindNeeds(ctx context.Context, item Item, env Env) (Needs, error) {
	if item.Source != SourceGomod || len(item.Modules) == 0 {
		return Needs{}, nil
	}
	needs, err := findNeeds(ctx, item, env)
	if err != nil {
		return Needs{}, fmt.Errorf("looking for the modules of payload %q %s: %w", item.Name, item.Version, err)
	}
	return needs, nil
}

func findNeeds(ctx context.Context, item Item, env Env) (needs Needs, err error) {
	if err := os.MkdirAll(env.CacheDir, 0o755); err != nil {
		return needs, err
	}
	work, err := os.MkdirTemp(env.CacheDir, item.Name+"-needs-*.part")
	if err != nil {
		return needs, err
	}
	defer os.RemoveAll(work)
	g, err := newGobuild(item, env, work)
	if err != nil {
		return needs, err
	}
	modules, err := g.prepare(ctx)
	if err != nil {
		return needs, err
	}
	for _, b := range item.Binaries { // in the order of the build, and so with the go.mod that it will have then
		if _, err := g.run(ctx, "go", "list", "-deps", b.Package); err != nil {
			return needs, fmt.Errorf("listing what %s imports: %w", b.Package, err)
		}
	}
	cache, err := g.run(ctx, "go", "env", "GOMODCACHE")
	if err != nil {
		return needs, err
	}
	needs.Cache = filepath.Join(strings.TrimSpace(string(cache)), "cache", "download")
	sums, err := os.ReadFile(filepath.Join(g.dir, "go.sum"))
	if err != nil {
		return needs, err
	}
	needs.GoSum = string(sums)
	for _, m := range modules { // go itself notes none of a module that is built from a changed copy
		needs.GoSum += fmt.Sprintf("%[1]s %[2]s %[3]s\n%[1]s %[2]s/go.mod %[4]s\n", m.Path, m.Version, m.Sum, m.GoModSum)
	}
	return needs, g.complete(ctx, needs)
}

// complete brings the archives that go's cache had only unpacked.
func (g gobuild) complete(ctx context.Context, needs Needs) error {
	for line := range strings.Lines(needs.GoSum) {
		f := strings.Fields(line)
		if len(f) != 3 || strings.HasSuffix(f[1], "/go.mod") {
			continue
		}
		name, err := ProxyFile(f[0], f[1], "zip")
		if err != nil {
			return err
		}
		if _, err := os.Stat(filepath.Join(needs.Cache, name)); err == nil || !errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if _, err := g.run(ctx, "go", "mod", "download", f[0]+"@"+f[1]); err != nil {
			return fmt.Errorf("downloading %s@%s: %w", f[0], f[1], err)
		}
	}
	return nil
}

// ProxyFile is where a module proxy, and go's download cache, have a file of a module: kind is info, mod or zip.
// See https://go.dev/ref/mod#goproxy-protocol.
func ProxyFile(path, version, kind string) (string, error) {
	p, err := module.EscapePath(path)
	if err != nil {
		return "", err
	}
	v, err := module.EscapeVersion(version)
	if err != nil {
		return "", err
	}
	return p + "/@v/" + v + "." + kind, nil
}
