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
	"slipway/imagebuild/stage"
	"slipway/internal/golden"
)

// file writes a file into a fresh folder and returns its path.
func file(t *testing.T, name, content string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(path, []byte(content), 0o644); err != nil {
		t.Fatal(err)
	}
	return path
}

func code(err error) int {
	var coded interface{ ExitCode() int }
	if errors.As(err, &coded) {
		return coded.ExitCode()
	}
	return 1
}

func sample() *Lock {
	return &Lock{
		Version: lockVersion, Epoch: 1_780_000_000, Asked: distro.Request{Name: "debian", Release: "trixie", Architecture: "amd64", Kernel: "linux-image-amd64", Packages: []string{"jq"}}, Tools: Tools{"go": "go1.26.8", "slipway": "v1 sha256:aa"},
		Packages: []distro.Package{{Name: "jq", Version: "1.7", SHA256: "aa", Size: 7, Archive: "trixie", Path: "pool/jq.deb"}},
		Payloads: []LockedPayload{{Name: "etcd", Version: "v3.6", Origin: "gomod e@v3.6", Modules: map[string]string{"e@v3.6": "h1:x", "d@v1": "h1:d"}, Files: map[string]string{"/usr/bin/etcd": "ff"}}},
	}
}

func TestLockRoundTrip(t *testing.T) {
	path := filepath.Join(t.TempDir(), LockName)
	if l, err := ReadLock(path); l != nil || err != nil {
		t.Fatalf("no lock yet: %v %v", l, err)
	}
	for range 2 { // the second time over the first
		if err := sample().Write(path); err != nil {
			t.Fatal(err)
		}
	}
	got, err := ReadLock(path)
	if err != nil || stage.Key(got) != stage.Key(sample()) {
		t.Errorf("%+v %v", got, err)
	}
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	golden.Check(t, "testdata/slipway.lock", data)
}

func TestUnreadableLocks(t *testing.T) {
	for content, want := range map[string]string{
		"":                               "unexpected end of JSON input",
		"{":                              "unexpected end of JSON input",
		"packages: []":                   "invalid character",
		`{"version": 3}`:                 "version 3, this slipway reads 1 to 2",
		`{}`:                             "version 0, this slipway reads 1 to 2",
		`{"version": 1, "epoch": "now"}`: "cannot unmarshal string",
	} {
		path := file(t, LockName, content)
		_, err := ReadLock(path)
		if err == nil || code(err) != 2 || !strings.Contains(err.Error(), "reading "+path+": ") ||
			!strings.Contains(err.Error(), want) || !strings.Contains(err.Error(), "\nhint: restore it, or delete it") {
			t.Errorf("%q: %v", content, err)
		}
	}
}

// A lock that cannot be replaced leaves nothing beside it.
func TestFailedWriteLeavesNothing(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, LockName)
	if err := os.MkdirAll(filepath.Join(path, "in-the-way"), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := sample().Write(path); err == nil || !strings.HasPrefix(err.Error(), "writing the lock: ") {
		t.Errorf("got %v", err)
	}
	if left, err := os.ReadDir(dir); err != nil || len(left) != 1 {
		t.Errorf("left %v %v", left, err)
	}
}

func TestLockPackages(t *testing.T) {
	for name, c := range map[string]struct {
		lock *Lock
		want string // nothing: the lock is taken as it is
	}{
		"no lock":         {nil, "there is no slipway.lock beside the spec"},
		"changed request": {sample(), "kernel: locked linux-image-amd64, now linux-image-amd64/trixie-backports"},
		"same request":    {planLock(testBuilder(t, func(*Options) {})), ""},
	} {
		t.Run(name, func(t *testing.T) {
			b := testBuilder(t, func(o *Options) { o.Locked, o.Tools = true, Tools{"go": "go1.26.0"} })
			if c.lock != nil {
				if err := c.lock.Write(b.opt.LockPath); err != nil {
					t.Fatal(err)
				}
			}
			_, err := b.openLock(t.Context())
			if err == nil {
				err = b.lockPackages(t.Context())
			}
			if c.want == "" {
				if err != nil || b.lock.Epoch != 7 || !b.rec.Steps[0].Cached {
					t.Errorf("%+v %v", b.lock, err)
				}
				return
			}
			if err == nil || code(err) != 3 || !strings.Contains(err.Error(), c.want) || !strings.Contains(err.Error(), "\nhint: build without --locked") {
				t.Errorf("got %v", err)
			}
			if _, err := os.Stat(b.opt.Cache); err == nil {
				t.Error("it asked the distribution")
			}
		})
	}
}

// A mirror is where bytes come from, not what they are: another one needs no other lock.
func TestAnotherMirror(t *testing.T) {
	b := testBuilder(t, func(o *Options) { o.Locked, o.Tools = true, Tools{"go": "go1.26.0"} })
	if err := planLock(b).Write(b.opt.LockPath); err != nil {
		t.Fatal(err)
	}
	const snapshot = "https://snapshot.debian.org/archive/debian/20261001T000000Z"
	b = newBuilder(plan(t, "image: {mirror: '"+snapshot+"', securityMirror: 'file:///srv/security'}\n"), b.opt)
	if _, err := b.openLock(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := b.lockPackages(t.Context()); err != nil || b.lock.Epoch != 7 {
		t.Errorf("%+v %v", b.lock, err)
	}
	places := b.fetcher.Places(distro.Package{Archive: "trixie-security", Path: "pool/jq.deb"})
	if want := []string{"file:///srv/security/pool/jq.deb", snapshot + "/pool/jq.deb"}; !slices.Equal(places, want) {
		t.Errorf("it would ask %v", places)
	}
}

func TestKeptPackages(t *testing.T) {
	old := sample()
	old.Packages = append(old.Packages, distro.Package{Name: "haproxy", Version: "3.0"})
	for name, c := range map[string]struct {
		old    *Lock
		update Update
		want   string
	}{
		"no lock":             {nil, nil, ""},
		"one more package":    {old, nil, "jq haproxy"},
		"one updated":         {old, Update{"haproxy"}, "jq"},
		"a payload updated":   {old, Update{"etcd"}, "jq haproxy"},
		"all updated":         {old, Update{All}, ""},
		"another release":     {&Lock{Asked: distro.Request{Name: "debian", Release: "bookworm"}, Packages: old.Packages}, nil, ""},
		"a name of nothing":   {old, Update{"haprox"}, `error updating "haprox": slipway.lock has no package and no payload of this name`},
		"before distribution": {&Lock{Packages: old.Packages}, nil, ""}, // a lock of version 1
	} {
		b := testBuilder(t, func(o *Options) { o.Update = c.update })
		b.old = c.old
		b.plan.Request = distro.Request{Name: "debian", Release: "trixie", Architecture: "amd64", Kernel: "linux-image-amd64", Packages: []string{"jq", "lsof"}}
		kept, err := b.keptPackages()
		var names []string
		for _, p := range kept {
			names = append(names, p.Name)
		}
		got := strings.Join(names, " ")
		if err != nil {
			got = "error " + err.Error()
		}
		if got != c.want || err != nil && code(err) != 2 {
			t.Errorf("%s: %q", name, got)
		}
	}
}

func TestNewVersions(t *testing.T) {
	now := []distro.Package{{Name: "jq", Version: "1.8"}, {Name: "lsof", Version: "4"}}
	if got := newVersions(sample().Packages, now); !slices.Equal(got, []string{"package jq: locked 1.7, now 1.8"}) {
		t.Errorf("got %q", got)
	}
}

func text(t *testing.T, path string) string {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}

// stopping is a Progress that ends the build at the first thing that it says.
type stopping struct {
	quiet
	said string
	stop func()
}

func (s *stopping) Line(text string) {
	s.said = text
	s.stop()
}

// A build that writes to the same folder is waited for, before anything is begun.
func TestBusyFolder(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	heard := &stopping{stop: cancel}
	b := testBuilder(t, func(o *Options) { o.Progress = heard })
	unlock, err := stage.Locker{Who: "process 71, which builds other"}.Lock(t.Context(), filepath.Join(b.opt.Out, ".slipway.lock"))
	if err != nil {
		t.Fatal(err)
	}
	defer unlock()
	if _, err := Build(ctx, b.plan, b.opt); !errors.Is(err, context.Canceled) || heard.said != "waiting for process 71, which builds other" {
		t.Errorf("got %v, said %q", err, heard.said)
	}
	if _, err := os.Stat(b.opt.Cache); !errors.Is(err, syscall.ENOENT) {
		t.Errorf("it began nevertheless: %v", err)
	}
}

// What the build takes from the cache is put there while nobody may prune it.
func TestPlaceInCacheInUse(t *testing.T) {
	placed := errors.New("placed")
	b := testBuilder(t, func(*Options) {})
	b.opt.Place = func() error {
		if _, err := (Store{Dir: b.opt.Cache, Sandbox: b.sandbox, Now: b.opt.Now}).Prune(t.Context(), 0); code(err) != 4 {
			t.Errorf("pruning meanwhile: %v", err)
		}
		return placed
	}
	if _, err := Build(t.Context(), b.plan, b.opt); !errors.Is(err, placed) {
		t.Errorf("got %v", err)
	}
}

// Which modules nobody vouched for is in the lock, and known to the next build.
func TestLockNamesPrivateModules(t *testing.T) {
	sums := []payload.ModuleSum{{Path: "a.example/m", Version: "v1", Sum: "h1:a"}, {Path: "us.example/m", Version: "v2", Sum: "h1:b", Private: true}}
	p := lockPayload(payload.Result{Modules: sums})
	if !slices.Equal(p.Private, []string{"us.example/m@v2"}) || len(p.Modules) != 2 {
		t.Errorf("locked %+v", p)
	}
	if got := p.sums(); !slices.Equal(got, sums) {
		t.Errorf("the next build knows %+v", got)
	}
}
