package imagebuild

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"slices"
	"strings"
	"syscall"

	"slipway/cluster"
	"slipway/imagebuild/payload"
	"slipway/imagebuild/stage"
)

// openLock reads the lock and keeps other builds from it until the returned function is called. What differs from it and
// can be known before any work is refused with --locked, and said without.
func (b *builder) openLock(ctx context.Context) (done func(), err error) {
	if done, err = b.claimLock(ctx); err != nil {
		return nil, err
	}
	if b.old, err = ReadLock(b.opt.LockPath); err == nil && b.opt.Locked {
		err = refuse(b.foreseen(), acceptHint)
	}
	if err != nil {
		done()
		return nil, err
	}
	if b.old != nil {
		b.say(b.foreseen())
	}
	return done, nil
}

// Drift is what --locked refuses, found without building: nil, or a DriftError that names all of it.
func Drift(plan *Plan, lockPath string, tools Tools) error {
	old, err := ReadLock(lockPath)
	if err != nil {
		return err
	}
	b := builder{plan: plan, opt: Options{Tools: tools}, old: old}
	return refuse(b.foreseen(), acceptHint)
}

// claimLock waits until no other build may write the lock. Whoever may not write beside the spec, or will not, needs no
// turn: the lock is replaced as a whole.
func (b *builder) claimLock(ctx context.Context) (done func(), err error) {
	if b.opt.Locked {
		return func() {}, nil
	}
	done, err = b.cache.Locks.Lock(ctx, filepath.Join(filepath.Dir(b.opt.LockPath), "."+LockName+".busy"))
	if errors.Is(err, fs.ErrPermission) || errors.Is(err, syscall.EROFS) {
		return func() {}, nil
	}
	return done, err
}

// foreseen is what differs from the lock before anything was resolved or compiled.
func (b *builder) foreseen() []string {
	lines := packageDrift(b.old, b.plan.Request)
	if b.old == nil {
		return lines
	}
	lines = append(lines, b.opt.Tools.changes(b.old.Tools)...)
	return append(lines, texts(payloadChanges(b.old.Payloads, b.planned()))...)
}

// planned are the plan's payloads; what one will be made of is taken from the lock where it has the same origin.
func (b *builder) planned() []LockedPayload {
	was := byName(b.old.Payloads)
	var out []LockedPayload
	for _, item := range b.plan.Payloads {
		p := LockedPayload{Name: item.Name, Version: item.Version, Origin: origin(item)}
		if old, ok := was[p.Name]; ok && old.Origin == p.Origin {
			p = old
		}
		if pinned(item) {
			out = append(out, p)
		}
	}
	return out
}

// pinned leaves out the daemon: it is one of the tools, and belongs to this program.
func pinned(item payload.Item) bool { return item.Name != cluster.PayloadSlipwayd }

// knownSums are the checksums that the lock has of an item's modules.
func (b *builder) knownSums(item payload.Item) []payload.ModuleSum {
	if b.old == nil || b.opt.Update.payload(item.Name) {
		return nil
	}
	if was := byName(b.old.Payloads)[item.Name]; was.Origin == origin(item) {
		return was.sums()
	}
	return nil
}

// keepLock writes the lock when something in it is new. With --locked it refuses that; without, it refuses what nobody
// asked for, another result of the same origin, until --update names it.
func (b *builder) keepLock(payloads []LockedPayload) error {
	changes := payloadChanges(b.lock.Payloads, payloads)
	if b.opt.Locked {
		return refuse(texts(changes), acceptHint)
	}
	unasked := slices.DeleteFunc(slices.Clone(changes), func(c change) bool { return !c.unasked || b.opt.Update.payload(c.payload) })
	if err := refuse(texts(unasked), updateHint(unasked)); err != nil {
		return err
	}
	if b.old != nil {
		b.say(texts(changes))
	}
	b.lock.Payloads, b.lock.Tools = payloads, b.opt.Tools
	old, err := ReadLock(b.opt.LockPath)
	if err != nil || old != nil && stage.Key(old) == stage.Key(b.lock) {
		return err
	}
	return b.lock.Write(b.opt.LockPath)
}

// say tells a person, once each, how the lock changes.
func (b *builder) say(lines []string) {
	for _, text := range lines {
		if !slices.Contains(b.said, text) {
			b.said = append(b.said, text)
			b.opt.Progress.Line(LockName + ": " + text)
		}
	}
}

func refuse(lines []string, hint string) error {
	if len(lines) == 0 {
		return nil
	}
	return &DriftError{Lines: lines, Hint: hint}
}

func updateHint(changes []change) string {
	var names []string
	for _, c := range changes {
		names = append(names, c.payload)
	}
	return fmt.Sprintf("another Go toolchain or slipway gives other bytes, and so does somebody's hand: "+
		"find out which, then accept it with --update=%s", strings.Join(slices.Compact(names), ","))
}
