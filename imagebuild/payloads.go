package imagebuild

import (
	"context"
	_ "embed"
	"encoding/json"
	"fmt"
	"path/filepath"
	"time"

	"slipway/imagebuild/overlay"
	"slipway/imagebuild/payload"
	"slipway/imagebuild/rootfs"
	"slipway/imagebuild/stage"
	"slipway/kernel"
)

//go:embed files/slipwayd.service
var slipwaydService []byte

// makePayloads builds or takes every payload and compares them with the lock.
func (b *builder) makePayloads(ctx context.Context) error {
	b.rec.begin("payloads")
	env := b.opt.Payload
	env.CacheDir = filepath.Join(b.opt.Cache, "payloads")
	env.Now, env.Locks = b.opt.Now, b.cache.Locks
	env.Progress = func(e payload.Event) {
		if e.Total > 0 {
			b.opt.Progress.Bytes(e.Done, e.Total)
			return
		}
		b.opt.Progress.Note(e.Item + ": " + e.Text)
	}
	env.Making = func(item payload.Item) { b.opt.Progress.Start(item.Name + " " + item.Version) }
	cached := true
	var locked []LockedPayload
	for _, item := range b.plan.Payloads {
		item.Known = b.knownSums(item)
		res, err := payload.Build(ctx, item, env)
		if err != nil {
			return stage.Friendly(err)
		}
		if !res.Cached {
			b.opt.Progress.Finish(item.Name + " " + item.Version)
		}
		cached = cached && res.Cached
		b.results = append(b.results, res)
		if pinned(item) {
			locked = append(locked, lockPayload(res))
		}
	}
	if err := b.keepLock(locked); err != nil {
		return err
	}
	if err := b.keepKubectl(); err != nil {
		return err
	}
	b.rec.end("payloads", fmt.Sprintf("%d", len(b.results)), cached)
	return nil
}

func lockPayload(res payload.Result) LockedPayload {
	p := LockedPayload{Name: res.Item.Name, Version: res.Item.Version, Origin: origin(res.Item), Files: map[string]string{}}
	if len(res.Modules) > 0 {
		p.Modules = map[string]string{}
	}
	for _, m := range res.Modules {
		at := m.Path + "@" + m.Version
		if p.Modules[at] = m.Sum; m.Private {
			p.Private = append(p.Private, at)
		}
	}
	for _, f := range res.Files {
		if f.Symlink == "" {
			p.Files[f.Path] = f.SHA256
		}
	}
	return p
}

func origin(item payload.Item) string {
	switch {
	case item.Source == payload.SourceRelease:
		return item.URL + " sha256:" + item.SHA256
	case item.Source == payload.SourceFile:
		return "file " + filepath.Base(item.Path) + " sha256:" + item.SHA256
	case len(item.Modules) == 0:
		return "slipway's own " + item.Version
	}
	return "gomod " + item.Modules[0] + "@" + item.Version
}

// additions are everything that Slipway lays over the tree of distro packages.
func (b *builder) additions(ctx context.Context) ([]overlay.Entry, error) {
	out, err := rootfs.Static(b.plan.Distro.Facts())
	if err != nil {
		return nil, err
	}
	files, err := b.plan.Profile.Files()
	if err != nil {
		return nil, fmt.Errorf("writing the kernel profile: %w", err)
	}
	out = append(out, profileEntries(files)...)
	if b.plan.Debug {
		out = append(out, rootfs.Debug()...)
	}
	for _, res := range b.results {
		entries, err := b.place(ctx, res)
		if err != nil {
			return nil, err
		}
		out = append(out, entries...)
	}
	facts, err := json.MarshalIndent(b.plan.facts(time.Unix(b.lock.Epoch, 0).UTC().Format(time.RFC3339)), "", "  ")
	if err != nil {
		return nil, err
	}
	// systemd compares these with /usr and then leaves out caches that the image already has (ConditionNeedsUpdate=).
	updated := fmt.Appendf(nil, "TIMESTAMP_NSEC=%d000000000\n", b.lock.Epoch)
	return append(out,
		overlay.Entry{Path: "/etc/.updated", Mode: 0o644, Content: updated},
		overlay.Entry{Path: "/var/.updated", Mode: 0o644, Content: updated},
		overlay.Entry{Path: "/usr/lib/slipway/image.json", Mode: 0o644, Content: append(facts, '\n')},
		overlay.Entry{Path: "/usr/lib/systemd/system/slipwayd.service", Mode: 0o644, Content: slipwaydService},
	), nil
}

func profileEntries(files []kernel.File) []overlay.Entry {
	var out []overlay.Entry
	for _, f := range files {
		out = append(out, overlay.Entry{Path: f.Path, Mode: 0o644, Content: []byte(f.Content)})
	}
	return out
}
