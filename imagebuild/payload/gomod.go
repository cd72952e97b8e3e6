package payload

import (
	"fmt"
	"path"
	"strings"

	"golang.org/x/mod/modfile"
	"golang.org/x/mod/module"
)

// synthesise writes the go.mod of a throwaway module that builds packages of the given modules. upstream is the go.mod
// of the first: its go and godebug lines, replacements and exclusions only count in a main module, so they are carried
// over. A staging replacement (k8s.io/api => ./staging/src/k8s.io/api) becomes the published repository of the same
// release, v0.X.Y for v1.X.Y; any other local replacement is dropped where the module is published under its own version.
func synthesise(upstream []byte, modules []string, version string) ([]byte, error) {
	in, err := modfile.Parse("go.mod", upstream, nil)
	if err != nil {
		return nil, fmt.Errorf("reading go.mod of %s: %w", modules[0], err)
	}
	out := &modfile.File{Syntax: &modfile.FileSyntax{}}
	if err := addHeader(out, in); err != nil {
		return nil, err
	}
	for _, m := range modules {
		out.AddNewRequire(m, version, false)
	}
	for _, x := range in.Exclude {
		if err := out.AddExclude(x.Mod.Path, x.Mod.Version); err != nil {
			return nil, err
		}
	}
	for _, r := range in.Replace {
		to, keep, err := replacement(r, in, version)
		if err != nil {
			return nil, err
		}
		if !keep {
			continue
		}
		if err := out.AddReplace(r.Old.Path, r.Old.Version, to.Path, to.Version); err != nil {
			return nil, err
		}
	}
	out.Cleanup()
	return modfile.Format(out.Syntax), nil
}

func addHeader(out, in *modfile.File) error {
	if err := out.AddModuleStmt("payload"); err != nil {
		return err
	}
	if in.Go != nil {
		if err := out.AddGoStmt(in.Go.Version); err != nil {
			return err
		}
	}
	for _, g := range in.Godebug {
		if err := out.AddGodebug(g.Key, g.Value); err != nil {
			return err
		}
	}
	return nil
}

func replacement(r *modfile.Replace, in *modfile.File, version string) (to module.Version, keep bool, err error) {
	switch {
	case r.New.Version != "":
		return r.New, true, nil
	case r.New.Path == path.Join("staging/src", r.Old.Path) || r.New.Path == "./"+path.Join("staging/src", r.Old.Path):
		minor, ok := strings.CutPrefix(version, "v1.")
		if !ok {
			return to, false, fmt.Errorf("mapping %s to its published version: %q is no v1 release", r.Old.Path, version)
		}
		return module.Version{Path: r.Old.Path, Version: "v0." + minor}, true, nil
	}
	for _, req := range in.Require {
		if req.Mod.Path == r.Old.Path && module.IsZeroPseudoVersion(req.Mod.Version) || req.Mod.Path == r.Old.Path && req.Mod.Version == "v0.0.0" {
			return to, false, fmt.Errorf("replacing %s: it is only in %s, not published at a version", r.Old.Path, r.New.Path)
		}
	}
	return to, false, nil
}
