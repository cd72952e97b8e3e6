package debian

import (
	"context"
	"fmt"
	"slices"

	"slipway/imagebuild/distro"
)

// today asks apt what it would take if nothing was kept, and returns what of that the security suite has. The indexes are
// there already, so nobody is asked. A request that has no answer today has no updates either.
func (a apt) today(ctx context.Context, req distro.Request) ([]distro.Package, error) {
	out, err := a.install(ctx, req, nil)
	if err != nil {
		return nil, ctx.Err()
	}
	want, found := map[string]bool{}, map[string]distro.Package{}
	for _, digest := range parseURIs(out) {
		want[digest] = true
	}
	for _, s := range suites(req.Release) {
		if !s.security {
			continue
		}
		if err := a.scanSuite(s, want, found); err != nil {
			return nil, fmt.Errorf("looking for security updates: %w", err)
		}
	}
	var all []distro.Package
	for _, p := range found {
		all = append(all, p)
	}
	slices.SortFunc(all, byName)
	return all, nil
}

// newer are those of the security updates that the packages, which were kept, do not have.
func (a apt) newer(ctx context.Context, updates, pkgs, keep []distro.Package) (out []distro.Package) {
	for _, u := range updates {
		p, taken := find(pkgs, u.Name)
		if !taken || p.SHA256 == u.SHA256 || !slices.Contains(keep, p) {
			continue
		}
		if _, err := a.run(ctx, "dpkg", "--compare-versions", u.Version, "gt", p.Version); err == nil { // else the mirror is older than the lock
			out = append(out, u)
		}
	}
	return out
}
