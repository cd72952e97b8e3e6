package imagebuild

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"slipway/imagebuild/sandbox"
	"slipway/imagebuild/stage"
)

// KeepUnused is how long the cache keeps what no build uses.
const KeepUnused = 14 * 24 * time.Hour

// cachedStages are the folders of the cache whose entries are pruned: results of stages, programs and package archives.
func cachedStages() []string {
	return []string{"ask", "completion", "initrd", "kernel", "oci", "payloads", "pool", "programs", "root", "tree"}
}

// inUse is the lock in the cache that builds share, and that whoever removes what they may need takes alone.
const inUse = ".in-use"

// useCache makes the cache's folder and keeps what is in it until the returned function is called.
func (b *builder) useCache(ctx context.Context) (leave func(), err error) {
	if err := os.MkdirAll(b.opt.Cache, 0o755); err != nil {
		return nil, fmt.Errorf("making the cache: %w", stage.Friendly(err))
	}
	return b.cache.Locks.Share(ctx, filepath.Join(b.opt.Cache, inUse))
}

// Store is the cache as a person sees it: what it holds, and how to make it smaller.
type Store struct {
	Dir     string
	Sandbox *sandbox.Sandbox
	Now     func() time.Time
}

// CachePart sums up what the cache holds of one stage.
type CachePart struct {
	Stage   string    `json:"stage"`
	Entries int       `json:"entries"`
	Bytes   int64     `json:"bytes"` // on the disk
	Used    time.Time `json:"used"`  // the last time that a build took one
}

// Usage says what the cache holds, by stage; a stage of which it holds nothing is left out.
func (s Store) Usage(ctx context.Context) ([]CachePart, error) {
	all, err := s.cache().Entries(cachedStages()...)
	if err != nil {
		return nil, err
	}
	return s.sum(ctx, all)
}

// Prune removes what no build used for some time, and says what that was. Nothing is removed while a build runs: it is
// then a stage.BusyError.
func (s Store) Prune(ctx context.Context, unused time.Duration) ([]CachePart, error) {
	if _, err := os.Stat(s.Dir); os.IsNotExist(err) {
		return nil, nil
	}
	who := stage.Locker{Who: fmt.Sprintf("process %d, which prunes the cache", os.Getpid())}
	unlock, err := who.Lock(ctx, filepath.Join(s.Dir, inUse))
	if err != nil {
		return nil, err
	}
	defer unlock()
	since := s.Now().Add(-unused)
	all, err := s.cache().Entries(cachedStages()...)
	if err != nil {
		return nil, err
	}
	var old []stage.Entry
	for _, e := range all {
		if e.Used.Before(since) {
			old = append(old, e)
		}
	}
	parts, err := s.sum(ctx, old)
	if err != nil {
		return nil, err
	}
	_, err = s.cache().Prune(ctx, since, cachedStages()...)
	return parts, err
}

func (s Store) cache() stage.Cache {
	return stage.Cache{Dir: s.Dir, Remove: s.Sandbox.RemoveAll, Now: s.Now}
}

// sum adds up entries by stage; they are sorted by it.
func (s Store) sum(ctx context.Context, entries []stage.Entry) ([]CachePart, error) {
	sizes, err := s.sizes(ctx, entries)
	if err != nil {
		return nil, err
	}
	var parts []CachePart
	for _, e := range entries {
		if len(parts) == 0 || parts[len(parts)-1].Stage != e.Stage {
			parts = append(parts, CachePart{Stage: e.Stage})
		}
		p := &parts[len(parts)-1]
		p.Entries++
		p.Bytes += e.Size
		if e.Dir {
			p.Bytes += sizes[e.Path] - e.Size
		}
		if e.Used.After(p.Used) {
			p.Used = e.Used
		}
	}
	return parts, nil
}

// sizes asks for folders inside the sandbox: a tree has folders that only its own root may read.
func (s Store) sizes(ctx context.Context, entries []stage.Entry) (map[string]int64, error) {
	var dirs []string
	for _, e := range entries {
		if e.Dir {
			dirs = append(dirs, e.Path)
		}
	}
	sizes := map[string]int64{}
	if len(dirs) == 0 {
		return sizes, nil
	}
	var out bytes.Buffer
	err := s.Sandbox.Run(ctx, sandbox.Script{Name: "measuring the cache", Text: `du -s -B1 -- "$@"`, Args: dirs, Output: &out})
	if err != nil {
		return nil, err
	}
	for lines := bufio.NewScanner(&out); lines.Scan(); {
		size, path, _ := strings.Cut(lines.Text(), "\t")
		if n, err := strconv.ParseInt(size, 10, 64); err == nil {
			sizes[path] = n
		}
	}
	return sizes, nil
}
