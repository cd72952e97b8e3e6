package disk

import (
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"path/filepath"
	"slices"
	"strings"
)

// inode is a file or a folder, as programs see it now and as it would be found after a power cut.
type inode struct {
	data, synced       string
	entries, durable   map[string]*inode // nil for files
	mode, durablyModed fs.FileMode
}

func newFolder() *inode {
	return &inode{entries: map[string]*inode{}, durable: map[string]*inode{}}
}

// lossy is a disk that keeps after a power cut what was synced, and of the rest nothing, or, when it is eager, every name
// but no bytes: file systems do both, and no program can know. It dies before operation number crashAt.
type lossy struct {
	root    *inode
	eager   bool
	ops     int
	crashAt int
	syncs   int
	drop    int // number of the sync that does nothing
	temp    int
}

// crash ends the program that runs on the disk.
type crash struct{}

func (l *lossy) op() {
	l.ops++
	if l.ops == l.crashAt {
		panic(crash{})
	}
}

// sync says whether this one is done.
func (l *lossy) sync() bool {
	l.op()
	l.syncs++
	return l.syncs != l.drop
}

// powerCut leaves what is found when the machine starts again.
func (l *lossy) powerCut() { l.root = l.after(l.root) }

func (l *lossy) after(n *inode) *inode {
	if n.entries == nil {
		return &inode{data: n.synced, synced: n.synced, mode: n.durablyModed, durablyModed: n.durablyModed}
	}
	names := n.durable
	if l.eager {
		names = n.entries
	}
	left := newFolder()
	for name, child := range names {
		left.entries[name] = l.after(child)
	}
	left.durable = maps.Clone(left.entries)
	return left
}

func (l *lossy) find(name string) *inode {
	at := l.root
	for part := range strings.SplitSeq(strings.Trim(name, "/"), "/") {
		if part == "" {
			continue
		}
		if at == nil || at.entries == nil {
			return nil
		}
		at = at.entries[part]
	}
	return at
}

func (l *lossy) folder(name string) (*inode, error) {
	dir := l.find(filepath.Dir(name))
	if dir == nil || dir.entries == nil {
		return nil, fs.ErrNotExist
	}
	return dir, nil
}

func (l *lossy) Mkdir(name string, _ fs.FileMode) error {
	l.op()
	dir, err := l.folder(name)
	if err != nil {
		return err
	}
	if dir.entries[filepath.Base(name)] != nil {
		return fs.ErrExist
	}
	dir.entries[filepath.Base(name)] = newFolder()
	return nil
}

func (l *lossy) Create(dir, pattern string) (File, error) {
	l.op()
	l.temp++
	f := &lossyFile{l, filepath.Join(dir, strings.Replace(pattern, "*", fmt.Sprint(l.temp), 1)), &inode{}}
	at, err := l.folder(f.name)
	if err != nil {
		return nil, err
	}
	at.entries[filepath.Base(f.name)] = f.inode
	return f, nil
}

func (l *lossy) Rename(from, to string) error {
	l.op()
	dir, err := l.folder(from)
	if err != nil || dir.entries[filepath.Base(from)] == nil {
		return fs.ErrNotExist
	}
	into, err := l.folder(to)
	if err != nil {
		return err
	}
	into.entries[filepath.Base(to)] = dir.entries[filepath.Base(from)]
	delete(dir.entries, filepath.Base(from))
	return nil
}

func (l *lossy) Remove(name string) error {
	l.op()
	dir, err := l.folder(name)
	if err != nil || dir.entries[filepath.Base(name)] == nil {
		return fs.ErrNotExist
	}
	delete(dir.entries, filepath.Base(name))
	return nil
}

func (l *lossy) SyncDir(name string) error {
	done := l.sync()
	dir := l.find(name)
	if dir == nil || dir.entries == nil {
		return fs.ErrNotExist
	}
	if done {
		dir.durable = maps.Clone(dir.entries)
	}
	return nil
}

func (l *lossy) Glob(pattern string) ([]string, error) {
	dir, err := l.folder(pattern)
	if err != nil {
		return nil, nil
	}
	var found []string
	for name := range dir.entries {
		if ok, err := filepath.Match(filepath.Base(pattern), name); ok && err == nil {
			found = append(found, filepath.Join(filepath.Dir(pattern), name))
		}
	}
	slices.Sort(found)
	return found, nil
}

type lossyFile struct {
	disk  *lossy
	name  string
	inode *inode
}

func (f *lossyFile) Name() string { return f.name }

func (f *lossyFile) Write(data []byte) (int, error) {
	f.disk.op()
	f.inode.data += string(data)
	return len(data), nil
}

func (f *lossyFile) Chmod(mode fs.FileMode) error {
	f.disk.op()
	f.inode.mode = mode
	return nil
}

func (f *lossyFile) Sync() error {
	if f.disk.sync() {
		f.inode.synced, f.inode.durablyModed = f.inode.data, f.inode.mode
	}
	return nil
}

func (f *lossyFile) Close() error { return nil }

// files lists every file that programs see: content and mode by path.
func (l *lossy) files() map[string]string {
	found := map[string]string{}
	var walk func(at string, n *inode)
	walk = func(at string, n *inode) {
		if n.entries == nil {
			found[at] = fmt.Sprintf("%s %o", n.data, n.mode)
			return
		}
		for name, child := range n.entries {
			walk(filepath.Join(at, name), child)
		}
	}
	walk("/", l.root)
	return found
}

// dies runs a program until it ends (false) or the disk's crash.
func (l *lossy) dies(program func()) (died bool) {
	defer func() {
		if r := recover(); r != nil {
			if _, ok := r.(crash); !ok {
				panic(errors.Join(errors.New("not a crash"), fmt.Errorf("%v", r)))
			}
			died = true
		}
	}()
	program()
	return false
}
