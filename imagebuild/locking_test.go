package imagebuild

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"

	"slipway/imagebuild/distro"
	"slipway/imagebuild/payload"
)

// lines is a Progress that keeps what a person should know.
type lines struct {
	quiet
	said []string
}

func (l *lines) Line(text string) { l.said = append(l.said, text) }

// locking is a builder beside whose spec the lock lies.
func locking(t *testing.T, lock *Lock, change func(*Options)) (*builder, *lines) {
	t.Helper()
	heard := &lines{}
	b := testBuilder(t, func(o *Options) {
		o.Progress, o.Tools = heard, sample().Tools
		change(o)
	})
	if err := lock.Write(b.opt.LockPath); err != nil {
		t.Fatal(err)
	}
	return b, heard
}

// planLock is a lock that says what the builder's plan wants.
func planLock(b *builder) *Lock {
	l := &Lock{Version: lockVersion, Epoch: 7, Asked: b.plan.Request, Tools: Tools{"go": "go1.26.0"}}
	for _, item := range b.plan.Payloads {
		if pinned(item) {
			l.Payloads = append(l.Payloads, LockedPayload{Name: item.Name, Version: item.Version, Origin: origin(item), Files: map[string]string{"/x": "ff"}})
		}
	}
	return l
}

// Everything that can be known before any work is named at once, and nothing was done.
func TestLockedNamesDriftFirst(t *testing.T) {
	want := planLock(testBuilder(t, func(*Options) {}))
	for name, c := range map[string]struct {
		change func(*Lock, *Options)
		want   []string
	}{
		"another slipway": {func(l *Lock, o *Options) { l.Tools["slipway"], o.Tools["slipway"] = "v1 sha256:aa", "v1 sha256:bb" },
			[]string{"slipway: locked v1 sha256:aa, now v1 sha256:bb"}},
		"another slipwayd": {func(l *Lock, o *Options) { l.Tools["slipwayd"], o.Tools["slipwayd"] = "sha256:aa", "sha256:bb" },
			[]string{"slipwayd: locked sha256:aa, now sha256:bb"}},
		"another Go": {func(_ *Lock, o *Options) { o.Tools["go"] = "go1.26.1" }, []string{"go: locked go1.26.0, now go1.26.1"}},
		"another apt": {func(l *Lock, o *Options) { l.Tools["apt"], o.Tools["apt"] = "2.6.1", "3.0.3" },
			[]string{"apt: locked 2.6.1, now 3.0.3"}},
		"another mmdebstrap": {func(l *Lock, o *Options) { l.Tools["mmdebstrap"], o.Tools["mmdebstrap"] = "1.3.5-7", "1.5.7-1" },
			[]string{"mmdebstrap: locked 1.3.5-7, now 1.5.7-1"}},
		"a lock without tools": {func(l *Lock, _ *Options) { l.Tools = nil }, []string{"go go1.26.0: not in the lock"}},
		"another version of a payload": {func(l *Lock, _ *Options) { l.Payloads[0].Origin = "gomod m@v0" },
			[]string{"payload cni-plugins: locked gomod m@v0, now gomod github.com/containernetworking/plugins@v1.9.1"}},
		"all of it": {func(l *Lock, o *Options) {
			l.Asked.Release, l.Payloads, o.Tools["go"] = "bookworm", l.Payloads[1:], "go1.26.1"
		}, []string{"release: locked bookworm, now trixie",
			"go: locked go1.26.0, now go1.26.1", "payload cni-plugins v1.9.1: not in the lock"}},
	} {
		t.Run(name, func(t *testing.T) {
			lock := *want
			lock.Payloads, lock.Tools = slices.Clone(want.Payloads), Tools{"go": "go1.26.0"}
			b, _ := locking(t, &lock, func(o *Options) {
				o.Locked, o.Tools = true, Tools{"go": "go1.26.0"}
				c.change(&lock, o)
			})
			_, err := Build(t.Context(), b.plan, b.opt)
			drift, ok := errors.AsType[*DriftError](err)
			if !ok || code(err) != 3 || !slices.Equal(drift.Lines, c.want) || !strings.Contains(err.Error(), "\nhint: build without --locked") {
				t.Errorf("got %v", err)
			}
			if _, err := os.Stat(b.opt.Cache); !errors.Is(err, syscall.ENOENT) {
				t.Errorf("it began nevertheless: %v", err)
			}
		})
	}
}

func TestKeepLock(t *testing.T) {
	const file, version = "payload etcd: etcd was sha256 ff, now ee", "payload etcd: locked gomod e@v3.6, now gomod e@v3.7"
	otherBytes := func(p *LockedPayload) { p.Files = map[string]string{"/usr/bin/etcd": "ee"} }
	otherVersion := func(p *LockedPayload) {
		p.Version, p.Origin, p.Files = "v3.7", "gomod e@v3.7", map[string]string{"/usr/bin/etcd": "ee"}
	}
	for name, c := range map[string]struct {
		locked  bool
		update  Update
		change  func(*LockedPayload)
		refused string // what it says, if it does not write the lock
		said    []string
	}{
		"nothing new":                  {change: func(*LockedPayload) {}},
		"nothing new, locked":          {change: func(*LockedPayload) {}, locked: true},
		"other bytes":                  {change: otherBytes, refused: file},
		"other bytes, locked":          {change: otherBytes, locked: true, refused: file},
		"other bytes, accepted":        {change: otherBytes, update: Update{"etcd"}, said: []string{"slipway.lock: " + file}},
		"other bytes, all accepted":    {change: otherBytes, update: Update{All}, said: []string{"slipway.lock: " + file}},
		"other bytes, another's named": {change: otherBytes, update: Update{"helm", "jq"}, refused: file},
		"another version":              {change: otherVersion, said: []string{"slipway.lock: " + version}},
		"another version, locked":      {change: otherVersion, locked: true, refused: version},
	} {
		t.Run(name, func(t *testing.T) {
			b, heard := locking(t, sample(), func(o *Options) { o.Locked, o.Update = c.locked, c.update })
			before := text(t, b.opt.LockPath)
			b.old, b.lock = sample(), sample()
			now := sample().Payloads
			c.change(&now[0])
			err := b.keepLock(now)
			if c.refused == "" && err != nil || c.refused != "" && (code(err) != 3 || !strings.Contains(err.Error(), c.refused)) {
				t.Errorf("got %v", err)
			}
			if written := text(t, b.opt.LockPath) != before; written != (len(c.said) > 0) {
				t.Errorf("written %v", written)
			}
			if !slices.Equal(heard.said, c.said) {
				t.Errorf("said %q", heard.said)
			}
			if c.refused != "" && !c.locked && !strings.HasSuffix(err.Error(), "--update=etcd") {
				t.Errorf("no way out: %v", err)
			}
		})
	}
}

// Other tools are no reason to stop: they are said, and the lock follows them when the payloads are what they were.
func TestLockFollowsTools(t *testing.T) {
	b, heard := locking(t, planLock(testBuilder(t, func(*Options) {})), func(o *Options) { o.Tools = Tools{"go": "go1.26.1"} })
	done, err := b.openLock(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer done()
	if want := []string{"slipway.lock: go: locked go1.26.0, now go1.26.1"}; !slices.Equal(heard.said, want) {
		t.Errorf("said %q", heard.said)
	}
	b.lock = b.old
	if err := b.keepLock(b.old.Payloads); err != nil {
		t.Fatal(err)
	}
	if got, err := ReadLock(b.opt.LockPath); err != nil || got.Tools["go"] != "go1.26.1" || len(heard.said) != 1 {
		t.Errorf("%+v %v, said %q", got, err, heard.said)
	}
}

// Two builds beside one spec take turns from reading the lock to writing it; one that only reads it need not.
func TestLockTakesTurns(t *testing.T) {
	first, _ := locking(t, sample(), func(*Options) {})
	done, err := first.openLock(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	second, heard := locking(t, sample(), func(o *Options) { o.LockPath = first.opt.LockPath })
	second.cache.Locks.Wait = func(who string) { heard.Line(who); done() }
	done2, err := second.openLock(t.Context())
	if err != nil || len(heard.said) == 0 || !strings.HasPrefix(heard.said[0], "process ") || !strings.HasSuffix(heard.said[0], ", which builds single") {
		t.Fatalf("waited for %q: %v", heard.said, err)
	}
	third, _ := locking(t, sample(), func(o *Options) { o.LockPath, o.Locked = first.opt.LockPath, true })
	if _, err := third.openLock(t.Context()); code(err) != 3 { // it drifted, and did not wait
		t.Errorf("--locked: %v", err)
	}
	done2()
	if left, err := filepath.Glob(filepath.Join(filepath.Dir(first.opt.LockPath), ".*")); err != nil || len(left) != 0 {
		t.Errorf("left %v %v", left, err)
	}
}

func TestKnownSums(t *testing.T) {
	b := testBuilder(t, func(*Options) {})
	b.old = sample()
	item := payload.Item{Name: "etcd", Version: "v3.6", Source: payload.SourceGomod, Modules: []string{"e"}}
	want := []payload.ModuleSum{{Path: "d", Version: "v1", Sum: "h1:d"}, {Path: "e", Version: "v3.6", Sum: "h1:x"}}
	if got := b.knownSums(item); !slices.Equal(got, want) {
		t.Errorf("got %v", got)
	}
	b.opt.Update = Update{"etcd"}
	if got := b.knownSums(item); got != nil {
		t.Errorf("updated: %v", got)
	}
	b.opt.Update, item.Version = nil, "v3.7"
	if got := b.knownSums(item); got != nil {
		t.Errorf("another version: %v", got)
	}
}

// patched is a distribution with security updates for two locked packages. Of a lock that answers all it is not asked.
type patched struct{ distro.Driver }

func (patched) Resolve(_ context.Context, _ distro.Request, in distro.ResolveInput) ([]distro.Package, error) {
	in.Waiting([]distro.Package{{Name: "jq", Version: "1.8-1"}, {Name: "libjq1", Version: "1.8-1"}})
	return in.Keep, nil
}

func TestWaitingUpdatesAreSaid(t *testing.T) {
	b, heard := locking(t, sample(), func(*Options) {})
	b.plan.Distro = patched{b.plan.Distro}
	b.old = sample()
	if err := b.lockPackages(t.Context()); err != nil {
		t.Fatal(err)
	}
	if !slices.Contains(heard.said, "slipway.lock: 2 security updates wait: jq 1.8-1, libjq1 1.8-1\nhint: --update takes all that is new, --update=NAME what is built from one source") {
		t.Errorf("said %q", heard.said)
	}
	heard.said, b.old = nil, b.lock
	if err := b.lockPackages(t.Context()); err != nil || len(heard.said) > 0 {
		t.Errorf("%v, said %q", err, heard.said)
	}
}

func TestUpdate(t *testing.T) {
	for _, c := range []struct {
		update            Update
		payload, packages bool
	}{
		{nil, false, false}, {Update{All}, true, true}, {Update{"etcd"}, true, false}, {Update{"haproxy"}, false, true}, {Update{"etcd", "haproxy"}, true, true},
	} {
		if got := c.update.payload("etcd"); got != c.payload || c.update.packages() != c.packages {
			t.Errorf("%q: payload %v, packages %v", c.update, got, c.update.packages())
		}
	}
}
