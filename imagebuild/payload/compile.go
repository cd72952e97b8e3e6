package payload

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"slipway/imagebuild/payload/ignition"
)

// buildFlags are equal for all programs; no path, time or revision of the building machine gets into them.
const buildFlags = "-trimpath -buildvcs=false -ldflags=-s -w -buildid="

// compile builds a gomod item's binaries into out, in a throwaway module under work.
func compile(ctx context.Context, item Item, env Env, work, out string) ([]ModuleSum, error) {
	g := gobuild{item: item, env: env, dir: filepath.Join(work, "module"), tmp: filepath.Join(work, "tmp")}
	for _, d := range []string{g.dir, g.tmp} {
		if err := os.Mkdir(d, 0o755); err != nil {
			return nil, err
		}
	}
	first, err := g.prepare(ctx)
	if err != nil {
		return nil, err
	}
	for _, b := range item.Binaries {
		env.event(item, "building "+b.Name)
		args := []string{"go", "build", "-v", "-trimpath", "-buildvcs=false", "-ldflags", ldflags(item.Vars), "-o", filepath.Join(out, b.Name), b.Package}
		if _, err := g.run(ctx, args...); err != nil {
			return nil, fmt.Errorf("building %s: %w", b.Package, err)
		}
		if err := mustBeStatic(filepath.Join(out, b.Name)); err != nil {
			return nil, fmt.Errorf("building %s: %w", b.Package, err)
		}
	}
	var others []ModuleSum
	if item.Patched { // a program does not tell the checksum of a module that is built from a folder
		others = append(others, first.ModuleSum)
	}
	sums, err := linked(item, out, others...)
	return markPrivate(sums, item.Known, private(env.Environ)), err
}

func ldflags(vars []string) string {
	flags := []string{"-s", "-w", "-buildid="}
	for _, v := range vars {
		flags = append(flags, "-X", v)
	}
	return strings.Join(flags, " ")
}

type gobuild struct {
	item     Item
	env      Env
	dir, tmp string
}

// prepare downloads the item's modules and writes go.mod, go.sum and, for a template, main.go. It returns the first module.
func (g gobuild) prepare(ctx context.Context) (downloaded, error) {
	const alone = "module payload\n\ngo 1.25\n"
	files := map[string][]byte{"go.mod": []byte(alone), "go.sum": gosum(g.item.Known)}
	if g.item.Template != "" {
		files["main.go"] = []byte(templateText(g.item.Template))
	}
	for name, content := range files {
		if err := g.write(name, content); err != nil {
			return downloaded{}, err
		}
	}
	if len(g.item.Modules) == 0 {
		return downloaded{}, nil
	}
	first, err := g.download(ctx)
	if err != nil {
		return first, err
	}
	upstream, err := os.ReadFile(first.GoMod)
	if err != nil {
		return first, fmt.Errorf("reading go.mod of %s: %w", first.Path, err)
	}
	gomod, err := synthesise(upstream, g.item.Modules, g.item.Version)
	if err == nil && g.item.Patched {
		gomod, err = g.patch(first, gomod)
	}
	if err != nil {
		return first, err
	}
	return first, g.write("go.mod", gomod)
}

// patchedDir is the changed copy of a module, beside the throwaway one.
const patchedDir = "patched"

// patch copies a module out of go's cache, changes the copy and has gomod point to it.
func (g gobuild) patch(m downloaded, gomod []byte) ([]byte, error) {
	to := filepath.Join(filepath.Dir(g.dir), patchedDir)
	if err := os.CopyFS(to, os.DirFS(m.Dir)); err != nil {
		return nil, fmt.Errorf("copying %s: %w", m.Path, err)
	}
	if err := ignition.Apply(to); err != nil {
		return nil, err
	}
	return fmt.Appendf(gomod, "\nreplace %s => ../%s\n", m.Path, patchedDir), nil
}

// downloaded is a module in go's cache, as `go mod download -json` tells: its go.mod as a file, and the folder of its source.
type downloaded struct {
	ModuleSum
	GoMod, Dir, Error string
}

// download brings the modules into go's cache, checked against go.sum and the checksum database, and returns the first.
func (g gobuild) download(ctx context.Context) (first downloaded, err error) {
	for i, path := range g.item.Modules {
		at := path + "@" + g.item.Version
		g.env.event(g.item, "downloading "+at)
		stdout, err := g.run(ctx, "go", "mod", "download", "-json", at)
		var m downloaded
		if jsonErr := json.Unmarshal(stdout, &m); err != nil || jsonErr != nil || m.Error != "" {
			return first, downloadError(at, g.item.Name, m.Error, err, jsonErr)
		}
		if m.Sum == "" {
			return first, fmt.Errorf("downloading %s: go gave no checksum", at)
		}
		if i == 0 {
			first = m
		}
	}
	return first, nil
}

func downloadError(at, name, said string, err, jsonErr error) error {
	const hint = "\nhint: does the version exist, and does GOPROXY lead to a proxy that has it? payloads.%s.source may be release or file instead"
	switch {
	case said != "" && hintFor(said) != "":
		return fmt.Errorf("downloading %s: %s%s", at, strings.TrimSpace(said), hintFor(said))
	case said != "":
		return fmt.Errorf("downloading %s: %s"+hint, at, said, name)
	case err != nil:
		return fmt.Errorf("downloading %s: %w", at, err)
	}
	return fmt.Errorf("downloading %s: reading what go printed: %w", at, jsonErr)
}

func (g gobuild) write(name string, content []byte) error {
	return os.WriteFile(filepath.Join(g.dir, name), content, 0o644)
}

// run runs go in the module's folder; the error carries the end of what it said and, where it is known, the way out.
func (g gobuild) run(ctx context.Context, args ...string) ([]byte, error) {
	var stdout bytes.Buffer
	said := &listener{heard: func(line string) { g.env.event(g.item, line) }}
	err := g.env.Run.Run(ctx, Cmd{Args: args, Dir: g.dir, Env: goEnv(g.env.Environ, g.tmp), Stdout: &stdout, Stderr: said})
	if err == nil {
		return stdout.Bytes(), nil
	}
	if ctx.Err() != nil {
		return nil, ctx.Err()
	}
	text := said.text()
	if text == "" {
		return stdout.Bytes(), fmt.Errorf("%w%s", err, hintFor(err.Error()))
	}
	return stdout.Bytes(), fmt.Errorf("%w:\n%s%s", err, text, hintFor(text))
}

// hintFor maps what the Go toolchain says to what a person can do about it.
func hintFor(said string) string {
	for _, h := range []struct{ sign, hint string }{
		{"executable file not found", "install the program named above"},
		{"requires go >=", "install the Go release that is named above, or choose an older version of the payload"},
		{"no space left on device", "free space in the cache folder and in Go's build cache"},
		{"checksum mismatch", "the proxy's module is not the one that the lock names, or not the one that the world sees: do not use it"},
		{"SECURITY ERROR", "the proxy's module is not the one that the lock names, or not the one that the world sees: do not use it"},
		{"dial tcp", "is the network up? GOPROXY may name a proxy that you can reach"},
		{"403 Forbidden", "the proxy does not have this version; choose another, or set the payload's source to release or file"},
	} {
		if strings.Contains(said, h.sign) {
			return "\nhint: " + h.hint
		}
	}
	return ""
}
