package verity

import (
	"bytes"
	"encoding/hex"
	"io"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"slipway/internal/testtool"
)

var testUUID = [16]byte{0x11, 0x22, 0x33, 0x44, 0x55, 0x66, 0x47, 0x88, 0x99, 0xaa, 0xbb, 0xcc, 0xdd, 0xee, 0xff, 0x01}

const testUUIDText = "11223344-5566-4788-99aa-bbccddeeff01"

// memFile is a growing in-memory WriterAt.
type memFile struct{ b []byte }

func (m *memFile) WriteAt(p []byte, off int64) (int, error) {
	if need := int(off) + len(p); need > len(m.b) {
		m.b = append(m.b, make([]byte, need-len(m.b))...)
	}
	return copy(m.b[off:], p), nil
}

func testData(blocks int) []byte {
	data := make([]byte, blocks*BlockSize)
	src := rand.NewChaCha8([32]byte{1})
	src.Read(data)
	return data
}

func mustBuild(t *testing.T, data []byte) ([32]byte, []byte) {
	t.Helper()
	var tree memFile
	root, n, err := Build(bytes.NewReader(data), int64(len(data)), &tree, testUUID)
	if err != nil {
		t.Fatal(err)
	}
	if n != int64(len(tree.b)) || n != HashSize(int64(len(data))) {
		t.Fatalf("wrote %d bytes, returned %d, HashSize says %d", len(tree.b), n, HashSize(int64(len(data))))
	}
	return root, tree.b
}

// sizes in blocks: around one chunk (128), around the second (16384) level's edge.
var sizes = []int{1, 2, 3, 127, 128, 129, 255, 257, 1000, 16383, 16384, 16385}

func TestBuildThenVerify(t *testing.T) {
	for _, n := range sizes {
		data := testData(n)
		root, tree := mustBuild(t, data)
		found, err := Verify(bytes.NewReader(data), bytes.NewReader(tree), root)
		if err != nil || len(found) > 0 {
			t.Errorf("%d blocks: %v, %v", n, found, err)
		}
	}
}

func TestVerifyFindsEveryDamage(t *testing.T) {
	data := testData(300)
	root, tree := mustBuild(t, data)
	data[5*BlockSize+7] ^= 1
	data[200*BlockSize] ^= 0x80
	tree[2*BlockSize+1] ^= 1 // the leaf level's first block, digest of data block 0
	got, err := Verify(bytes.NewReader(data), bytes.NewReader(tree), root)
	if err != nil {
		t.Fatal(err)
	}
	want := []string{
		"hash tree at byte 8192: block does not match the hash above it",
		"data at byte 0: block does not match its hash",
		"data at byte 20480: block does not match its hash",
		"data at byte 819200: block does not match its hash",
	}
	if len(got) != len(want) {
		t.Fatalf("got %v", got)
	}
	for i := range want {
		if got[i].String() != want[i] {
			t.Errorf("finding %d: %q, want %q", i, got[i], want[i])
		}
	}
}

// TestVerifyEndsEarly wipes the second half of 300 MiB: what is behind the stretch with the hundredth finding is not read
// any more, and the findings begin where the damage does.
func TestVerifyEndsEarly(t *testing.T) {
	data := make([]byte, 300<<20)
	root, tree := mustBuild(t, data)
	const from = 140 << 20
	for i := from; i < len(data); i += BlockSize {
		data[i] = 1
	}
	r := &farthest{ReaderAt: bytes.NewReader(data)}
	found, err := Verify(r, bytes.NewReader(tree), root)
	if err != nil || len(found) < enough || found[0].Offset != from || r.end > 256<<20 {
		t.Errorf("%d findings, the first at %v, read up to %d, %v", len(found), found[:1], r.end, err)
	}
}

// farthest knows up to where it was read.
type farthest struct {
	io.ReaderAt
	mu  sync.Mutex
	end int64
}

func (f *farthest) ReadAt(p []byte, off int64) (int, error) {
	f.mu.Lock()
	f.end = max(f.end, off+int64(len(p)))
	f.mu.Unlock()
	return f.ReaderAt.ReadAt(p, off)
}

func TestVerifyWrongRootHash(t *testing.T) {
	data := testData(2)
	root, tree := mustBuild(t, data)
	root[0] ^= 1
	found, err := Verify(bytes.NewReader(data), bytes.NewReader(tree), root)
	if err != nil || len(found) != 1 || found[0].Part != PartTree || found[0].Offset != BlockSize {
		t.Errorf("%v, %v", found, err)
	}
}

func TestRefusals(t *testing.T) {
	for _, size := range []int64{0, -4096, 4095, 4097} {
		if _, _, err := Build(bytes.NewReader(make([]byte, 8192)), size, &memFile{}, testUUID); err == nil {
			t.Errorf("size %d was accepted", size)
		}
	}
	if _, _, err := Build(bytes.NewReader(make([]byte, 4096)), 8192, &memFile{}, testUUID); err == nil || !strings.Contains(err.Error(), "reading data at 0") {
		t.Errorf("short data: %v", err)
	}
	_, tree := mustBuild(t, testData(1))
	for name, damage := range map[string]func([]byte){
		"signature": func(b []byte) { b[0] = 'V' },
		"algorithm": func(b []byte) { copy(b[32:], "sha512") },
		"salt":      func(b []byte) { b[80] = 32 },
		"no blocks": func(b []byte) { clear(b[72:80]) },
		"too many":  func(b []byte) { b[79] = 0xff },
	} {
		bad := bytes.Clone(tree)
		damage(bad)
		if _, err := ReadInfo(bytes.NewReader(bad)); err == nil {
			t.Errorf("%s: accepted", name)
		}
	}
}

// TestAgreesWithVeritysetup compares byte for byte with the reference implementation.
func TestAgreesWithVeritysetup(t *testing.T) {
	tool := testtool.Find(t, "veritysetup")
	for _, n := range sizes {
		dir := t.TempDir()
		dataFile, refFile, ourFile := filepath.Join(dir, "data"), filepath.Join(dir, "ref"), filepath.Join(dir, "ours")
		data := testData(n)
		root, tree := mustBuild(t, data)
		if err := os.WriteFile(dataFile, data, 0o600); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(ourFile, tree, 0o600); err != nil {
			t.Fatal(err)
		}
		runTool(t, tool, "format", "--salt=-", "--uuid="+testUUIDText, dataFile, refFile)
		ref, err := os.ReadFile(refFile)
		if err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(ref, tree) {
			t.Errorf("%d blocks: tree differs from veritysetup's (%d and %d bytes)", n, len(tree), len(ref))
		}
		runTool(t, tool, "verify", dataFile, ourFile, hex.EncodeToString(root[:]))
	}
}

func runTool(t *testing.T, tool string, args ...string) {
	t.Helper()
	if out, err := exec.Command(tool, args...).CombinedOutput(); err != nil {
		t.Fatalf("%s %s: %v\n%s", tool, strings.Join(args, " "), err, out)
	}
}

func BenchmarkBuild(b *testing.B) {
	data := testData(25600)
	b.SetBytes(int64(len(data)))
	for b.Loop() {
		if _, _, err := Build(bytes.NewReader(data), int64(len(data)), &memFile{}, testUUID); err != nil {
			b.Fatal(err)
		}
	}
}
