package zframe

import (
	"bytes"
	"testing"
)

// FuzzAppend compresses anything, repeated to any size with a byte changed in each round, and lets a decoder that is not
// ours tell whether it is right. The encoder has seen other inputs, and must not show it.
func FuzzAppend(f *testing.F) {
	f.Add([]byte("a"), uint16(0), uint16(0))
	f.Add([]byte("abcdefgh"), uint16(9), uint16(3))
	f.Add([]byte("the quick brown fox jumps over the lazy dog"), uint16(65535), uint16(7))
	f.Add(noise(3000, 1), uint16(65535), uint16(1000))
	f.Add(patchwork(20000, 2), uint16(65000), uint16(19999))
	f.Add(bytes.Repeat([]byte{0, 0, 0, 1}, 300), uint16(4096), uint16(0))
	used, d := New(), foreign(f)
	f.Fuzz(func(t *testing.T, b []byte, size, change uint16) {
		src := b[:min(len(b), MaxInput)]
		for len(src) > 0 && len(src) < int(size) {
			next := bytes.Clone(src)
			next[int(change)%len(next)]++
			src = append(src[:len(src):len(src)], next[:min(len(next), int(size)-len(src))]...)
		}
		frame := mustAppend(t, used, d, src)
		if again, _ := New().Append(nil, src); !bytes.Equal(frame, again) {
			t.Error("depends on what was before")
		}
	})
}
