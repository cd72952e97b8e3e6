package payload

import (
	"context"
	"encoding/json"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"slipway/imagebuild/stage"
	"slipway/internal/durable"
)

// Env is what a build may use of the world.
type Env struct {
	Run      Runner
	Fetch    Fetcher
	CacheDir string           // made when it is not there
	Locks    stage.Locker     // an item that another process makes is waited for, or not
	Environ  []string         // the environment of programs: PATH, HOME, GOPROXY, GOCACHE ...
	Now      func() time.Time // for Result.Seconds
	Progress func(Event)      // may be nil
	Making   func(Item)       // hears of an item that is not in the cache, before it is made; may be nil
	bounds   bounds           // of downloads; only tests set them
}

// Event is one step of progress: a line of text, or bytes of a known total.
type Event struct {
	Item        string
	Text        string
	Done, Total int64
}

func (e Env) event(item Item, text string) { e.bytes(item, text, 0, 0) }

func (e Env) bytes(item Item, text string, done, total int64) {
	if e.Progress != nil {
		e.Progress(Event{Item: item.Name, Text: text, Done: done, Total: total})
	}
}

// InstalledFile is one file or symlink of the image.
type InstalledFile struct {
	Path     string // absolute, in the image part that Class says
	Mode     fs.FileMode
	HostPath string // where its content lies; "" for a symlink
	SHA256   string // of the content, hex
	Size     int64
	Symlink  string // target; "" for a file
}

// Result is a built item.
type Result struct {
	Item    Item
	Files   []InstalledFile // files by path, each followed by its symlinks
	Modules []ModuleSum     // gomod only: all that its programs are made of
	Seconds float64         // of this call
	Cached  bool
}

// Program is the file that the image has at path, through a symlink if there is one: a program of many names has one
// file and its symlinks, a download has a file for each.
func (r Result) Program(path string) (InstalledFile, bool) {
	for i, f := range r.Files {
		if f.Path != path {
			continue
		}
		for f.Symlink != "" { // symlinks follow their file
			i--
			f = r.Files[i]
		}
		return f, true
	}
	return InstalledFile{}, false
}

// manifest is what the cache records beside the files.
type manifest struct {
	Item    string            `json:"item"`
	Files   map[string]record `json:"files"`
	Modules []ModuleSum       `json:"modules,omitempty"`
}

type record struct {
	SHA256 string `json:"sha256"`
	Size   int64  `json:"size"`
}

const manifestName = "payload.json"

// Build makes the item, or takes it from the cache after checking the recorded digests; a damaged entry is made anew.
// A failed or cancelled build leaves nothing behind.
func Build(ctx context.Context, item Item, env Env) (Result, error) {
	start := env.Now()
	dir := filepath.Join(env.CacheDir, item.Name+"-"+item.Key()[:32])
	stage.Use(dir, env.Now()) // before it is read: what Prune leaves from now on stays
	m, err := load(dir, item)
	cached := err == nil
	if !cached {
		if !os.IsNotExist(err) {
			env.event(item, fmt.Sprintf("making it anew: %v", err))
		}
		if env.Making != nil {
			env.Making(item)
		}
		if m, err = makeEntry(ctx, item, env, dir); err != nil {
			return Result{}, fmt.Errorf("making payload %q %s: %w", item.Name, item.Version, stage.Friendly(err))
		}
	}
	return Result{Item: item, Files: files(item, dir, m), Modules: m.Modules, Cached: cached, Seconds: env.Now().Sub(start).Seconds()}, nil
}

// load reads an entry and checks every file. A missing entry is fs.ErrNotExist.
func load(dir string, item Item) (manifest, error) {
	var m manifest
	raw, err := os.ReadFile(filepath.Join(dir, manifestName))
	if err != nil {
		return m, err
	}
	if err := json.Unmarshal(raw, &m); err != nil {
		return m, fmt.Errorf("reading cache entry: %w", err)
	}
	for _, b := range item.Binaries {
		want := m.Files[b.Name]
		got, err := durable.Digest(filepath.Join(dir, b.Name))
		if err != nil {
			return m, fmt.Errorf("checking %s in the cache: %v", b.Name, err)
		}
		if got != want.SHA256 {
			return m, fmt.Errorf("checking %s in the cache: sha256 is %s, was %s", b.Name, got, want.SHA256)
		}
	}
	return m, nil
}

// makeEntry builds in a folder beside dir that takes dir's place only when it is complete.
func makeEntry(ctx context.Context, item Item, env Env, dir string) (manifest, error) {
	if err := os.MkdirAll(env.CacheDir, 0o755); err != nil {
		return manifest{}, err
	}
	unlock, err := env.Locks.Lock(ctx, dir+".lock")
	if err != nil {
		return manifest{}, err
	}
	defer unlock()
	if m, err := load(dir, item); err == nil { // another build finished it a moment ago
		return m, nil
	}
	work := dir + ".part"
	if err := os.RemoveAll(work); err != nil { // of a build that was killed
		return manifest{}, err
	}
	defer os.RemoveAll(work)
	out := filepath.Join(work, "out")
	if err := os.MkdirAll(out, 0o755); err != nil {
		return manifest{}, err
	}
	sums, err := produce(ctx, item, env, work, out)
	if err != nil {
		return manifest{}, err
	}
	m, err := seal(item, sums, out)
	if err != nil {
		return manifest{}, err
	}
	if err := ctx.Err(); err != nil {
		return manifest{}, err
	}
	if err := os.RemoveAll(dir); err != nil {
		return manifest{}, err
	}
	return m, os.Rename(out, dir)
}

func produce(ctx context.Context, item Item, env Env, work, out string) ([]ModuleSum, error) {
	if item.Source == SourceGomod {
		return compile(ctx, item, env, work, out)
	}
	return nil, take(ctx, item, env, work, out)
}

// seal records what was made, as the last file of the entry.
func seal(item Item, sums []ModuleSum, out string) (manifest, error) {
	m := manifest{Item: item.Name, Files: map[string]record{}, Modules: sums}
	for _, b := range item.Binaries {
		name := filepath.Join(out, b.Name)
		sum, err := durable.Digest(name)
		if err != nil {
			return m, fmt.Errorf("recording %s: %w", b.Name, err)
		}
		info, err := os.Stat(name)
		if err != nil {
			return m, err
		}
		if err := os.Chmod(name, 0o755); err != nil {
			return m, err
		}
		m.Files[b.Name] = record{SHA256: sum, Size: info.Size()}
	}
	raw, err := json.MarshalIndent(m, "", "  ")
	if err != nil {
		return m, err
	}
	return m, os.WriteFile(filepath.Join(out, manifestName), append(raw, '\n'), 0o644)
}

func files(item Item, dir string, m manifest) []InstalledFile {
	var all []InstalledFile
	for _, b := range item.Binaries {
		rec := m.Files[b.Name]
		all = append(all, InstalledFile{Path: b.Path, Mode: 0o755, HostPath: filepath.Join(dir, b.Name), SHA256: rec.SHA256, Size: rec.Size})
		for _, l := range b.Links {
			all = append(all, InstalledFile{Path: l, Mode: fs.ModeSymlink | 0o777, Symlink: filepath.Base(b.Path)})
		}
	}
	return all
}
