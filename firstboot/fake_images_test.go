package firstboot

import (
	"fmt"
	"maps"
	"path/filepath"
	"slices"
	"strings"

	"slipway/node"
)

// fakeImages is containerd's image store. Names and labels are on the disk at once; what they lead to only after a
// sync, and a power cut before that spoils it for as long as any name or lease keeps it.
type fakeImages struct {
	w       *fakeWorld
	names   map[string]string // digest
	pinned  map[string]bool   // by name
	content map[string]string // state by digest: "fresh", "synced", "spoilt"
	leases  int
}

func newFakeImages(w *fakeWorld) *fakeImages {
	for _, image := range []string{"coredns", "pause"} {
		w.put(filepath.Join(node.ImagesDir, image+".tar"), image)
	}
	return &fakeImages{w: w, names: map[string]string{}, pinned: map[string]bool{}, content: map[string]string{}}
}

// powerCut loses what was not synced.
func (f *fakeImages) powerCut() {
	for digest, state := range f.content {
		if state == "fresh" {
			f.content[digest] = "spoilt"
		}
	}
}

func (f *fakeImages) lines() []string {
	lines := []string{fmt.Sprintf("leases %d", f.leases)}
	for name, digest := range f.names {
		lines = append(lines, fmt.Sprintf("image %s %s pinned=%v", name, f.content[digest], f.pinned[name]))
	}
	return lines
}

// ctr does what the program of that name does, as far as slipwayd asks it.
func (f *fakeImages) ctr(args []string) (string, error) {
	line := strings.Join(args[2:], " ")
	verb := strings.Join(args[2:4], " ")
	switch last := args[len(args)-1]; {
	case strings.Contains(line, "labels."):
		return f.list(func(name string) bool { return f.pinned[name] }), nil
	case strings.HasPrefix(line, "images ls --quiet target.digest=="):
		_, digest, _ := strings.Cut(last, "==")
		return f.list(func(name string) bool { return f.names[name] == digest }), nil
	case strings.HasPrefix(line, "images ls name=="):
		_, name, _ := strings.Cut(last, "==")
		return "REF TYPE DIGEST\n" + name + " manifest " + f.names[name] + "\n", nil
	case verb == "leases ls":
		return strings.Repeat("lease\n", f.leases), nil
	case verb == "leases rm":
		return "", f.w.change(line, func() error { f.leases = 0; f.collect(); return nil })
	case verb == "images rm":
		return "", f.w.change(line, func() error { f.remove(args[5:]); return nil })
	case verb == "images import":
		return "", f.load(line, strings.TrimSuffix(filepath.Base(last), ".tar"))
	case verb == "images label":
		return "", f.w.change(line, func() error { return f.pin(args[4]) })
	default:
		return "", fmt.Errorf("the fake ctr does not know %s", line)
	}
}

func (f *fakeImages) list(keep func(name string) bool) string {
	var out strings.Builder
	for _, name := range slices.Sorted(maps.Keys(f.names)) {
		if keep(name) {
			out.WriteString(name + "\n")
		}
	}
	return out.String()
}

// load holds a lease while it works. Content that is there is taken as it is.
func (f *fakeImages) load(line, image string) error {
	name := map[string]string{"pause": f.w.cfg.Versions.PauseImage(), "coredns": f.w.cfg.Versions.CoreDNSImage()}[image]
	digest := "sha256:" + strings.Repeat(sum([]byte(image)), 2)[:64]
	err := f.w.change(line+": content", func() error {
		f.leases++
		if f.content[digest] == "" {
			f.content[digest] = "fresh"
		}
		return nil
	})
	if err != nil {
		return err
	}
	return f.w.change(line+": names", func() error {
		f.leases--
		f.names[name], f.names["sha256:"+image] = digest, digest
		return nil
	})
}

func (f *fakeImages) remove(names []string) {
	for _, name := range names {
		delete(f.names, name)
		delete(f.pinned, name)
	}
	f.collect()
}

func (f *fakeImages) collect() {
	inUse := slices.Collect(maps.Values(f.names))
	for digest := range f.content {
		if f.leases == 0 && !slices.Contains(inUse, digest) {
			delete(f.content, digest)
		}
	}
}

func (f *fakeImages) sync() error {
	return f.w.change("sync", func() error {
		for digest, state := range f.content {
			if state == "fresh" {
				f.content[digest] = "synced"
			}
		}
		return nil
	})
}

func (f *fakeImages) pin(name string) error {
	digest, ok := f.names[name]
	if !ok {
		return fmt.Errorf("image %q: not found", name)
	}
	if f.content[digest] != "synced" {
		f.w.wrong = append(f.w.wrong, fmt.Sprintf("image %s was pinned, and its files were %s", name, f.content[digest]))
	}
	f.pinned[name] = true
	return nil
}
