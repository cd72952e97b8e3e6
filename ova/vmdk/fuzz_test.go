package vmdk

import (
	"bytes"
	"testing"
)

// seeds are patches of good files: of the header, the tables, a marker, a grain, the end.
func seeds(f *testing.F) [][]byte {
	f.Helper()
	files := good(f)
	for i, at := range []uint32{0, 8, 12, 20, 44, 56, 64, 521, directoryStart * sector, 22 * sector, 31 * sector, 31*sector + 8, 31*sector + 12} {
		f.Add(i%2 == 0, at, []byte{0xff, 0xff, 0xff, 0xff}, uint32(0))
		f.Add(i%2 == 1, at, []byte{1}, uint32(sector*i))
	}
	return [][]byte{files["front"], files["back"]}
}

func patched(files [][]byte, back bool, at uint32, patch []byte, cut uint32) []byte {
	b := files[0]
	if back {
		b = files[1]
	}
	b = bytes.Clone(b)
	copy(b[int(at)%len(b):], patch)
	return b[:len(b)-int(cut)%len(b)]
}

// FuzzOpen has the reader follow damaged tables; sweep looks at the extents.
func FuzzOpen(f *testing.F) {
	files := seeds(f)
	f.Fuzz(func(_ *testing.T, back bool, at uint32, patch []byte, cut uint32) {
		_ = sweep(patched(files, back, at, patch, cut))
	})
}

// FuzzLint also holds the linter to its word: what it finds nothing in has the content that was written.
func FuzzLint(f *testing.F) {
	files := seeds(f)
	f.Fuzz(func(t *testing.T, back bool, at uint32, patch []byte, cut uint32) {
		b := patched(files, back, at, patch, cut)
		if len(lint(b)) > 0 {
			return
		}
		got, err := content(b)
		want, _ := content(files[0])
		if err != nil || !bytes.Equal(got, want) {
			t.Errorf("no finding, and another content, %v", err)
		}
	})
}
