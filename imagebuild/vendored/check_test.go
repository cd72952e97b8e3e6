package vendored

import (
	"context"
	"errors"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

func TestCheckNamesFiles(t *testing.T) {
	for name, c := range map[string]struct {
		spoil  func(path string) error
		before string // what is seen without reading
		want   string
	}{
		"missing":     {os.Remove, "is missing", "archives/aa.deb (package jq 1.7): is missing"},
		"cut off":     {func(p string) error { return os.Truncate(p, 3) }, "has 3 bytes", "archives/aa.deb (package jq 1.7): has 3 bytes instead of 10"},
		"another":     {func(p string) error { return os.WriteFile(p, []byte("An archive"), 0o644) }, "", "archives/aa.deb (package jq 1.7): is damaged: sha256 "},
		"a folder":    {func(p string) error { return errors.Join(os.Remove(p), os.Mkdir(p, 0o755)) }, "is no file", "is no file"},
		"a link":      {func(p string) error { return errors.Join(os.Remove(p), os.Symlink("/etc/passwd", p)) }, "is no file", "is no file"},
		"one unnamed": {func(p string) error { return os.WriteFile(p+".x", nil, 0o644) }, "", "archives/aa.deb.x: is not named in vendor.json"},
	} {
		t.Run(name, func(t *testing.T) {
			dir, _, _ := filled(t)
			if err := c.spoil(filepath.Join(dir, "archives/aa.deb")); err != nil {
				t.Fatal(err)
			}
			r, err := Check(t.Context(), dir)
			if err != nil || len(r.Problems) != 1 || !strings.Contains(r.Problems[0].String(), c.want) {
				t.Errorf("%+v %v", r, err)
			}
			f, err := Open(dir)
			if err != nil {
				t.Fatal(err)
			}
			if err := f.Complete(); (err != nil) != (c.before != "") || err != nil && !strings.Contains(err.Error(), c.before) {
				t.Errorf("without reading: %v", err)
			}
			if name == "one unnamed" {
				return
			}
			err = f.Verify(t.Context(), "archives/aa.deb")
			if e, ok := errors.AsType[*DamageError](err); !ok || e.ExitCode() != 2 || !strings.Contains(err.Error(), c.want) || !strings.Contains(err.Error(), "\nhint: carry these files here again") {
				t.Errorf("got %v", err)
			}
		})
	}
}

func TestManyProblemsAreSummedUp(t *testing.T) {
	err := (&DamageError{Dir: "v", Problems: make([]Problem, shown+3)}).Error()
	if !strings.Contains(err, "\n  and 3 more\nhint: ") {
		t.Error(err)
	}
}

func TestCheckStops(t *testing.T) {
	dir, _, _ := filled(t)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := Check(ctx, dir); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
}

func TestNoFolder(t *testing.T) {
	for name, content := range map[string]string{"no index": "-", "no JSON": "{", "newer": `{"version": 9}`, "a key more": `{"version": 1, "x": 1}`,
		"upwards": `{"version":1,"files":[{"path":"../x"}]}`, "absolute": `{"version":1,"files":[{"path":"/x"}]}`, "roundabout": `{"version":1,"files":[{"path":"a/../x"}]}`} {
		dir := t.TempDir()
		if content != "-" {
			put(t, dir, IndexName, content)
		}
		_, err := Open(dir)
		if e, ok := errors.AsType[*IndexError](err); !ok || e.ExitCode() != 2 || !strings.Contains(err.Error(), "\nhint: slipway vendor fills one") {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// A build reads modules once, and all of them.
func TestVerifyModules(t *testing.T) {
	dir, _, _ := filled(t)
	f, err := Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	put(t, dir, "go/m/@v/v1.zip", "a m0dule")
	for range 2 {
		if err := f.VerifyModules(t.Context()); err == nil || !strings.Contains(err.Error(), "go/m/@v/v1.zip: is damaged") {
			t.Errorf("got %v", err)
		}
	}
}

func TestDownloaded(t *testing.T) {
	all, _ := sources(t)
	dir := filepath.Join(t.TempDir(), "a vendor") // a space in a file: URL
	write(t, dir, append(all, Source{Path: "downloads/aa", Data: []byte("helm")}))
	f, err := Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	d := Downloaded{Folder: f, Digest: map[string]string{"https://x/helm": "aa"}}
	body, size, err := d.Fetch(t.Context(), "https://x/helm")
	if err != nil || size != 4 {
		t.Fatalf("%d bytes, %v", size, err)
	}
	defer body.Close()
	if data, err := io.ReadAll(body); err != nil || string(data) != "helm" {
		t.Errorf("%q %v", data, err)
	}
	if _, _, err := d.Fetch(t.Context(), "https://x/other"); err == nil || !strings.Contains(err.Error(), "is not named in vendor.json") {
		t.Errorf("got %v", err)
	}
	if got := f.URL("downloads/aa"); !strings.HasPrefix(got, "file:///") || !strings.HasSuffix(got, "/a%20vendor/downloads/aa") {
		t.Error(got)
	}
	if _, err := Nobody().Get("https://proxy.example/"); err == nil || !strings.Contains(err.Error(), "a build with --vendor asks nobody: https://proxy.example/") {
		t.Errorf("got %v", err)
	}
}

// Of the user's own settings of where modules come from none is left, however often they are there.
func TestEnviron(t *testing.T) {
	dir, _, _ := filled(t)
	f, err := Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	got := f.Environ([]string{"PATH=/bin", "GOPROXY=https://proxy.example", "GOPRIVATE=*", "GOPROXY=off", "GOVCS=*:all", "HOME=/root", "GOTOOLCHAIN=auto"})
	want := []string{"PATH=/bin", "HOME=/root", "GOPROXY=file://" + f.Dir + "/go", "GONOPROXY=none", "GOPRIVATE=", "GONOSUMDB=none", "GOINSECURE=", "GOVCS=*:off", "GOAUTH=off", "GOTOOLCHAIN=local"}
	if !slices.Equal(got, want) {
		t.Errorf("got  %q\nwant %q", got, want)
	}
}
