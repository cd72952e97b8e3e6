package pack

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"os"

	"slipway/imagebuild/qcow2"
	"slipway/internal/grain"
	"slipway/ova"
	"slipway/ova/vmdk"
)

// Open opens the file of that name, which is a regular file or a block device, and tells its size in bytes.
func Open(name string) (*os.File, int64, error) {
	st, err := os.Stat(name) // before opening, which waits for ever at a pipe
	if err != nil {
		return nil, 0, inputError{fmt.Errorf("opening an image: %w", err)}
	}
	if block := st.Mode()&(os.ModeDevice|os.ModeCharDevice) == os.ModeDevice; !st.Mode().IsRegular() && !block {
		return nil, 0, inputError{fmt.Errorf("opening an image: %q is neither a regular file nor a block device", name)}
	}
	f, err := os.Open(name)
	if err != nil {
		return nil, 0, inputError{fmt.Errorf("opening an image: %w", err)}
	}
	size, err := f.Seek(0, io.SeekEnd) // what Stat tells of a block device is 0
	if err != nil {
		f.Close()
		return nil, 0, fmt.Errorf("opening an image: looking for the end of %q: %w", name, err)
	}
	return f, size, nil
}

// Disk is a disk in a file.
type Disk struct {
	grain.Source
	io.Closer
}

// OpenDisk opens the disk in the file of that name, whatever its format, and refuses one that was cut short. Once ctx has
// ended, the disk cannot be read any more.
func OpenDisk(ctx context.Context, name string) (Disk, error) {
	f, size, err := Open(name)
	if err != nil {
		return Disk{}, err
	}
	src, err := Content(ctx, f, size)
	if err == nil {
		err = whole(src)
	}
	if err != nil {
		f.Close()
		return Disk{}, inputError{fmt.Errorf("opening the disk in %q: %w", name, err)}
	}
	return Disk{src, f}, nil
}

// whole compares the size with where a GPT says that its backup is (UEFI 2.10, 5.3.2). Other disks pass.
func whole(src grain.Source) error {
	var head [512]byte
	if n, err := src.ReadAt(head[:], 512); n < len(head) {
		if errors.Is(err, io.EOF) {
			return nil
		}
		return err
	}
	if string(head[:8]) != "EFI PART" {
		return nil
	}
	last := binary.LittleEndian.Uint64(head[32:])
	if size := uint64(src.Size()) / 512; last >= size {
		return fmt.Errorf("it was cut short: its partition table ends at sector %d, the disk at %d\nhint: copy or build it again", last, size)
	}
	return nil
}

// Detect is the format of the content r.
func Detect(r io.ReaderAt) (Format, error) {
	var head [512]byte
	if n, err := r.ReadAt(head[:], 0); err != nil && !errors.Is(err, io.EOF) {
		return "", fmt.Errorf("reading the file: %w", err)
	} else if n == 0 {
		return "", inputError{errors.New("the file is empty")}
	}
	switch {
	case string(head[:4]) == "QFI\xfb":
		return QCOW2, nil
	case string(head[:4]) == "KDMV":
		return VMDK, nil
	case string(head[257:262]) == "ustar":
		return OVA, nil
	}
	return Raw, nil
}

// Content opens the disk in the file r, whatever its format. Looking for data in the tables of a file reads them, and
// fails once ctx has ended.
func Content(ctx context.Context, r io.ReaderAt, size int64) (grain.Source, error) {
	format, err := Detect(r)
	if err != nil {
		return nil, err
	}
	switch format {
	case QCOW2:
		return qcow2.Open(stoppable{ctx, r}, size)
	case VMDK:
		return vmdk.Open(stoppable{ctx, r}, size)
	case OVA:
		return archived(stoppable{ctx, r}, size)
	}
	if f, ok := r.(*os.File); ok {
		return grain.File(f)
	}
	return grain.ReaderAt(r, size), nil
}

// archived opens the first VMDK in an OVA.
func archived(r io.ReaderAt, size int64) (grain.Source, error) {
	a, err := ova.Open(r, size)
	if err != nil {
		return nil, err
	}
	for _, m := range a.Members {
		content := m.Content()
		if f, err := Detect(content); err == nil && f == VMDK {
			return vmdk.Open(content, content.Size())
		}
	}
	return nil, errors.New("there is no VMDK in the archive")
}
