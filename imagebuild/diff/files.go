package diff

import (
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"slices"
	"sync"

	"slipway/imagebuild/verify"
)

// File is something in the root that differs. A nil state is none: it was added, or removed.
type File struct {
	Path string `json:"path"`
	A    *State `json:"a,omitempty"`
	B    *State `json:"b,omitempty"`
}

// State is how an image has a file. Times are left out: an image has the same one everywhere.
type State struct {
	Mode   string `json:"mode"`             // -rwsr-xr-x, as ls prints it
	Owner  string `json:"owner"`            // uid:gid
	Size   int64  `json:"size"`             // of a regular file
	Target string `json:"target,omitempty"` // of a link
	SHA256 string `json:"sha256,omitempty"` // of a regular file
}

// files compares the roots, each of which is read as a whole, for the digests of its files.
func files(a, b Side) ([]File, error) {
	if a.RootHash == b.RootHash && a.RootBytes == b.RootBytes {
		return nil, nil // the hash covers every byte
	}
	var inA, inB map[string]State
	var failedA, failedB error
	var wg sync.WaitGroup
	wg.Go(func() { inA, failedA = states(a) })
	inB, failedB = states(b)
	wg.Wait()
	if err := errors.Join(failedA, failedB); err != nil {
		return nil, err
	}
	paths := maps.Clone(inA)
	maps.Copy(paths, inB)
	var out []File
	for _, path := range slices.Sorted(maps.Keys(paths)) {
		f := File{Path: path}
		if s, ok := inA[path]; ok {
			f.A = &s
		}
		if s, ok := inB[path]; ok {
			f.B = &s
		}
		if f.A == nil || f.B == nil || *f.A != *f.B {
			out = append(out, f)
		}
	}
	return out, nil
}

// states are everything in one root, by path.
func states(s Side) (map[string]State, error) {
	all := map[string]State{}
	err := s.image.Files(func(e verify.Entry) (err error) {
		found := State{Mode: listed(e.Mode), Owner: fmt.Sprintf("%d:%d", e.UID, e.GID), Size: e.Size, Target: e.Target}
		if e.Mode.IsRegular() {
			found.SHA256, err = e.Sum()
		}
		all[e.Path] = found
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("reading the root of %q: %w", s.File, err)
	}
	return all, nil
}

// listed is a mode as ls prints it.
func listed(m fs.FileMode) string {
	text := []byte("-" + m.Perm().String()[1:])
	for _, kind := range []struct {
		is     fs.FileMode
		letter byte
	}{{fs.ModeDir, 'd'}, {fs.ModeSymlink, 'l'}, {fs.ModeNamedPipe, 'p'}, {fs.ModeSocket, 's'}, {fs.ModeDevice, 'b'}, {fs.ModeCharDevice, 'c'}} {
		if m&kind.is != 0 {
			text[0] = kind.letter
		}
	}
	for _, special := range []struct {
		is     fs.FileMode
		at     int
		letter byte
	}{{fs.ModeSetuid, 3, 's'}, {fs.ModeSetgid, 6, 's'}, {fs.ModeSticky, 9, 't'}} {
		if m&special.is == 0 {
			continue
		}
		if text[special.at] == '-' {
			special.letter -= 'a' - 'A'
		}
		text[special.at] = special.letter
	}
	return string(text)
}
