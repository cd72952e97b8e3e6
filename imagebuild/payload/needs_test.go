package payload

import (
	"context"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// listing is a go that answers what FindNeeds asks, and notes it.
type listing struct {
	cache, gomod string
	asked        []string
}

func (l *listing) Run(_ context.Context, cmd Cmd) error {
	l.asked = append(l.asked, strings.Join(cmd.Args, " "))
	switch cmd.Args[1] {
	case "env":
		fmt.Fprintln(cmd.Stdout, l.cache)
	case "list":
		f, err := os.OpenFile(filepath.Join(cmd.Dir, "go.sum"), os.O_APPEND|os.O_WRONLY, 0)
		if err != nil {
			return err
		}
		defer f.Close()
		_, err = io.WriteString(f, "d.example v1.0.0 h1:d\nd.example v1.0.0/go.mod h1:dm\nunused.example v1.0.0/go.mod h1:um\n")
		return err
	case "mod":
		if cmd.Args[3] == "-json" {
			path, version, _ := strings.Cut(cmd.Args[4], "@")
			fmt.Fprintf(cmd.Stdout, `{"Path":%q,"Version":%q,"Sum":"h1:m","GoModSum":"h1:mm","GoMod":%q}`, path, version, l.gomod)
		}
	}
	return nil
}

func TestFindNeeds(t *testing.T) {
	env := fakeEnv(t, &fakeGo{})
	l := &listing{cache: t.TempDir(), gomod: filepath.Join(t.TempDir(), "go.mod")}
	if err := os.WriteFile(l.gomod, []byte("module m\ngo 1.25.0\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	item := base()
	item.Modules = []string{"m.example"}
	have, err := ProxyFile(item.Modules[0], item.Version, "zip")
	if err != nil {
		t.Fatal(err)
	}
	if err := os.MkdirAll(filepath.Join(l.cache, "cache/download", filepath.Dir(have)), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(l.cache, "cache/download", have), nil, 0o644); err != nil {
		t.Fatal(err)
	}
	env.Run, env.GoSum = l, []byte("m.example v1.2.3 h1:m\n")
	needs, err := FindNeeds(t.Context(), item, env)
	if err != nil {
		t.Fatal(err)
	}
	for _, line := range []string{"d.example v1.0.0 h1:d", "unused.example v1.0.0/go.mod h1:um", "m.example v1.2.3 h1:m", "m.example v1.2.3/go.mod h1:mm"} {
		if !strings.Contains(needs.GoSum, line+"\n") {
			t.Errorf("no %q in\n%s", line, needs.GoSum)
		}
	}
	asked := strings.Join(l.asked, "\n")
	for _, call := range []string{"go list -deps " + item.Binaries[0].Package, "go mod download d.example@v1.0.0"} { // its archive is not in the cache
		if !strings.Contains(asked, call) {
			t.Errorf("%q was not asked:\n%s", call, asked)
		}
	}
	if strings.Contains(asked, "go build") || strings.Contains(asked, "go mod download m.example@") || strings.Contains(asked, "go mod download unused.example@") {
		t.Errorf("it asked for too much:\n%s", asked)
	}
	if names := left(t, env.CacheDir); len(names) != 0 {
		t.Errorf("left %v", names)
	}
}

func TestWhatNeedsNothing(t *testing.T) {
	for _, item := range []Item{{Source: SourceGomod, Template: "pause"}, {Source: SourceRelease}, {Source: SourceFile}} {
		if needs, err := FindNeeds(t.Context(), item, Env{}); err != nil || needs != (Needs{}) {
			t.Errorf("%+v: %+v %v", item, needs, err)
		}
	}
}

// In a namespace of its own a program sees no interface but one that leads nowhere, and its files are the caller's.
func TestAlone(t *testing.T) {
	dir := t.TempDir()
	var out strings.Builder
	cmd := Cmd{Args: []string{"sh", "-ec", "cat /proc/self/net/dev /proc/self/net/route; : > file"}, Dir: dir, Env: os.Environ(), Stdout: &out, Stderr: &out}
	if err := (Exec{Alone: true}).Run(t.Context(), cmd); err != nil {
		t.Fatalf("%v\n%s", err, out.String())
	}
	for line := range strings.Lines(out.String()) {
		if name, _, found := strings.Cut(line, ":"); found && strings.TrimSpace(name) != "lo" {
			t.Errorf("it sees %s", line)
		}
	}
	if strings.Count(out.String(), "\n") > 4 { // two lines of titles, lo, and the titles of no routes
		t.Errorf("it has routes:\n%s", out.String())
	}
	if _, err := os.Stat(filepath.Join(dir, "file")); err != nil {
		t.Error(err)
	}
}
