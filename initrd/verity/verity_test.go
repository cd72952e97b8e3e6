package verity

import (
	"bytes"
	"encoding/binary"
	"strings"
	"testing"
)

// superblock is one as veritysetup(8) writes it.
func superblock(change func([]byte)) []byte {
	b := make([]byte, 512)
	copy(b, "verity\x00\x00\x01\x00\x00\x00\x01\x00\x00\x00uuid-of-16-bytessha256")
	binary.LittleEndian.PutUint32(b[64:], 4096)
	binary.LittleEndian.PutUint32(b[68:], 4096)
	binary.LittleEndian.PutUint64(b[72:], 1000)
	change(b)
	return b
}

func TestParams(t *testing.T) {
	for name, c := range map[string]struct {
		change func([]byte)
		want   string
	}{
		"no salt": {func([]byte) {}, "1 254:2 254:3 4096 4096 1000 1 sha256 abcd - 1 panic_on_corruption"},
		"salt":    {func(b []byte) { b[80], b[88], b[89] = 2, 0xfe, 0x01 }, "1 254:2 254:3 4096 4096 1000 1 sha256 abcd fe01 1 panic_on_corruption"},
		"foreign": {func(b []byte) { b[0] = 'x' }, ""},
		"version": {func(b []byte) { b[8] = 2 }, ""},
		"no data": {func(b []byte) { clear(b[72:80]) }, ""},
		"blocks":  {func(b []byte) { clear(b[64:68]) }, ""},
		"salts":   {func(b []byte) { b[81] = 9 }, ""},
		"words":   {func(b []byte) { copy(b[32:], "sha 256") }, ""},
	} {
		s, err := ReadSuperblock(bytes.NewReader(superblock(c.change)))
		if c.want == "" {
			if err == nil {
				t.Errorf("%s: passes as %+v", name, s)
			}
			continue
		}
		if err != nil || s.Params("254:2", "254:3", "abcd") != c.want || s.Sectors() != 8000 {
			t.Errorf("%s: %v, %q", name, err, s.Params("254:2", "254:3", "abcd"))
		}
	}
	if _, err := ReadSuperblock(strings.NewReader("verity")); err == nil {
		t.Error("half a superblock passes")
	}
}

// TestRequest: the bytes that the kernel is handed, by the offsets of dm-ioctl.h.
func TestRequest(t *testing.T) {
	r, err := newRequest("root").withTarget("verity", 8000, "1 a b")
	if err != nil {
		t.Fatal(err)
	}
	for at, want := range map[int]string{
		0: "\x04\x00\x00\x00", 12: "\x00\x10\x00\x00", 16: "\x38\x01\x00\x00", 20: "\x01\x00\x00\x00", 28: "\x01\x00\x00\x00",
		48: "root\x00", 312: "\x00\x00\x00\x00\x00\x00\x00\x00\x40\x1f", 336: "verity\x00", 352: "1 a b\x00",
	} {
		if got := string(r[at : at+len(want)]); got != want {
			t.Errorf("at %d: %q, want %q", at, got, want)
		}
	}
	if _, err := newRequest("root").withTarget("verity", 1, strings.Repeat("x", 4096)); err == nil {
		t.Error("a line that does not fit passes")
	}
}
