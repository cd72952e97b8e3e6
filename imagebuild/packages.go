package imagebuild

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"

	"slipway/imagebuild/debian"
	"slipway/imagebuild/stage"
)

// lockPackages makes sure that b.lock names every package: from the lock if it answers the same request, else by
// asking the distribution.
func (b *builder) lockPackages(ctx context.Context) error {
	b.rec.begin("packages")
	old, request := b.old, b.request()
	if old != nil && old.Request == request && !b.opt.Update.packages() {
		b.lock = old
		b.rec.end("packages", fmt.Sprintf("%d from %s", len(old.Packages), LockName), true)
		return nil
	}
	apt := filepath.Join(b.opt.Cache, "apt")
	if err := os.MkdirAll(apt, 0o755); err != nil {
		return fmt.Errorf("making the cache: %w", err)
	}
	unlock, err := b.cache.Locks.Lock(ctx, filepath.Join(apt, "slipway.lock"))
	if err != nil {
		return err
	}
	defer unlock()
	pkgs, err := debian.Resolve(ctx, b.plan.Request, apt, b.opt.Payload.Environ)
	if err != nil {
		return err
	}
	b.lock = &Lock{Version: lockVersion, Epoch: b.opt.Epoch, Request: request, Packages: pkgs}
	if old != nil {
		b.lock.Payloads, b.lock.Tools = old.Payloads, old.Tools
		if slices.Equal(old.Packages, pkgs) {
			b.lock.Epoch = old.Epoch // nothing new: keep the bytes
		}
	}
	if err := b.lock.Write(b.opt.LockPath); err != nil { // now: a later failure must not move the epoch
		return err
	}
	b.rec.end("packages", fmt.Sprintf("%d resolved", len(pkgs)), false)
	return nil
}

// request is the digest of what is asked for.
func (b *builder) request() string { return stage.Key("request", b.plan.Request) }

func packageDrift(old *Lock, request string) []string {
	switch {
	case old == nil:
		return []string{"there is no " + LockName + " beside the spec"}
	case old.Request != request:
		return []string{"the spec asks for other packages, another mirror, release or kernel than when the lock was written"}
	}
	return nil
}

// fetchPackages fills the pool.
func (b *builder) fetchPackages(ctx context.Context) error {
	b.rec.begin("fetch")
	var total int64
	cached := true
	for _, p := range b.lock.Packages {
		total += p.Size
		if _, err := os.Stat(b.fetcher.PoolFile(p)); err != nil {
			cached = false
		}
	}
	if err := b.fetcher.Fetch(ctx, b.lock.Packages); err != nil {
		return stage.Friendly(err)
	}
	b.rec.end("fetch", fmt.Sprintf("%d archives, %d MB", len(b.lock.Packages), total/1e6), cached)
	return nil
}

// unpackTree makes the tree of distro packages and finds its one kernel.
func (b *builder) unpackTree(ctx context.Context) error {
	b.rec.begin("tree")
	b.treeKey = debian.TreeKey(b.plan.Request, b.lock.Packages, b.lock.Epoch)
	dir, hit, err := b.cache.Get(ctx, "tree", b.treeKey, func(ctx context.Context, dir string) error {
		work := filepath.Join(dir, "work")
		if err := os.Mkdir(work, 0o755); err != nil {
			return err
		}
		root := filepath.Join(dir, "root")
		if err := debian.Unpack(ctx, b.sandbox, b.plan.Request, b.lock.Packages, b.fetcher, work, root, b.lock.Epoch, b.log("tree")); err != nil {
			return err
		}
		return os.RemoveAll(work)
	})
	if err != nil {
		return err
	}
	b.tree = filepath.Join(dir, "root")
	kernels, err := filepath.Glob(filepath.Join(b.tree, "usr/lib/modules", "*"))
	if err != nil || len(kernels) != 1 {
		return fmt.Errorf("looking for the kernel: want exactly one in the tree, found %d", len(kernels))
	}
	b.kernel = filepath.Base(kernels[0])
	b.rec.end("tree", "kernel "+b.kernel, hit)
	return nil
}
