// Package pack turns a disk image into the files that hypervisors take, and re-reads such files: qcow2, a
// streamOptimized VMDK, or an OVA with one in it. The formats themselves belong to imagebuild/qcow2, ova/vmdk and ova;
// here they meet files: whole or not there, never half-written, never over what exists unless that is asked for.
//
// Start with File, and with Open and Verify for the way back.
package pack

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"math"
	"os"
	"path/filepath"
	"strings"
	"time"

	"slipway/imagebuild/qcow2"
	"slipway/imagebuild/verify"
	"slipway/internal/grain"
	"slipway/ova"
	"slipway/ova/vmdk"
)

// Format is a kind of file that holds a disk.
type Format string

// The formats. Raw is only read.
const (
	Raw   Format = "raw"
	QCOW2 Format = "qcow2"
	VMDK  Format = "vmdk"
	OVA   Format = "ova"
)

// FormatOf is the format that a file's name asks for.
func FormatOf(name string) (Format, error) {
	switch f := Format(strings.TrimPrefix(strings.ToLower(filepath.Ext(name)), ".")); f {
	case QCOW2, VMDK, OVA:
		return f, nil
	}
	return "", inputError{fmt.Errorf("choosing a format for %q: its name must end in .qcow2, .vmdk or .ova", name)}
}

// Options say how to pack.
type Options struct {
	Force       bool              // replace a file that exists
	Compression qcow2.Compression // of a qcow2 image
	Machine     ova.Package       // of an OVA; its disk is added, and its Time, if it has none
	Workers     int               // 0: one a core
	Progress    func(done, total int64)
}

// Result is a packed file.
type Result struct {
	Format   Format `json:"format"`
	Path     string `json:"path"`
	Size     int64  `json:"size"`
	SHA256   string `json:"sha256"`
	Capacity int64  `json:"capacity"` // of the disk in it, bytes
}

// File packs the disk in the file image, raw or of any other format, into out. Failed or cancelled, it leaves nothing
// and no change. Killed, it leaves a hidden file beside out, which the next File for out takes over.
func File(ctx context.Context, image, out string, f Format, o Options) (Result, error) {
	disk, err := OpenDisk(ctx, image)
	if err != nil {
		return Result{}, err
	}
	defer disk.Close()
	if f == OVA && o.Machine.Time.IsZero() {
		o.Machine.Time = builtAt(ctx, disk)
	}
	write, err := writer(f, disk.Size(), o)
	if err != nil {
		return Result{}, err
	}
	src, err := metered(ctx, disk, o.Progress)
	if err != nil {
		return Result{}, fmt.Errorf("looking for data in %q: %w", image, err)
	}
	r := Result{Format: f, Path: out}
	err = replace(out, o.Force, func(w *os.File) (err error) {
		if r.Capacity, err = write(ctx, w, src); err != nil {
			return err
		}
		push(w)
		size, sum, err := digest(ctx, w)
		r.Size, r.SHA256 = size, hex.EncodeToString(sum[:])
		return err
	})
	if err != nil {
		return Result{}, fmt.Errorf("packing %q into %q: %w", image, out, err)
	}
	return r, nil
}

// builtAt is when the image on the disk was built, or 1970 if it is none of ours: what is packed must not depend on when.
func builtAt(ctx context.Context, disk grain.Source) time.Time {
	at, err := verify.BuildTime(stoppable{ctx, disk}, disk.Size())
	if err != nil || at.Unix() < 0 || at.Unix() >= 1<<33 { // 11 octal digits of a tar header
		return time.Unix(0, 0)
	}
	return at
}

// writeFunc writes a disk to an empty file and returns the capacity of the disk in it.
type writeFunc func(ctx context.Context, w *os.File, src grain.Source) (int64, error)

// writer refuses what cannot be written before anything is.
func writer(f Format, size int64, o Options) (writeFunc, error) {
	switch f {
	case QCOW2:
		return func(ctx context.Context, w *os.File, src grain.Source) (int64, error) {
			_, err := qcow2.Write(ctx, w, src, qcow2.Options{Compression: o.Compression, Workers: o.Workers})
			return (size + 511) &^ 511, err
		}, nil
	case VMDK:
		return func(ctx context.Context, w *os.File, src grain.Source) (int64, error) {
			info, err := vmdk.Write(ctx, w, src, vmdk.Options{Workers: o.Workers})
			return info.Capacity, err
		}, nil
	case OVA:
		return ovaWriter(size, o)
	}
	return nil, inputError{fmt.Errorf("format %q cannot be written", f)}
}

// digest reads a finished file once.
func digest(ctx context.Context, f *os.File) (size int64, sum [sha256.Size]byte, err error) {
	h := sha256.New()
	r := io.NewSectionReader(stoppable{ctx, f}, 0, math.MaxInt64)
	if size, err = io.CopyBuffer(h, struct{ io.Reader }{r}, make([]byte, 1<<20)); err != nil {
		return 0, sum, fmt.Errorf("reading it back: %w", err)
	}
	h.Sum(sum[:0])
	return size, sum, nil
}

// stoppable fails once its context has ended.
type stoppable struct {
	ctx context.Context
	io.ReaderAt
}

func (s stoppable) ReadAt(p []byte, off int64) (int, error) {
	if err := s.ctx.Err(); err != nil {
		return 0, err
	}
	return s.ReaderAt.ReadAt(p, off)
}

// inputError marks what is the user's to mend.
type inputError struct{ error }

func (e inputError) Unwrap() error { return e.error }

// ExitCode makes it wrong input.
func (inputError) ExitCode() int { return 2 }
