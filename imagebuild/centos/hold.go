package centos

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"regexp"

	"slipway/imagebuild/distro"
)

// held is the repository of locked packages. Their names are excluded in all others, so that no other version is taken.
const held = "slipway-held"

// hold shows dnf the kept packages, as far as they can be had: mirrors drop an old version as soon as there is a new one. That
// one is gone is no error yet: nothing may need it any more.
func (d dnf) hold(ctx context.Context, release string, in distro.ResolveInput) (gone []*distro.GoneError, err error) {
	if len(in.Keep) == 0 {
		return nil, nil
	}
	have, gone, err := obtain(ctx, in.Fetcher, in.Keep)
	if err != nil {
		return nil, err
	}
	dir := d.path("home/held")
	if err := linkPackages(dir, have, in.Fetcher); err != nil {
		return nil, fmt.Errorf("writing the repository of locked packages: %w", err)
	}
	if out, err := exec.CommandContext(ctx, "createrepo_c", "--quiet", "--no-database", dir).CombinedOutput(); err != nil {
		return nil, fmt.Errorf("writing the repository of locked packages: %w\n%s", err, out)
	}
	text := fmt.Sprintf("[%s]\nname=%s\nbaseurl=file://%s\n", held, held, dir) // their digests were checked against the lock
	if err := os.WriteFile(d.path("etc/repos", held+".repo"), []byte(text), 0o644); err != nil {
		return nil, err
	}
	if out, err := d.run(ctx, release, "--assumeyes", "--disablerepo=*", "--enablerepo="+held, "makecache"); err != nil {
		return nil, fmt.Errorf("reading the repository of locked packages: %w\n%s", err, dnfErrors(out))
	}
	return gone, nil
}

// obtain looks for packages in the pool, in the vendor folder and at the mirrors, which may still have them.
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

var sourceRPM = regexp.MustCompile(`^(.+)-[^-]+-[^-]+\.src\.rpm$`)

// sourceName is what a package was built from, if that has another name.
func sourceName(file, name string) string {
	if m := sourceRPM.FindStringSubmatch(file); m != nil && m[1] != name {
		return m[1]
	}
	return ""
}
