package grain

import (
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestFileFindsHoles(t *testing.T) {
	b := make([]byte, 40<<12+5)
	b[9<<12], b[10<<12], b[len(b)-1] = 1, 1, 1
	path := filepath.Join(t.TempDir(), "disk")
	writeSparse(t, path, b)
	src := open(t, path)
	type extent struct{ start, end int64 }
	for off, want := range map[int64]extent{
		0:         {9 << 12, 11 << 12},
		9<<12 + 7: {9<<12 + 7, 11 << 12},
		11 << 12:  {40 << 12, 40<<12 + 5},
	} {
		if start, end, err := src.Data(off); err != nil || (extent{start, end}) != want {
			t.Errorf("at %d: %d to %d, %v, want %v", off, start, end, err, want)
		}
	}
	if _, _, err := src.Data(src.Size()); err != io.EOF {
		t.Error(err)
	}
}

// TestFileCutMeanwhile cuts files with data, or a hole, at the end.
func TestFileCutMeanwhile(t *testing.T) {
	for name, b := range map[string][]byte{"data": append(make([]byte, 8*size), 1), "hole": append([]byte{1}, make([]byte, 8*size)...)} {
		path := filepath.Join(t.TempDir(), "disk")
		writeSparse(t, path, b)
		src := open(t, path)
		if err := os.Truncate(path, 4*size); err != nil {
			t.Fatal(err)
		}
		err := Each(t.Context(), src, Options{Size: size}, func(Grain) error { return nil })
		if !errors.Is(err, io.ErrUnexpectedEOF) || !strings.Contains(err.Error(), "shrank from 524289 to 262144 bytes") {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestFileRefusesWhatIsNoImage(t *testing.T) {
	for _, path := range []string{t.TempDir(), os.DevNull} {
		f, err := os.Open(path)
		if err != nil {
			t.Fatal(err)
		}
		defer f.Close()
		if _, err := File(f); err == nil || !strings.Contains(err.Error(), path+" is neither a file nor a block device") {
			t.Errorf("%s: %v", path, err)
		}
	}
}

func TestReaderAtIsAllData(t *testing.T) {
	src := ReaderAt(strings.NewReader("0123456789"), 10)
	if start, end, err := src.Data(3); start != 3 || end != 10 || err != nil {
		t.Error(start, end, err)
	}
	if _, _, err := src.Data(10); err != io.EOF {
		t.Error(err)
	}
}
