package cluster

import (
	"fmt"
	"os"
	"path/filepath"
)

// Loaded is a checked spec and what was read to check it.
type Loaded struct {
	Spec     *Spec
	Path     string            // of the spec, as given
	Dir      string            // its folder: relative paths in the spec start here
	Data     []byte            // the file itself
	Warnings []Problem         // what works but deserves a look
	Ignition map[string][]byte // Butane file as the spec names it -> its Ignition config
}

// Load reads and checks the spec at path and the Butane files that it names. Anything wrong is a *ProblemsError.
func Load(path string) (*Loaded, error) {
	data, err := os.ReadFile(path)
	if err != nil {
		return nil, &ProblemsError{Name: path, Problems: []Problem{{
			File: path, Message: fmt.Sprintf("cannot be read: %v", cause(err)), Hint: "name the spec with -f, or begin with `slipway init`",
		}}}
	}
	dir := filepath.Dir(path)
	result, err := check(path, data, dirReader(dir))
	if err != nil {
		return nil, err
	}
	return &Loaded{Spec: result.spec, Path: path, Dir: dir, Data: data, Warnings: result.warnings, Ignition: result.ignition}, nil
}

// dirReader reads snippets beside the spec.
type dirReader string

func (dir dirReader) ReadSnippet(path string) ([]byte, error) {
	return os.ReadFile(filepath.Join(string(dir), path))
}

func (dir dirReader) FilesDir() string { return string(dir) }

// Parse checks a spec and returns it complete, defaults filled in. name is for messages. Without a SnippetReader the
// contents of Butane files are not looked at.
func Parse(name string, data []byte, snippets SnippetReader) (*Spec, error) {
	result, err := check(name, data, snippets)
	if err != nil {
		return nil, err
	}
	return result.spec, nil
}

type checked struct {
	spec     *Spec
	warnings []Problem
	ignition map[string][]byte
}

func check(name string, data []byte, reader SnippetReader) (*checked, error) {
	d, out := newDocument(name, data), &checked{spec: &Spec{}}
	if d.decode(data, out.spec) {
		out.spec.setDefaults()
		out.spec.validate(d)
		if reader != nil {
			out.ignition = out.spec.translateSnippets(d, reader)
		}
		out.spec.warnIPVS(d)
	}
	var errs []Problem
	for _, p := range d.problems {
		if p.Warning {
			out.warnings = append(out.warnings, p)
		} else {
			errs = append(errs, p)
		}
	}
	out.warnings = sortProblems(out.warnings, name)
	if len(errs) > 0 {
		return nil, &ProblemsError{Name: name, Problems: sortProblems(errs, name)}
	}
	return out, nil
}
