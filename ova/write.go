package ova

import (
	"archive/tar"
	"bytes"
	"context"
	"crypto/sha256"
	"fmt"
	"io"
	"time"
)

const (
	blockSize  = 512
	ustarName  = 100     // bytes of a name in a header
	ustarLimit = 8 << 30 // a file of so many bytes does not fit into a header of 11 octal digits
	fileMode   = 0o644
	chunk      = 1 << 20
)

// member is one file to be written.
type member struct {
	name string
	size int64
	sum  [sha256.Size]byte
	open func() (io.ReadCloser, error)
}

// Write streams p to w. It reads each disk once, and fails if what it reads is not what p says. After an error the
// output is of no use.
func Write(ctx context.Context, w io.Writer, p Package) error {
	members, err := p.members()
	if err != nil {
		return err
	}
	archive := tar.NewWriter(w)
	for _, m := range members {
		if err := archive.WriteHeader(m.header(p.Time)); err != nil {
			return fmt.Errorf("writing tar header of %q: %w", m.name, err)
		}
		if err := m.copy(ctx, archive); err != nil {
			return fmt.Errorf("writing %q: %w", m.name, err)
		}
	}
	if err := archive.Close(); err != nil {
		return fmt.Errorf("writing end of archive: %w", err)
	}
	return nil
}

// Size is how many bytes Write will write.
func (p Package) Size() (int64, error) {
	members, err := p.members()
	if err != nil {
		return 0, err
	}
	size := int64(2 * blockSize)
	for _, m := range members {
		size += blockSize + padded(m.size)
	}
	return size, nil
}

func padded(size int64) int64 { return (size + blockSize - 1) / blockSize * blockSize }

// members lists the files in the order that importers insist on: descriptor, manifest, signature, disks.
func (p Package) members() ([]member, error) {
	descriptor, err := p.Descriptor()
	if err != nil {
		return nil, err
	}
	manifest := p.manifest(descriptor)
	members := []member{inMemory(p.descriptorName(), descriptor), inMemory(p.manifestName(), manifest)}
	if p.Signer != nil {
		signature, err := p.Signer.sign(p.manifestName(), manifest)
		if err != nil {
			return nil, err
		}
		members = append(members, inMemory(p.signatureName(), signature))
	}
	for _, d := range p.Disks {
		members = append(members, member{d.File, d.Size, d.SHA256, d.Open})
	}
	return members, nil
}

func inMemory(name string, content []byte) member {
	open := func() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(content)), nil }
	return member{name, int64(len(content)), sha256.Sum256(content), open}
}

// header is a plain ustar one, and GNU's where the size does not fit. PAX is what importers cannot read.
func (m member) header(mtime time.Time) *tar.Header {
	h := &tar.Header{
		Typeflag: tar.TypeReg, Name: m.name, Size: m.size, Mode: fileMode,
		ModTime: time.Unix(mtime.Unix(), 0), Format: tar.FormatUSTAR,
	}
	if m.size >= ustarLimit {
		h.Format = tar.FormatGNU
	}
	return h
}

func (m member) copy(ctx context.Context, w io.Writer) error {
	r, err := m.open()
	if err != nil {
		return err
	}
	defer r.Close()
	sum := sha256.New()
	n, err := io.CopyBuffer(io.MultiWriter(w, sum), &stoppable{ctx, io.LimitReader(r, m.size)}, buffer(m.size))
	if err != nil {
		return err
	}
	if n < m.size {
		return fmt.Errorf("%w after %d of %d bytes", io.ErrUnexpectedEOF, n, m.size)
	}
	if extra, _ := io.ReadFull(r, make([]byte, 1)); extra > 0 {
		return fmt.Errorf("it is longer than %d bytes", m.size)
	}
	if got := sum.Sum(nil); !bytes.Equal(got, m.sum[:]) {
		return fmt.Errorf("its SHA-256 is %x, expected %x\nhint: it was changed since it was made", got, m.sum)
	}
	return nil
}

// buffer is one to copy size bytes with.
func buffer(size int64) []byte { return make([]byte, min(chunk, size+1)) }

// stoppable is a reader that ends with its context.
type stoppable struct {
	ctx context.Context
	r   io.Reader
}

func (s *stoppable) Read(p []byte) (int, error) {
	if err := s.ctx.Err(); err != nil {
		return 0, err
	}
	return s.r.Read(p)
}
