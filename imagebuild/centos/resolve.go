package centos

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	"slipway/imagebuild/distro"
)

// Resolve asks dnf for the exact closure of the request, fetches it, and has rpm check the signature of every package, which
// is the one that CentOS vouches by: its metadata is mostly unsigned. The result is sorted by name.
func (Driver) Resolve(ctx context.Context, req distro.Request, in distro.ResolveInput) (distro.Resolution, error) {
	return newDNF(filepath.Join(in.Dir, "dnf"), in.Environ).resolve(ctx, req, in)
}

func (d dnf) resolve(ctx context.Context, req distro.Request, in distro.ResolveInput) (distro.Resolution, error) {
	none, from := distro.Resolution{}, sources(req, in.Mirrors)
	if err := d.prepare(req, from); err != nil {
		return none, fmt.Errorf("preparing dnf: %w", err)
	}
	if err := d.believe(ctx, from, in, req.Release); err != nil {
		return none, err
	}
	if err := d.refresh(ctx, req, from, in); err != nil {
		return none, err
	}
	gone, err := d.hold(ctx, req.Release, in)
	if err != nil {
		return none, err
	}
	metas, made, err := d.metadata(from)
	if err != nil {
		return none, err
	}
	if err := distro.CheckAge(in.Made, made, in.Mirrors, ofADay); err != nil {
		return none, err
	}
	out, err := d.run(ctx, req.Release, append([]string{"--cacheonly", "--verbose", "--assumeno", "install"}, wanted(req)...)...)
	chosen := parseChosen(out)
	if err == nil || len(chosen) == 0 { // dnf fails where it did not install what it was not allowed to
		return none, unresolved(out, in.Keep, gone)
	}
	pkgs, err := describe(chosen, metas, in.Keep)
	if err != nil {
		return none, err
	}
	if err := checkChoice(pkgs); err != nil {
		return none, err
	}
	pkgs, err = d.verify(ctx, pkgs, from, in)
	return distro.Resolution{Packages: pkgs, Made: made}, err
}

// refresh lists the repositories and brings their metadata. Whether it is signed says the server; if it is, it must be by the
// right key. What the mirror could leave out in this way, packages' own signatures and the lock hold.
func (d dnf) refresh(ctx context.Context, req distro.Request, from []source, in distro.ResolveInput) error {
	var kept []string
	for _, k := range in.Keep {
		kept = append(kept, k.Name)
	}
	for i, s := range from {
		_, err := get(ctx, in.Fetcher.Client, strings.TrimRight(s.url, "/")+"/repodata/repomd.xml.asc")
		if err != nil && !errors.Is(err, errAbsent) {
			return &MirrorError{Repository: s.name, URL: s.url, Err: err}
		}
		if err := d.list(s, 1000+i, err == nil, kept); err != nil {
			return fmt.Errorf("preparing dnf: %w", err)
		}
	}
	if out, err := d.run(ctx, req.Release, "--assumeyes", "makecache"); err != nil {
		return mirrorError(from, err, out)
	}
	return nil
}

// composeURL: mirrors of one day say so in their URLs, and are meant to be old.
var composeURL = regexp.MustCompile(`/CentOS-Stream-\d+-\d{8}\.\d+/`)

func ofADay(mirror string) bool { return composeURL.MatchString(mirror) }

// wanted are the packages to ask dnf for. Which archive a kernel comes from says its name.
func wanted(req distro.Request) []string {
	out := append([]string{req.Kernel}, req.Packages...)
	for i, text := range out {
		out[i], _, _ = strings.Cut(text, "/")
	}
	return out
}

// nevra is how rpm tells packages apart: name, epoch, version, release, architecture.
type nevra struct{ name, evr, arch string }

var chosenLine = regexp.MustCompile(`(?m)^---> Package (\S+)\.(\S+) (\S+) will be installed$`)

// parseChosen reads dnf's verbose account of its choice.
func parseChosen(out string) map[nevra]bool {
	chosen := map[nevra]bool{}
	for _, m := range chosenLine.FindAllStringSubmatch(out, -1) {
		chosen[nevra{m[1], m[3], m[2]}] = true
	}
	return chosen
}

// describe finds the chosen packages in the metadata that dnf fetched, or among the kept ones.
func describe(chosen map[nevra]bool, metas []metadata, keep []distro.Package) ([]distro.Package, error) {
	found := map[nevra]distro.Package{}
	for _, m := range metas {
		if err := m.find(chosen, found); err != nil {
			return nil, fmt.Errorf("reading the metadata of %s: %w", m.repository, err)
		}
	}
	byNEVRA := map[string]distro.Package{}
	for _, k := range keep {
		byNEVRA[k.Name+" "+k.Version] = k
	}
	for n := range chosen {
		if k, ok := byNEVRA[n.name+" "+n.evr]; ok {
			found[n] = k // the lock goes on saying where it came from
		} else if _, ok := found[n]; !ok {
			return nil, fmt.Errorf("no repository describes the package %s-%s.%s", n.name, n.evr, n.arch)
		}
	}
	return slices.SortedFunc(maps.Values(found), func(a, b distro.Package) int { return strings.Compare(a.Name, b.Name) }), nil
}

// checkChoice refuses what resolves and is wrong all the same: two kernels, and what comes in twice.
func checkChoice(pkgs []distro.Package) error {
	var kernels, beside []string
	for _, p := range pkgs {
		if kernelImage.MatchString(p.Name) && !strings.HasSuffix(p.Name, kernelModules) {
			kernels = append(kernels, p.Name+" "+p.Version)
		}
		if slices.Contains(never, p.Name) {
			beside = append(beside, p.Name)
		}
	}
	switch {
	case len(kernels) != 1:
		return &KernelsError{Kernels: kernels}
	case len(beside) > 0:
		return &BesideError{Packages: beside}
	}
	return nil
}
