package imagebuild

import (
	"context"
	"fmt"
	"path"
	"path/filepath"

	"slipway/imagebuild/payload"
	"slipway/imagebuild/stage"
	"slipway/imagebuild/vendored"
	"slipway/internal/durable"
)

// Vendor fills a folder with everything that a build of the plan takes from a network, for the lock beside the spec. It
// resolves and locks packages like a build, and compiles nothing: a lock that no build has completed knows no modules yet.
func Vendor(ctx context.Context, plan *Plan, opt Options, dir string, toolchain vendored.Toolchain) (*vendored.Written, error) {
	b := newBuilder(plan, opt)
	closeLock, err := b.openLock(ctx)
	if err != nil {
		return nil, err
	}
	defer closeLock()
	leave, err := b.useCache(ctx)
	if err != nil {
		return nil, err
	}
	defer leave()
	for _, step := range []func(context.Context) error{b.lockPackages, b.fetchPackages} {
		if err := step(ctx); err != nil {
			return nil, err
		}
	}
	index := vendored.Index{Cluster: plan.Name, Toolchain: toolchain}
	sources, err := b.packageSources()
	if err != nil {
		return nil, err
	}
	more, err := b.payloadSources(ctx, &index)
	if err != nil {
		return nil, err
	}
	b.rec.begin("folder")
	res, err := vendored.Write(ctx, dir, index, append(sources, more...), vendored.Writing{Locks: b.cache.Locks, Note: opt.Progress.Note})
	if err != nil {
		return nil, err
	}
	b.rec.end("folder", fmt.Sprintf("%d files, %d MB; new are %d, %d MB", res.Files, res.Bytes/1e6, res.Copied, res.CopiedBytes/1e6), false)
	return res, nil
}

// packageSources are the archives, the keys that sign the distribution's, and the lock.
func (b *builder) packageSources() ([]vendored.Source, error) {
	lock, err := b.lock.encode()
	if err != nil {
		return nil, err
	}
	out := []vendored.Source{{Path: vendored.LockName, Data: lock}}
	for _, p := range b.lock.Packages {
		out = append(out, vendored.Source{
			Path: b.archive(p), What: "package " + p.Name + " " + p.Version, SHA256: p.SHA256, From: b.fetcher.PoolFile(p),
		})
	}
	for _, key := range b.plan.Distro.Facts().Keys {
		sum, err := durable.Digest(key)
		if err != nil {
			return nil, fmt.Errorf("reading the distribution's keys: %w\nhint: install the package that has them", err)
		}
		out = append(out, vendored.Source{Path: path.Join(vendored.Keys, filepath.Base(key)), SHA256: sum, From: key})
	}
	return out, nil
}

// payloadSources are the modules and downloads of payloads, which the index will name.
func (b *builder) payloadSources(ctx context.Context, index *vendored.Index) ([]vendored.Source, error) {
	b.rec.begin("modules")
	env, err := b.payloadEnv(ctx)
	if err != nil {
		return nil, err
	}
	var out []vendored.Source
	var needs []payload.Needs
	var asked []string
	for _, item := range b.plan.Payloads {
		if !carries(item) {
			continue
		}
		index.Payloads = append(index.Payloads, vendored.Payload{Name: item.Name, Version: item.Version, Origin: origin(item)})
		if item.Source != payload.SourceGomod {
			out = append(out, vendored.Source{
				Path: download(item), What: "payload " + item.Name + " " + item.Version, SHA256: item.SHA256,
				Fill: func(ctx context.Context, file string) error { return payload.Download(ctx, item, env, file) },
			})
			continue
		}
		item.Known = b.knownSums(item)
		n, err := payload.FindNeeds(ctx, item, env)
		if err != nil {
			return nil, stage.Friendly(err)
		}
		needs = append(needs, n)
		for _, m := range item.Modules {
			asked = append(asked, m+"@"+item.Version)
		}
	}
	modules, err := vendored.ModuleSources(needs, asked)
	if err != nil {
		return nil, err
	}
	b.rec.end("modules", fmt.Sprintf("%d files", len(modules)), false)
	return append(out, modules...), nil
}
