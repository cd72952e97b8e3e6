package debian

import (
	"context"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"

	"slipway/imagebuild/distro"
)

// Resolve asks apt for the exact closure of the request. The indexes are signed and apt checks them, so the digests in
// the answer are Debian's own. The result is sorted by name.
func (Driver) Resolve(ctx context.Context, req distro.Request, in distro.ResolveInput) ([]distro.Package, error) {
	return newApt(in.Dir, in.Environ).resolve(ctx, req, in)
}

func (a apt) resolve(ctx context.Context, req distro.Request, in distro.ResolveInput) ([]distro.Package, error) {
	if err := a.prepare(req, in.Mirrors); err != nil {
		return nil, fmt.Errorf("preparing apt: %w", err)
	}
	if out, err := a.run(ctx, "apt-get", "update", "-q", "--error-on=any"); err != nil {
		return nil, &MirrorError{Mirrors: in.Mirrors, Err: err, Output: out}
	}
	if err := a.checkSnapshots(req.Release, in.Mirrors); err != nil {
		return nil, err
	}
	var updates []distro.Package
	if in.Waiting != nil && len(in.Keep) > 0 {
		var err error
		if updates, err = a.today(ctx, req); err != nil { // before anything is held
			return nil, err
		}
	}
	gone, err := a.hold(ctx, req, in)
	if err != nil {
		return nil, err
	}
	out, err := a.install(ctx, req, in.Keep)
	if err != nil {
		return nil, unresolved(out, in.Keep, gone)
	}
	pkgs, err := a.describe(req.Release, parseURIs(out), in.Keep)
	if err != nil {
		return nil, fmt.Errorf("reading apt's indexes: %w", err)
	}
	if err := checkKept(pkgs, in.Keep); err != nil {
		return nil, err
	}
	if waiting := a.newer(ctx, updates, pkgs, in.Keep); len(waiting) > 0 {
		in.Waiting(waiting)
	}
	return pkgs, nil
}

// install asks apt for the archives that the request takes.
func (a apt) install(ctx context.Context, req distro.Request, keep []distro.Package) (string, error) {
	args := []string{"install", "--yes", "--print-uris", "-o", "pkgCacheGen::ForceEssential=,", "?essential"}
	return a.run(ctx, "apt-get", append(args, wanted(req, keep)...)...)
}

// wanted are the packages to ask apt for. The version of one that is kept is known: no suite may choose another.
func wanted(req distro.Request, keep []distro.Package) []string {
	out := append([]string{req.Kernel}, req.Packages...)
	for i, text := range out {
		name, _, _ := strings.Cut(text, "/")
		if _, kept := find(keep, name); kept {
			out[i] = name
		}
	}
	return out
}

func find(pkgs []distro.Package, name string) (distro.Package, bool) {
	i := slices.IndexFunc(pkgs, func(p distro.Package) bool { return p.Name == name })
	if i < 0 {
		return distro.Package{}, false
	}
	return pkgs[i], true
}

// checkKept makes sure that what must be kept was kept.
func checkKept(pkgs, keep []distro.Package) error {
	var errs []error
	for _, k := range keep {
		if p, ok := find(pkgs, k.Name); ok && p.SHA256 != k.SHA256 {
			errs = append(errs, &distro.GoneError{Package: k, Now: p.Version, Snapshots: snapshots})
		}
	}
	return errors.Join(errs...)
}

var uriLine = regexp.MustCompile(`(?m)^'[^']+' \S+ \d+ ?(?:SHA256:)?(\S*)$`)

// parseURIs picks the SHA-256 digests of the archives out of what --print-uris said.
func parseURIs(out string) []string {
	var digests []string
	for _, m := range uriLine.FindAllStringSubmatch(out, -1) {
		digests = append(digests, m[1])
	}
	return digests
}
