package esp

import (
	"errors"
	"fmt"
	"path"
	"slices"
	"strings"
	"time"
)

// node is a file or a folder, with the extent that it got.
type node struct {
	name     string
	short    [11]byte
	file     *File // nil: a folder
	children []*node
	first    uint32 // 0: empty file
	clusters uint32
}

// plan returns the tree of files with every extent set, and the first free cluster. Folders come first, then
// files in path order, each in one piece.
func plan(g geometry, files []File) (root *node, next uint32, err error) {
	root = &node{}
	for i := range files {
		if err := root.insert(&files[i], strings.Split(files[i].Path, "/")); err != nil {
			return nil, 0, fmt.Errorf("placing %q: %w", files[i].Path, err)
		}
	}
	root.sort()
	next = rootCluster
	for _, folders := range []bool{true, false} {
		err := root.walk(func(n *node) error { return n.allocate(g, folders, &next) })
		if err != nil {
			return nil, 0, err
		}
	}
	return root, next, nil
}

func (n *node) insert(f *File, parts []string) error {
	if f.Size < 0 || f.Size > 1<<32-1 {
		return fmt.Errorf("size of %d bytes is not below 4 GiB", f.Size)
	}
	if err := checkName(parts[0]); err != nil {
		return err
	}
	i := slices.IndexFunc(n.children, func(c *node) bool { return strings.EqualFold(c.name, parts[0]) })
	if len(parts) == 1 {
		if i >= 0 {
			return errors.New("there is another one of that name")
		}
		n.children = append(n.children, &node{name: parts[0], file: f})
		return nil
	}
	if i < 0 {
		i = len(n.children)
		n.children = append(n.children, &node{name: parts[0]})
	}
	if n.children[i].file != nil {
		return fmt.Errorf("%q is a file", parts[0])
	}
	return n.children[i].insert(f, parts[1:])
}

// sort orders every folder by name and gives its entries their short names.
func (n *node) sort() {
	slices.SortFunc(n.children, func(a, b *node) int { return strings.Compare(a.name, b.name) })
	taken := map[[11]byte]bool{}
	for _, pass := range []bool{true, false} { // names that are short as they are come first
		for _, c := range n.children {
			if _, exact := exactShort(c.name); exact == pass {
				c.short = shortName(c.name, taken)
				taken[c.short] = true
			}
		}
	}
	for _, c := range n.children {
		c.sort()
	}
}

// walk calls f for n and everything below, parents first.
func (n *node) walk(f func(*node) error) error {
	if err := f(n); err != nil {
		return err
	}
	for _, c := range n.children {
		if err := c.walk(f); err != nil {
			return err
		}
	}
	return nil
}

func (n *node) allocate(g geometry, folders bool, next *uint32) error {
	if (n.file == nil) != folders {
		return nil
	}
	need := g.clustersFor(n.size())
	if free := int64(g.clusters) + rootCluster - int64(*next); need > free {
		return fmt.Errorf("no room for %q: %d bytes, and only %d are free\nhint: make the EFI system partition larger", n.name, n.size(), free*g.clusterSize())
	}
	if need > 0 {
		n.first, n.clusters = *next, uint32(need)
	}
	*next += uint32(need)
	return nil
}

// size returns the bytes of n's content: a folder's are its directory entries, and the root's has a label but no
// dot entries.
func (n *node) size() int64 {
	if n.file != nil {
		return n.file.Size
	}
	entries := 2
	for _, c := range n.children {
		entries += 1 + len(longEntries(c.name, c.short))
	}
	return int64(entries) * entrySize
}

// checkName refuses what FAT cannot hold or this package does not write.
func checkName(name string) error {
	if name == "" || name == "." || name == ".." || len(name) > 255 || strings.TrimRight(name, ". ") != name {
		return fmt.Errorf("%q is no file name", name)
	}
	for _, r := range name {
		if r < 0x20 || r > 0x7e || strings.ContainsRune(`"*/:<>?\|`, r) {
			return fmt.Errorf("name %q has %q, which FAT or this writer cannot hold", name, r)
		}
	}
	return nil
}

// exactShort returns name as an 8.3 name and whether it is one without any loss.
func exactShort(name string) ([11]byte, bool) {
	ext := path.Ext(name)
	base := strings.TrimSuffix(name, ext)
	ext = strings.TrimPrefix(ext, ".")
	short := pack(base, ext)
	ok := base != "" && len(base) <= 8 && len(ext) <= 3 && clean(base) == base && clean(ext) == ext
	return short, ok
}

// clean returns s in upper case with the characters that a short name cannot hold removed.
func clean(s string) string {
	return strings.Map(func(r rune) rune {
		if strings.ContainsRune(" .+,;=[]", r) {
			return -1
		}
		return r
	}, strings.ToUpper(s))
}

func pack(base, ext string) (out [11]byte) {
	copy(out[:], fmt.Sprintf("%-8.8s%-3.3s", base, ext))
	return out
}

// shortName returns an 8.3 name for name that is not taken: itself, or NAME~1.EXT and so on.
func shortName(name string, taken map[[11]byte]bool) [11]byte {
	if short, ok := exactShort(name); ok {
		return short
	}
	ext := path.Ext(name)
	base, ext := clean(strings.TrimSuffix(name, ext)), clean(ext)
	for i := 1; ; i++ {
		tail := fmt.Sprintf("~%d", i)
		if short := pack(base[:min(len(base), 8-len(tail))]+tail, ext); !taken[short] {
			return short
		}
	}
}

// dosTime returns the date and time words of t in UTC.
func dosTime(t time.Time) (date, clock uint16, err error) {
	t = t.UTC()
	if t.Year() < 1980 || t.Year() > 2107 {
		return 0, 0, fmt.Errorf("time %s cannot be stored: FAT holds 1980 to 2107", t.Format(time.RFC3339))
	}
	date = uint16(t.Year()-1980)<<9 | uint16(t.Month())<<5 | uint16(t.Day())
	clock = uint16(t.Hour())<<11 | uint16(t.Minute())<<5 | uint16(t.Second()/2)
	return date, clock, nil
}
