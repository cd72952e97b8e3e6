package debian

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"slipway/imagebuild/distro"
)

// hold tells apt to take the kept packages in the versions that they have. Debian's mirrors drop an old version as soon as
// there is a new one; apt is shown those in a local archive of their own, as far as they can be had. That one is gone is no
// error yet: nothing may need it any more.
func (a apt) hold(ctx context.Context, req distro.Request, in distro.ResolveInput) (gone []*distro.GoneError, err error) {
	if len(in.Keep) == 0 {
		return nil, nil
	}
	var pins strings.Builder
	pins.WriteString(preferences)
	for _, p := range in.Keep { // above 1000: also where that is a step back
		fmt.Fprintf(&pins, "\nPackage: %s\nPin: version %s\nPin-Priority: 1001\n", p.Name, p.Version)
	}
	if err := os.WriteFile(filepath.Join(a.dir, "etc/preferences"), []byte(pins.String()), 0o644); err != nil {
		return nil, err
	}
	unlisted, err := a.unlisted(req.Release, in.Keep)
	if err != nil {
		return nil, fmt.Errorf("looking for locked packages: %w", err)
	}
	have, gone, err := obtain(ctx, in.Fetcher, unlisted)
	if err != nil || len(have) == 0 {
		return gone, err
	}
	return gone, a.show(ctx, req, have, in.Fetcher)
}

// unlisted are the packages that no index has any more.
func (a apt) unlisted(release string, keep []distro.Package) ([]distro.Package, error) {
	var digests []string
	for _, p := range keep {
		digests = append(digests, p.SHA256)
	}
	found, err := a.scan(release, digests)
	if err != nil {
		return nil, err
	}
	var out []distro.Package
	for i, p := range keep {
		if _, ok := found[digests[i]]; !ok {
			out = append(out, p)
		}
	}
	return out, nil
}

// obtain looks for packages in the pool, in the vendor folder and at the mirrors, which may still have them unlisted.
func obtain(ctx context.Context, f distro.Fetcher, pkgs []distro.Package) (have []distro.Package, gone []*distro.GoneError, err error) {
	f.Done = nil
	for _, p := range pkgs {
		err := f.Fetch(ctx, []distro.Package{p})
		if e, ok := errors.AsType[*distro.GoneError](err); ok {
			gone = append(gone, e)
			continue
		}
		if err != nil {
			return nil, nil, err
		}
		have = append(have, p)
	}
	return have, gone, nil
}

// show makes packages of the pool known to apt. Their digests were checked against the lock.
func (a apt) show(ctx context.Context, req distro.Request, pkgs []distro.Package, f distro.Fetcher) error {
	repo := filepath.Join(a.dir, "held")
	if err := os.RemoveAll(repo); err != nil {
		return err
	}
	if err := writeRepo(ctx, repo, req, pkgs, f, 0); err != nil {
		return fmt.Errorf("writing the archive of locked packages: %w", err)
	}
	list := filepath.Join(a.dir, "etc/sources.list.d/held.list")
	if err := os.WriteFile(list, fmt.Appendf(nil, "deb [trusted=yes] file:%s ./\n", repo), 0o644); err != nil {
		return err
	}
	out, err := a.run(ctx, "apt-get", "update", "-q", "--error-on=any",
		"-o", "Dir::Etc::sourcelist="+list, "-o", "Dir::Etc::sourceparts=/dev/null", "-o", "APT::Get::List-Cleanup=false")
	if err != nil {
		return fmt.Errorf("reading the archive of locked packages: %w\n%s", err, aptErrors(out))
	}
	return nil
}
