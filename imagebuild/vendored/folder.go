package vendored

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
)

// Folder is an opened folder.
type Folder struct {
	Dir    string // absolute
	Index  Index
	Digest string // sha256 of the index, and so of all

	files map[string]File

	once   sync.Once // the modules are read
	module error
}

// Open reads the index of a folder and no other file.
func Open(dir string) (*Folder, error) {
	x, digest, err := readIndex(dir)
	if err != nil {
		return nil, err
	}
	abs, err := filepath.Abs(dir)
	if err != nil {
		return nil, err
	}
	return &Folder{Dir: abs, Index: x, Digest: digest, files: x.byPath()}, nil
}

func (f *Folder) path(name string) string { return filepath.Join(f.Dir, filepath.FromSlash(name)) }

// Has says whether the index names a file.
func (f *Folder) Has(name string) bool { _, ok := f.files[name]; return ok }

// HasPayload says whether the folder was filled for a payload of this origin.
func (f *Folder) HasPayload(p Payload) bool {
	for _, have := range f.Index.Payloads {
		if have == p {
			return true
		}
	}
	return false
}

// Complete looks whether every file is there, by name and size: a DamageError names those that are not.
func (f *Folder) Complete() error { return f.refuse(f.missing(), nil) }

// Verify reads files whole; a DamageError names those that are not what the index says.
func (f *Folder) Verify(ctx context.Context, names ...string) error {
	var files []File
	for _, name := range names {
		file, ok := f.files[name]
		if !ok {
			return f.refuse([]Problem{{name, "is not named in " + IndexName}}, nil)
		}
		files = append(files, file)
	}
	return f.refuse(f.damaged(ctx, files))
}

// VerifyModules reads all that go may read, once.
func (f *Folder) VerifyModules(ctx context.Context) error {
	f.once.Do(func() {
		var names []string
		for _, file := range f.Index.Files {
			if strings.HasPrefix(file.Path, Modules+"/") {
				names = append(names, file.Path)
			}
		}
		f.module = f.Verify(ctx, names...)
	})
	return f.module
}

// Read verifies a file and returns its content.
func (f *Folder) Read(ctx context.Context, name string) ([]byte, error) {
	if err := f.Verify(ctx, name); err != nil {
		return nil, err
	}
	return os.ReadFile(f.path(name))
}

// URL is a file's place for what takes URLs.
func (f *Folder) URL(name string) string { return fileURL(f.path(name)) }

func fileURL(path string) string { return (&url.URL{Scheme: "file", Path: path}).String() }

// Path is a file's place on this machine.
func (f *Folder) Path(name string) string { return f.path(name) }

// Environ is an environment in which go takes modules from the folder alone: there is one proxy, a file: URL, nothing is taken
// past it, and the checksum database is asked for in the folder, too, where it has no answer. So a module that neither the
// lock nor the folder's go.sum vouches for is refused. What environ, lines NAME=value, says of these is gone.
func (f *Folder) Environ(environ []string) []string {
	ours := []string{
		"GOPROXY=" + f.URL(Modules), "GONOPROXY=none", "GOPRIVATE=", "GONOSUMDB=none", "GOINSECURE=", "GOVCS=*:off", "GOAUTH=off", "GOTOOLCHAIN=local",
	}
	var out []string
	for _, line := range environ {
		name, _, _ := strings.Cut(line, "=")
		if !slices.ContainsFunc(ours, func(o string) bool { return strings.HasPrefix(o, name+"=") }) {
			out = append(out, line)
		}
	}
	return append(out, ours...)
}

// Downloaded gives a build the downloads of payloads, instead of their URLs.
type Downloaded struct {
	Folder *Folder
	Digest map[string]string // by URL
}

// Fetch implements payload.Fetcher.
func (d Downloaded) Fetch(ctx context.Context, url string) (io.ReadCloser, int64, error) {
	name := Downloads + "/" + d.Digest[url]
	if err := d.Folder.Verify(ctx, name); err != nil {
		return nil, 0, err
	}
	file, err := os.Open(d.Folder.path(name))
	return file, d.Folder.files[name].Size, err
}

// Nobody is an HTTP client that asks nobody: whoever uses it has a bug, and is told so.
func Nobody() *http.Client { return &http.Client{Transport: nobody{}} }

type nobody struct{}

func (nobody) RoundTrip(req *http.Request) (*http.Response, error) {
	return nil, fmt.Errorf("%w: %s", errNobody, req.URL.Redacted())
}

var errNobody = errors.New("a build with --vendor asks nobody")
