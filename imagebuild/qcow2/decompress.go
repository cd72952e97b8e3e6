package qcow2

import (
	"bytes"
	"errors"
	"fmt"
	"io"

	"github.com/klauspost/compress/flate"
	"github.com/klauspost/compress/zstd"
)

// decoder unpacks clusters, and remembers the last one: who reads a disk in small pieces asks for it again.
type decoder struct {
	unpack func(dst, packed []byte) error // fills dst, whatever may follow in packed
	packed []byte
	whole  []byte
	of     span // the part of the file that is in whole; empty: none
}

func newDecoder(c Compression) *decoder {
	d := &decoder{whole: make([]byte, clusterSize)}
	if c == Zstd {
		d.unpack = unzstd()
	} else {
		d.unpack = inflater()
	}
	return d
}

// cluster is the cluster that is packed from start to end of the file. It is good until the next call.
func (d *decoder) cluster(file io.ReaderAt, start, end int64) ([]byte, error) {
	if d.of == (span{start, end}) {
		return d.whole, nil
	}
	d.of = span{}
	if int64(cap(d.packed)) < end-start {
		d.packed = make([]byte, end-start)
	}
	packed := d.packed[:end-start]
	if err := readAt(file, packed, start); err != nil {
		return nil, err
	}
	if err := d.unpack(d.whole, packed); err != nil {
		return nil, err
	}
	d.of = span{start, end}
	return d.whole, nil
}

func inflater() func(dst, packed []byte) error {
	in := bytes.NewReader(nil)
	r := flate.NewReader(in)
	return func(dst, packed []byte) error {
		in.Reset(packed)
		if err := r.(flate.Resetter).Reset(in, nil); err != nil {
			return err
		}
		if n, err := io.ReadFull(r, dst); err != nil {
			return fmt.Errorf("%d of %d bytes: %w", n, len(dst), noEOF(err))
		}
		var more [1]byte
		if n, err := r.Read(more[:]); n > 0 || !errors.Is(err, io.EOF) {
			return fmt.Errorf("the data does not end after %d bytes", len(dst))
		}
		return nil
	}
}

// maxWindow is the largest window that a frame may ask memory for: what RFC 8878 wants every decoder to support.
const maxWindow = 8 << 20

func unzstd() func(dst, packed []byte) error {
	r, err := zstd.NewReader(nil, zstd.WithDecoderConcurrency(1), zstd.WithDecodeAllCapLimit(true),
		zstd.WithDecoderMaxWindow(maxWindow), zstd.WithDecoderMaxMemory(maxWindow))
	return func(dst, packed []byte) error {
		if err != nil {
			return err
		}
		frame, err := firstFrame(packed)
		if err != nil {
			return err
		}
		out, err := r.DecodeAll(frame, dst[:0:len(dst)])
		if err == nil && len(out) != len(dst) {
			err = fmt.Errorf("%d of %d bytes: %w", len(out), len(dst), io.ErrUnexpectedEOF)
		}
		return err
	}
}

// firstFrame cuts off what follows the frame in its last sector. RFC 8878, 3.1.1: a header, blocks of which the last
// says so, and a checksum if the header says so.
func firstFrame(b []byte) ([]byte, error) {
	var h zstd.Header
	if err := h.Decode(b); err != nil {
		return nil, err
	}
	if h.Skippable {
		return nil, errors.New("a skippable frame")
	}
	const blockHeader, runLength = 3, 1
	at := h.HeaderSize
	for last := false; !last; {
		if len(b) < at+blockHeader {
			return nil, io.ErrUnexpectedEOF
		}
		v := int(b[at]) | int(b[at+1])<<8 | int(b[at+2])<<16
		size := v >> 3
		if v>>1&3 == runLength {
			size = 1
		}
		at += blockHeader + size
		last = v&1 != 0
	}
	if h.HasCheckSum {
		at += 4
	}
	if len(b) < at {
		return nil, io.ErrUnexpectedEOF
	}
	return b[:at], nil
}
