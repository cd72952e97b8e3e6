// Package zframe compresses one cluster of a disk as one Zstandard frame. It is for inputs of up to MaxInput bytes, and
// faster there than an encoder for streams: all that it remembers of a cluster fits in a core's cache.
//
// Start with New and Encoder.Append. An input is parsed into literals and sequences (match.go), which are the two
// sections of the frame's one block (literals.go, sequences.go). Huffman coding is huff0's; finite state entropy, which
// sequences are coded with, is here (distribution.go, table.go). There is no decoder, dictionary, checksum or level.
//
// The format is RFC 8878; numbers such as 3.1.1 in comments are its sections.
package zframe

import (
	"bytes"
	"encoding/binary"
	"fmt"

	"github.com/klauspost/compress/huff0"
)

// MaxInput is the largest input, in bytes: a position in it fits in 16 bits.
const MaxInput = 1 << 16

// Encoder makes frames, one at a time. It holds about 700 KiB.
type Encoder struct {
	finder
	coder
	huffman huff0.Scratch
}

// New makes an encoder.
func New() *Encoder {
	e := &Encoder{coder: newCoder()}
	e.huffman.Reuse = huff0.ReusePolicyNone // a frame depends on its input alone
	e.huffman.Out = make([]byte, 0, 2*MaxInput)
	return e
}

// Kinds of blocks, 3.1.1.2.2.
const (
	rawBlock        = 0
	rleBlock        = 1
	compressedBlock = 2
)

// Append appends the frame of src to dst. It depends on src alone and is at most 10 bytes longer, those of
// its headers. An error
// says that src is longer than MaxInput.
func (e *Encoder) Append(dst, src []byte) ([]byte, error) {
	if len(src) > MaxInput {
		return nil, fmt.Errorf("compressing %d bytes, more than %d", len(src), MaxInput)
	}
	dst = appendFrameHeader(dst, len(src))
	if len(src) > 1 && bytes.Equal(src[1:], src[:len(src)-1]) {
		return append(appendBlockHeader(dst, rleBlock, len(src)), src[0]), nil
	}
	literals, sequences := e.parse(src)
	start := len(dst)
	dst = e.appendLiterals(appendBlockHeader(dst, compressedBlock, 0), literals)
	dst, stream := e.appendSequences(dst, sequences)
	size := len(dst) - start - blockHeader + len(stream)
	if size >= len(src) {
		return append(appendBlockHeader(dst[:start], rawBlock, len(src)), src...), nil
	}
	appendBlockHeader(dst[:start], compressedBlock, size)
	return append(dst, stream...), nil
}

// appendFrameHeader appends the magic number and a header with the content's size, which is the window's too, 3.1.1.1.
func appendFrameHeader(dst []byte, size int) []byte {
	const magic, singleSegment, twoBytes = 0xfd2fb528, 1 << 5, 1 << 6
	dst = binary.LittleEndian.AppendUint32(dst, magic)
	if size < 256 {
		return append(dst, singleSegment, byte(size))
	}
	dst = append(dst, singleSegment|twoBytes)
	return binary.LittleEndian.AppendUint16(dst, uint16(size-256))
}

const blockHeader = 3 // bytes

// appendBlockHeader appends the header of a last block, 3.1.1.2.
func appendBlockHeader(dst []byte, kind, size int) []byte {
	const last = 1
	v := last | kind<<1 | size<<3
	return append(dst, byte(v), byte(v>>8), byte(v>>16))
}
