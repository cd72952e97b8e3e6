package vmdk

import (
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"hash/adler32"
	"io"

	"github.com/klauspost/compress/zlib"

	"slipway/internal/grain"
)

// level is the lowest of klauspost's that makes files no larger than those of zlib's default, give or take a hundredth.
const level = 7

// An encoded grain, as it goes from the workers to the writer: the SHA-256 of the 64 KiB, then the sectors to store,
// whose marker lacks the place on the disk.
func split(encoded []byte) (digest, sectors []byte) {
	return encoded[:sha256.Size], encoded[sha256.Size:]
}

// newEncoder gives the encoder of one worker.
func newEncoder() (grain.Encoder, error) {
	z, err := zlib.NewWriterLevel(io.Discard, level)
	return encoder{z}.encode, err
}

type encoder struct{ z *zlib.Writer }

// appender is a writer to the end of a slice.
type appender []byte

func (a *appender) Write(p []byte) (int, error) {
	*a = append(*a, p...)
	return len(p), nil
}

func (e encoder) encode(dst, raw []byte) ([]byte, error) {
	digest := sha256.Sum256(raw)
	dst = append(dst, digest[:]...)
	dst = append(dst, make([]byte, markerSize)...)
	dst, err := e.compress(dst, raw)
	if err != nil {
		return nil, err
	}
	_, sectors := split(dst)
	binary.LittleEndian.PutUint32(sectors[8:], uint32(len(sectors)-markerSize))
	return append(dst, make([]byte, -len(sectors)&(sector-1))...), nil
}

// compress appends raw as zlib. What would not get smaller is stored, at the speed of memory, and as quickly read.
func (e encoder) compress(dst, raw []byte) ([]byte, error) {
	if !grain.Compressible(raw) {
		return appendStored(dst, raw), nil
	}
	packed := appender(dst)
	e.z.Reset(&packed)
	if _, err := e.z.Write(raw); err != nil {
		return nil, fmt.Errorf("compressing: %w", err)
	}
	if err := e.z.Close(); err != nil {
		return nil, fmt.Errorf("compressing: %w", err)
	}
	if len(packed)-len(dst) > grainSize-markerSize { // as many sectors as if stored
		return appendStored(dst, raw), nil
	}
	return packed, nil
}

// maxStored is the most that one stored block holds, see RFC 1951, 3.2.4.
const maxStored = 1<<16 - 1

// appendStored appends raw as a zlib stream (RFC 1950) of stored blocks.
func appendStored(dst, raw []byte) []byte {
	dst = append(dst, 0x78, 0x01) // deflate, window of 32 KiB, fastest
	for rest := raw; ; {
		n := min(len(rest), maxStored)
		var last byte
		if n == len(rest) {
			last = 1
		}
		dst = append(dst, last)
		dst = binary.LittleEndian.AppendUint16(dst, uint16(n))
		dst = binary.LittleEndian.AppendUint16(dst, ^uint16(n))
		dst = append(dst, rest[:n]...)
		if rest = rest[n:]; last == 1 {
			break
		}
	}
	return binary.BigEndian.AppendUint32(dst, adler32.Checksum(raw))
}
