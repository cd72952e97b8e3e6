package sbom

import (
	"crypto/sha256"
	"debug/buildinfo"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"path"
	"runtime/debug"
	"strings"

	"slipway/imagebuild/purl"
)

// Programs are the Go programs of a tree by their absolute path, with what the toolchain wrote into them. Folders and files
// that skip names, and files that this user may not read, are left out.
func Programs(tree fs.FS, skip func(path string) bool) (map[string]GoProgram, error) {
	found := map[string]GoProgram{}
	err := fs.WalkDir(tree, ".", func(name string, d fs.DirEntry, err error) error {
		switch {
		case errors.Is(err, fs.ErrPermission):
			return nil
		case err != nil:
			return err
		case skip("/" + name):
			if d.IsDir() {
				return fs.SkipDir
			}
			return nil
		case !d.Type().IsRegular():
			return nil
		}
		info, err := d.Info()
		if err != nil || info.Mode()&0o111 == 0 {
			return err
		}
		p, ok, err := program(tree, name, true)
		if ok {
			found["/"+name] = p
		}
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("looking for Go programs: %w", err)
	}
	return found, nil
}

// program reads a file, if it is one of Go's; its digest may be known already.
func program(tree fs.FS, name string, digest bool) (p GoProgram, ok bool, err error) {
	f, err := tree.Open(name)
	if errors.Is(err, fs.ErrPermission) {
		return p, false, nil
	}
	if err != nil {
		return p, false, err
	}
	defer f.Close()
	r, canSeek := f.(io.ReaderAt)
	if !canSeek {
		return p, false, fmt.Errorf("reading %s: it can only be read from its beginning", name)
	}
	if p.BuildInfo, err = buildinfo.Read(r); err != nil {
		return p, false, nil // no program, or none of Go's
	}
	if !digest {
		return p, true, nil
	}
	sum := sha256.New()
	if _, err := io.Copy(sum, f); err != nil {
		return p, false, err
	}
	p.SHA256 = fmt.Sprintf("%x", sum.Sum(nil))
	return p, true, nil
}

// GoProgram is what a program says of itself.
type GoProgram struct {
	*debug.BuildInfo
	SHA256 string // of the file, hex
}

// part is the program with its path. Its version is the main module's, or else the one of what brought it.
func (p GoProgram) part(id, file, version string) Part {
	if v := p.Main.Version; v != "" && v != "(devel)" {
		version = v
	}
	note := "built by " + p.GoVersion
	if strings.Contains(p.Path, "/") { // else it is a program around somebody's packages
		note += " from " + p.Path
	}
	return Part{ID: id, Name: path.Base(file), Version: version, Path: file, SHA256: p.SHA256, Note: note}
}

// modules are what the program is made of, the standard library too. Of programs that Debian built there is only the latter:
// its packages say what they used. Main modules without a version are ours.
func (p GoProgram) modules() []Part {
	stdlib, _, _ := strings.Cut(strings.TrimPrefix(p.GoVersion, "go"), " ") // experiments follow
	out := []Part{{
		ID: id(Module, "stdlib@"+stdlib), Name: "stdlib", Version: stdlib, Licence: "BSD-3-Clause",
		PURL: purl.URL{Type: "golang", Name: "stdlib", Version: stdlib}.Text(),
	}}
	for _, m := range append([]*debug.Module{&p.Main}, p.Deps...) {
		if m.Path != "" && m.Version != "" && m.Version != "(devel)" {
			out = append(out, module(m))
		}
	}
	return out
}

// module is what is really in the program: another module in its place, or its source as it was changed on this machine.
func module(m *debug.Module) Part {
	key, note := "", "go.sum "+m.Sum
	if m.Replace != nil && m.Replace.Version != "" && m.Replace.Version != "(devel)" {
		m, note = m.Replace, fmt.Sprintf("go.sum %s; in place of %s %s", m.Replace.Sum, m.Path, m.Version)
	} else if m.Replace != nil {
		key, note = "-changed", "with changes of Slipway's"
	}
	namespace, name := path.Split(strings.ToLower(m.Path)) // in small letters: the specification's rule for Go
	return Part{
		ID: id(Module, m.Path+"@"+m.Version) + key, Name: m.Path, Version: m.Version, Note: note,
		PURL: purl.URL{Type: "golang", Namespace: strings.Trim(namespace, "/"), Name: name, Version: m.Version}.Text(),
	}
}
