package ubuntu

import (
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"slipway/imagebuild/debian"
	"slipway/imagebuild/distro"
	"slipway/internal/testapt"
)

var now = time.Now().Truncate(time.Second)

// mirror is a small signed archive of noble: every package that an image asks for, with nothing in it.
type mirror struct {
	t       *testing.T
	archive *testapt.Archive
	url     string
	keys    []string // files
	entries map[string][]testapt.Entry
}

const kernel = "linux-image-generic-hwe-24.04"

// kernels are packages as Ubuntu divides them; firmware is in no archive.
var kernels = []string{
	"Package: " + kernel + "\nDepends: linux-image-7.0.0-28-generic, linux-firmware, intel-microcode, amd64-microcode",
	"Package: linux-image-7.0.0-28-generic\nDepends: kmod, linux-base, linux-modules-7.0.0-28-generic",
	"Package: linux-modules-7.0.0-28-generic",
	"Package: linux-image-generic\nDepends: linux-image-6.8.0-31-generic, linux-modules-extra-6.8.0-31-generic, linux-firmware",
	"Package: linux-image-6.8.0-31-generic\nDepends: kmod, linux-base, linux-modules-6.8.0-31-generic",
	"Package: linux-modules-6.8.0-31-generic",
	"Package: linux-modules-extra-6.8.0-31-generic\nDepends: linux-image-6.8.0-31-generic",
	"Package: linux-base", "Package: snapd", "Package: needs-snapd\nDepends: snapd",
}

func newMirror(t *testing.T) *mirror {
	t.Helper()
	m := &mirror{t: t, entries: map[string][]testapt.Entry{}}
	m.archive = &testapt.Archive{Dir: t.TempDir(), Made: now, Fields: "Origin: Ubuntu\nLabel: Ubuntu\n"}
	m.archive.Key = m.newKey(now.Add(-time.Hour), 0)
	srv := httptest.NewServer(http.FileServer(http.Dir(m.archive.Dir)))
	t.Cleanup(srv.Close)
	m.url = srv.URL
	m.add("noble", "main", "Package: base-files\nVersion: 13ubuntu10\nEssential: yes")
	for _, name := range New().Request("noble", kernel, nil).Packages {
		component := "main"
		if name == "docker.io" {
			component = "universe"
		}
		m.add("noble", component, "Package: "+name)
	}
	for _, control := range kernels {
		m.add("noble-updates", "main", control)
	}
	m.add("noble-security", "main", "Package: haproxy\nVersion: 2.8.5-1ubuntu3.4")
	m.write()
	return m
}

// newKey makes a key and trusts it.
func (m *mirror) newKey(made time.Time, life time.Duration) *testapt.Key {
	m.t.Helper()
	key, err := testapt.NewKey("Ubuntu", made, life)
	if err != nil {
		m.t.Fatal(err)
	}
	file := filepath.Join(m.t.TempDir(), "archive.asc")
	if err := os.WriteFile(file, key.Public, 0o644); err != nil {
		m.t.Fatal(err)
	}
	m.keys = append(m.keys, file)
	return key
}

func (m *mirror) add(suite, component, control string) {
	m.t.Helper()
	if !strings.Contains(control, "\nVersion: ") {
		control += "\nVersion: 1.0-1ubuntu1"
	}
	entry, err := m.archive.Add(component, testapt.New(control+"\nArchitecture: all\nMaintainer: A <a@example.org>\nDescription: nothing\n", nil))
	if err != nil {
		m.t.Fatal(err)
	}
	m.entries[suite] = append(m.entries[suite], entry)
}

// write writes the indexes of what was added.
func (m *mirror) write() {
	m.t.Helper()
	for _, s := range suites("noble") {
		if err := m.archive.Suite(s.Name, []string{"main", "universe"}, m.entries[s.Name]); err != nil {
			m.t.Fatal(err)
		}
	}
}

// change rewrites a file of the archive, or all that match.
func (m *mirror) change(pattern string, with func([]byte) []byte) {
	m.t.Helper()
	files, err := filepath.Glob(filepath.Join(m.archive.Dir, pattern))
	if err != nil || len(files) == 0 {
		m.t.Fatalf("%s: %v", pattern, err)
	}
	for _, file := range files {
		data, err := os.ReadFile(file)
		if err != nil {
			m.t.Fatal(err)
		}
		data = with(data)
		if data == nil {
			err = os.Remove(file)
		} else {
			err = os.WriteFile(file, data, 0o644)
		}
		if err != nil {
			m.t.Fatal(err)
		}
	}
}

// request asks for noble as the archive signs it.
func (m *mirror) request(extra ...string) distro.Request {
	req := New().Request("noble", kernel, extra)
	if m.archive.Key != nil {
		req.Signers = []string{m.archive.Key.Fingerprint}
	}
	return req
}

func (m *mirror) input() distro.ResolveInput {
	return distro.ResolveInput{Mirrors: New().Mirrors("noble", m.url, m.url), Keys: m.keys, Dir: m.t.TempDir()}
}

func (m *mirror) fetcher(d debian.Driver) distro.Fetcher {
	return distro.Fetcher{
		Pool: filepath.Join(m.t.TempDir(), "pool"), Suffix: ".deb", Client: http.DefaultClient,
		Places: func(p distro.Package) []string { return d.Places(p, d.Mirrors("noble", m.url, m.url)) },
	}
}
