package imagebuild

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"slipway/imagebuild/distro"
	"slipway/imagebuild/stage"
)

// lockPackages makes sure that b.lock names every package: from the lock if it answers the same request, else by
// asking the distribution.
func (b *builder) lockPackages(ctx context.Context) error {
	b.rec.begin("packages")
	old := b.old
	if old != nil && distro.Changes(old.Asked, b.plan.Request) == nil && !b.opt.Update.packages() {
		b.lock = old
		b.rec.end("packages", fmt.Sprintf("%d from %s", len(old.Packages), LockName), true)
		return nil
	}
	keep, err := b.keptPackages()
	if err != nil {
		return err
	}
	pkgs, err := b.resolve(ctx, keep)
	if err != nil {
		return stage.Friendly(err)
	}
	b.lock = &Lock{Version: lockVersion, Epoch: b.opt.Epoch, Asked: b.plan.Request, Packages: pkgs}
	if old != nil {
		b.lock.Payloads, b.lock.Tools = old.Payloads, old.Tools
		if slices.Equal(old.Packages, pkgs) {
			b.lock.Epoch = old.Epoch // nothing new: keep the bytes
		}
		b.say(newVersions(old.Packages, pkgs))
	}
	if err := b.lock.Write(b.opt.LockPath); err != nil { // now: a later failure must not move the epoch
		return err
	}
	b.rec.end("packages", fmt.Sprintf("%d resolved, %d of them kept", len(pkgs), len(keep)), false)
	return nil
}

// keptPackages are the lock's packages that must stay as they are, whatever the distribution has today.
func (b *builder) keptPackages() ([]distro.Package, error) {
	if b.old == nil {
		return nil, nil
	}
	for _, name := range b.opt.Update {
		if name != All && !b.opt.Update.isPayload(name) && !slices.ContainsFunc(b.old.Packages, func(p distro.Package) bool { return p.Name == name }) {
			return nil, inputError{fmt.Errorf("updating %q: %s has no package and no payload of this name", name, LockName)}
		}
	}
	if slices.Contains(b.opt.Update, All) {
		return nil, nil
	}
	return distro.Keep(b.old.Asked, b.plan.Request, b.old.Packages, b.opt.Update), nil
}

// resolve asks the distribution. Only one process at a time may use apt's folder.
func (b *builder) resolve(ctx context.Context, keep []distro.Package) ([]distro.Package, error) {
	dir := filepath.Join(b.opt.Cache, "apt")
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return nil, fmt.Errorf("making the cache: %w", err)
	}
	unlock, err := b.cache.Locks.Lock(ctx, filepath.Join(dir, "slipway.lock"))
	if err != nil {
		return nil, err
	}
	defer unlock()
	return b.plan.Distro.Resolve(ctx, b.plan.Request, distro.ResolveInput{
		Mirrors: b.plan.Mirrors, Keep: keep, Fetcher: b.fetcher, Dir: dir, Environ: b.opt.Payload.Environ,
		Waiting: b.sayWaiting,
	})
}

// sayWaiting tells of security updates that a lock keeps away.
func (b *builder) sayWaiting(updates []distro.Package) {
	var names []string
	for _, p := range updates {
		names = append(names, p.Name+" "+p.Version)
	}
	what := "1 security update waits"
	if n := len(names); n > 1 {
		what = fmt.Sprintf("%d security updates wait", n)
	}
	b.opt.Progress.Line(fmt.Sprintf("%s: %s: %s\nhint: --update takes all that is new, --update=NAME what is built from one source", LockName, what, strings.Join(names, ", ")))
}

// newVersions says what became of locked packages, a line each for a person.
func newVersions(was, now []distro.Package) []string {
	versions := map[string]string{}
	for _, p := range was {
		versions[p.Name] = p.Version
	}
	var out []string
	for _, p := range now {
		if v, ok := versions[p.Name]; ok && v != p.Version {
			out = append(out, fmt.Sprintf("package %s: locked %s, now %s", p.Name, v, p.Version))
		}
	}
	return out
}

// packageDrift is what the spec asks for and the lock does not answer.
func packageDrift(old *Lock, now distro.Request) []string {
	if old == nil {
		return []string{"there is no " + LockName + " beside the spec"}
	}
	return distro.Changes(old.Asked, now)
}

// fetchPackages fills the pool.
func (b *builder) fetchPackages(ctx context.Context) error {
	b.rec.begin("fetch")
	var total int64
	cached := true
	for _, p := range b.lock.Packages {
		total += p.Size
		stage.Use(b.fetcher.PoolFile(p), b.opt.Now()) // before Fetch looks: what Prune leaves from now on stays
		if _, err := os.Stat(b.fetcher.PoolFile(p)); err != nil {
			cached = false
		}
	}
	if err := b.fetcher.Fetch(ctx, b.lock.Packages); err != nil {
		return stage.Friendly(err)
	}
	for _, p := range b.lock.Packages {
		stage.Use(b.fetcher.PoolFile(p), b.opt.Now())
	}
	b.rec.end("fetch", fmt.Sprintf("%d archives, %d MB", len(b.lock.Packages), total/1e6), cached)
	return nil
}

// unpackTree makes the tree of distro packages and finds its one kernel.
func (b *builder) unpackTree(ctx context.Context) error {
	b.rec.begin("tree")
	b.treeKey = b.treeKeyOf()
	dir, hit, err := b.cache.Get(ctx, "tree", b.treeKey, func(ctx context.Context, dir string) error {
		work := filepath.Join(dir, "work")
		if err := os.Mkdir(work, 0o755); err != nil {
			return err
		}
		err := b.plan.Distro.Unpack(ctx, distro.UnpackInput{
			Request: b.plan.Request, Packages: b.lock.Packages, Fetcher: b.fetcher, Sandbox: b.sandbox,
			Work: work, Dest: filepath.Join(dir, "root"), Epoch: b.lock.Epoch, Log: b.log("tree"),
		})
		if err != nil {
			return err
		}
		return os.RemoveAll(work)
	})
	if err != nil {
		return err
	}
	b.tree = filepath.Join(dir, "root")
	kernels, err := filepath.Glob(filepath.Join(b.tree, b.plan.Distro.Facts().Modules, "*"))
	if err != nil || len(kernels) != 1 {
		return fmt.Errorf("looking for the kernel: want exactly one in the tree, found %d", len(kernels))
	}
	b.kernel = filepath.Base(kernels[0])
	if err := b.plan.Distro.Facts().Check(b.tree, b.kernel); err != nil {
		return err
	}
	b.rec.end("tree", "kernel "+b.kernel, hit)
	return nil
}
