package qcow2

import (
	"bytes"
	"encoding/binary"
	"io"
	"testing"
)

// FuzzDamage puts bytes anywhere in good images: nothing may panic, loop or take much memory, and what Check finds
// sound reads in full or fails with a word on where.
func FuzzDamage(f *testing.F) {
	var good [2][]byte
	for i, c := range both {
		_, good[i] = small(f, c)
	}
	f.Add(uint32(0), []byte("QFI\xfb"), false)
	f.Add(uint32(24), bytes.Repeat([]byte{0xff}, 8), true)
	f.Add(uint32(36), []byte{0, 0x40, 0, 0}, false)
	f.Add(uint32(104), []byte{0xe2, 0x79, 0x2a, 0xca, 0xff, 0xff, 0xff, 0xff}, false)
	f.Add(uint32(l1At), []byte{0x80, 0, 0, 0, 0, 1}, false)
	f.Add(uint32(l2At), binary.BigEndian.AppendUint64(nil, packedMask|isPacked), true)
	f.Add(uint32(2*clusterSize), []byte{0x28, 0xb5, 0x2f, 0xfd, 0xff}, true)
	f.Add(uint32(tableAt), bytes.Repeat([]byte{0x7f, 0xff}, 8), false)
	f.Fuzz(func(t *testing.T, at uint32, patch []byte, zst bool) {
		b := bytes.Clone(good[0])
		if zst {
			b = bytes.Clone(good[1])
		}
		copy(b[int(at)%len(b):], patch)
		_, _ = check(b)
		m, err := Open(bytes.NewReader(b), int64(len(b)))
		if err != nil {
			return
		}
		if _, _, err := m.Data(0); err != nil && err != io.EOF {
			return
		}
		_, _ = io.CopyN(io.Discard, io.NewSectionReader(m, 0, m.Size()), 8*clusterSize)
		_, _ = m.ReadAt(make([]byte, 1000), m.Size()-600)
	})
}

// FuzzUnpack feeds both decoders anything.
func FuzzUnpack(f *testing.F) {
	for _, c := range both {
		_, image := small(f, c)
		f.Add(image[2*clusterSize : 2*clusterSize+3000])
	}
	f.Add([]byte{})
	f.Add([]byte{0x28, 0xb5, 0x2f, 0xfd, 0x84, 0, 0, 1, 0xff, 0xff, 0xff})
	dst := make([]byte, clusterSize)
	decoders := []func(dst, packed []byte) error{inflater(), unzstd()}
	f.Fuzz(func(t *testing.T, b []byte) {
		for _, unpack := range decoders {
			_ = unpack(dst, b)
		}
		if frame, err := firstFrame(b); err == nil && len(frame) > len(b) {
			t.Errorf("frame of %d bytes in %d", len(frame), len(b))
		}
	})
}

// FuzzRoundTrip makes disks of patches between zeros.
func FuzzRoundTrip(f *testing.F) {
	f.Add(uint32(0), []byte(nil), false)
	f.Add(uint32(70000), []byte("\x00\x00\xff\x03abc\x01\x00\x00\x00"), true)
	f.Add(uint32(3*clusterSize), bytes.Repeat([]byte("0123456789"), 9000), false)
	f.Fuzz(func(t *testing.T, n uint32, patches []byte, zst bool) {
		raw := make([]byte, n%(16*clusterSize))
		for at := 0; len(patches) > 4 && at < len(raw); {
			skip, size := int(binary.LittleEndian.Uint16(patches)), 1+int(patches[2])*16
			patch := patches[3:min(len(patches), 3+size)]
			at += copy(raw[min(len(raw), at+skip):], patch) + skip
			patches = patches[3+len(patch):]
		}
		c := Zlib
		if zst {
			c = Zstd
		}
		if got := mustRead(t, mustWrite(t, raw, Options{Compression: c})); !bytes.Equal(got, padded(raw)) {
			t.Error("differs")
		}
	})
}
