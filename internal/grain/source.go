package grain

import (
	"errors"
	"fmt"
	"io"
	"os"

	"golang.org/x/sys/unix"
)

// ReaderAt is an image without known holes.
func ReaderAt(r io.ReaderAt, size int64) Source { return plain{r, size} }

type plain struct {
	io.ReaderAt
	size int64
}

func (p plain) Size() int64 { return p.size }

func (p plain) Data(off int64) (int64, int64, error) {
	if off >= p.size {
		return 0, 0, io.EOF
	}
	return off, p.size, nil
}

// File is the image in f, a regular file or a block device; the file system's holes are never read (lseek(2), SEEK_DATA
// and SEEK_HOLE). It moves f's offset, and never uses it.
func File(f *os.File) (Source, error) {
	info, err := f.Stat()
	if err != nil {
		return nil, fmt.Errorf("opening image: %w", err)
	}
	block := info.Mode()&(os.ModeDevice|os.ModeCharDevice) == os.ModeDevice
	if !info.Mode().IsRegular() && !block {
		return nil, fmt.Errorf("opening image: %s is neither a file nor a block device", f.Name())
	}
	size, err := f.Seek(0, io.SeekEnd) // what Stat tells of a block device is 0
	if err != nil {
		return nil, fmt.Errorf("opening image: %w", err)
	}
	return sparse{plain{f, size}, f}, nil
}

type sparse struct {
	plain
	f *os.File
}

func (s sparse) Data(off int64) (start, end int64, err error) {
	if off >= s.size {
		return 0, 0, io.EOF
	}
	start, err = s.f.Seek(off, unix.SEEK_DATA)
	switch {
	case errors.Is(err, unix.ENXIO): // a hole to the end
		return 0, 0, s.rest()
	case errors.Is(err, unix.EINVAL) || errors.Is(err, unix.EOPNOTSUPP): // no notion of holes here
		return s.plain.Data(off)
	case err != nil:
		return 0, 0, err
	}
	if end, err = s.f.Seek(start, unix.SEEK_HOLE); err != nil {
		return 0, 0, err
	}
	if start >= s.size {
		return 0, 0, s.rest()
	}
	if end < s.size {
		return start, end, nil
	}
	return start, s.size, nil
}

// rest is the answer at the end of the data: also a file that was cut meanwhile has no more data, which must not pass
// for a hole.
func (s sparse) rest() error {
	now, err := s.f.Seek(0, io.SeekEnd)
	if err == nil && now < s.size {
		err = fmt.Errorf("the image shrank from %d to %d bytes: %w", s.size, now, io.ErrUnexpectedEOF)
	}
	if err != nil {
		return err
	}
	return io.EOF
}
