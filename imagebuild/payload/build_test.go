package payload

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

// fakeGo stands for the Go toolchain: it answers `go mod download`, and what `go build` writes is a program made before.
type fakeGo struct {
	calls  int
	said   string // on standard error
	fail   error  // of go build, after half a file was written
	mod    string // the module's go.mod
	answer string // instead of the usual download answer
	env    []string
	gosum  string // as it was when go ran
	made   string // the program; this test itself if empty
}

func (f *fakeGo) Run(_ context.Context, cmd Cmd) error {
	f.calls++
	f.env = cmd.Env
	gosum, err := os.ReadFile(filepath.Join(cmd.Dir, "go.sum"))
	if err != nil {
		return err
	}
	f.gosum = string(gosum)
	if cmd.Args[1] == "mod" {
		path, version, _ := strings.Cut(cmd.Args[4], "@")
		answer := fmt.Sprintf(`{"Path":%q,"Version":%q,"Sum":"h1:sum","GoMod":%q}`, path, version, f.mod)
		if f.answer != "" {
			answer = f.answer
		}
		_, err := io.WriteString(cmd.Stdout, answer)
		return err
	}
	io.WriteString(cmd.Stderr, f.said)
	out := cmd.Args[slices.Index(cmd.Args, "-o")+1]
	program, err := os.ReadFile(cmp.Or(f.made, "/proc/self/exe"))
	if f.made == "" {
		withoutLoader(program)
	}
	if err != nil {
		return err
	}
	return errors.Join(os.WriteFile(out, program, 0o755), f.fail)
}

func fakeEnv(t *testing.T, f *fakeGo) Env {
	t.Helper()
	f.mod = filepath.Join(t.TempDir(), "go.mod")
	if err := os.WriteFile(f.mod, []byte("module m\ngo 1.25.0\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	tick := time.Unix(0, 0)
	now := func() time.Time { tick = tick.Add(time.Second); return tick }
	return Env{Run: f, CacheDir: filepath.Join(t.TempDir(), "cache"), Now: now, Environ: []string{"PATH=/bin", "GOFLAGS=-mod=vendor", "GOSUMDB=off"}}
}

func left(t *testing.T, dir string) []string {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		t.Fatal(err)
	}
	var names []string
	for _, e := range entries {
		names = append(names, e.Name())
	}
	return names
}

func TestBuildThenHit(t *testing.T) {
	f := &fakeGo{}
	env := fakeEnv(t, f)
	first, err := Build(t.Context(), base(), env)
	if err != nil {
		t.Fatal(err)
	}
	calls := f.calls
	second, err := Build(t.Context(), base(), env)
	if err != nil {
		t.Fatal(err)
	}
	if first.Cached || !second.Cached || f.calls != calls {
		t.Errorf("cached %v then %v, %d calls for the hit", first.Cached, second.Cached, f.calls-calls)
	}
	if !slices.Equal(first.Files, second.Files) || len(first.Files) != 2 {
		t.Errorf("files %v, then %v", first.Files, second.Files)
	}
	if link := first.Files[1]; link.Path != "/usr/bin/b" || link.Symlink != "a" || link.HostPath != "" {
		t.Errorf("link %+v", link)
	}
	if st, err := os.Stat(filepath.Dir(second.Files[0].HostPath)); err != nil || st.ModTime().Unix() > 1000 { // of the test's clock
		t.Errorf("the hit does not count as used: %v %v", st.ModTime(), err)
	}
	if names := left(t, env.CacheDir); len(names) != 1 {
		t.Errorf("the cache holds %v", names)
	}
}

// TestEnvironment: the user's settings must not change what is built, nor switch the checksum database off.
func TestEnvironment(t *testing.T) {
	f := &fakeGo{}
	if _, err := Build(t.Context(), base(), fakeEnv(t, f)); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"PATH=/bin", "GOFLAGS=-mod=mod", "GOSUMDB=sum.golang.org", "GONOSUMDB=none", "GOTOOLCHAIN=local", "GOENV=off", "GOFIPS140=off", "CGO_ENABLED=0", "GOWORK=off"} {
		if !slices.Contains(f.env, want) {
			t.Errorf("%s is not set: %v", want, f.env)
		}
	}
	if slices.Contains(f.env, "GOSUMDB=off") {
		t.Error("the user's GOSUMDB=off got through")
	}
}

func TestDamagedEntryIsMadeAnew(t *testing.T) {
	f := &fakeGo{}
	env := fakeEnv(t, f)
	first, err := Build(t.Context(), base(), env)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(first.Files[0].HostPath, []byte("rot"), 0o755); err != nil {
		t.Fatal(err)
	}
	var told string
	env.Progress = func(e Event) { told += e.Text + "\n" }
	again, err := Build(t.Context(), base(), env)
	if err != nil {
		t.Fatal(err)
	}
	if again.Cached || again.Files[0].SHA256 != mustDigest(t, again.Files[0].HostPath) || !strings.Contains(told, "making it anew") {
		t.Errorf("cached %v, told %q", again.Cached, told)
	}
}

func TestFailureLeavesNothing(t *testing.T) {
	for _, c := range []struct{ said, want string }{
		{"# m/a\na.go:1: no such thing\n", "a.go:1: no such thing"},
		{"go: m@v1.2.3 requires go >= 1.99.0 (running go 1.26.8)\n", "hint: install the Go release"},
		{"verifying m@v1.2.3: checksum mismatch\n", "do not use it"},
	} {
		env := fakeEnv(t, &fakeGo{said: c.said, fail: errors.New("exit status 1")})
		_, err := Build(t.Context(), base(), env)
		if err == nil || !strings.Contains(err.Error(), c.want) || !strings.Contains(err.Error(), `making payload "a" v1.2.3`) {
			t.Errorf("got %v, want %q", err, c.want)
		}
		if names := left(t, env.CacheDir); len(names) != 0 {
			t.Errorf("left %v", names)
		}
	}
}

func TestInterruptionLeavesNothing(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	env := fakeEnv(t, &fakeGo{fail: errors.New("signal: interrupt")})
	env.Progress = func(e Event) {
		if strings.HasPrefix(e.Text, "building") {
			cancel()
		}
	}
	if _, err := Build(ctx, base(), env); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
	if names := left(t, env.CacheDir); len(names) != 0 {
		t.Errorf("left %v", names)
	}
}

// TestKilledBuildIsNotSeen: what a killed process left is cleared, not used.
func TestKilledBuildIsNotSeen(t *testing.T) {
	env := fakeEnv(t, &fakeGo{})
	part := filepath.Join(env.CacheDir, "a-"+base().Key()[:32]+".part", "out")
	if err := os.MkdirAll(part, 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(part, "a"), []byte("half"), 0o755); err != nil {
		t.Fatal(err)
	}
	res, err := Build(t.Context(), base(), env)
	if err != nil || res.Cached {
		t.Fatalf("cached %v: %v", res.Cached, err)
	}
	if raw, err := os.ReadFile(res.Files[0].HostPath); err != nil || string(raw) == "half" {
		t.Errorf("content %.10q, %v", raw, err)
	}
}

func TestModuleThatIsNotThere(t *testing.T) {
	env := fakeEnv(t, &fakeGo{answer: `{"Path":"m","Version":"v1.2.3","Error":"m@v1.2.3: 404 Not Found"}`})
	_, err := Build(t.Context(), base(), env)
	if err == nil || !strings.Contains(err.Error(), "404 Not Found\nhint: does the version exist") {
		t.Errorf("got %v", err)
	}
}

// What needs a loader runs only where its libraries are: no payload that is built here may.
func TestBuiltProgramsAreStatic(t *testing.T) {
	made := filepath.Join(t.TempDir(), "program")
	for loader, want := range map[bool]string{true: "building m/a: it is not static", false: "reading the modules"} { // it gets one further
		if err := os.WriteFile(made, elfFile(loader), 0o755); err != nil {
			t.Fatal(err)
		}
		if _, err := Build(t.Context(), base(), fakeEnv(t, &fakeGo{made: made})); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("loader %v: %v", loader, err)
		}
	}
}
