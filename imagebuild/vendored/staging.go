package vendored

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"golang.org/x/sys/unix"

	"slipway/internal/durable"
)

// staging is the folder that takes the other's place when it is whole.
type staging struct {
	dir    string
	old    *Folder
	note   func(text string)
	result Written
}

func (s *staging) fill(ctx context.Context, index Index, sources []Source) error {
	sources = slices.Clone(sources)
	slices.SortFunc(sources, func(a, b Source) int { return strings.Compare(a.Path, b.Path) })
	sources = slices.CompactFunc(sources, func(a, b Source) bool { return a.Path == b.Path })
	index.Version, index.Files = indexVersion, []File{}
	if index.Payloads == nil {
		index.Payloads = []Payload{}
	}
	for i, src := range sources {
		if err := ctx.Err(); err != nil {
			return err
		}
		file, err := s.take(ctx, src)
		if err != nil {
			return fmt.Errorf("vendoring %s: %w", File{Path: src.Path, What: src.What}, err)
		}
		index.Files = append(index.Files, file)
		s.result.Bytes += file.Size
		if s.note != nil {
			s.note(fmt.Sprintf("%d of %d files", i+1, len(sources)))
		}
	}
	data, err := index.encode()
	if err != nil {
		return err
	}
	if err := s.sync(index.Files); err != nil { // the index vouches for what is on the disk
		return err
	}
	s.result.Files, s.result.SHA256 = len(index.Files), digestOf(data)
	if s.old != nil {
		for _, f := range s.old.Index.Files {
			if !slices.ContainsFunc(sources, func(src Source) bool { return src.Path == f.Path }) {
				s.result.Removed++
			}
		}
	}
	return durable.Write(filepath.Join(s.dir, IndexName), data, 0o644)
}

// take places one file, from the folder that was or from its source.
func (s *staging) take(ctx context.Context, src Source) (File, error) {
	to := filepath.Join(s.dir, filepath.FromSlash(src.Path))
	if err := os.MkdirAll(filepath.Dir(to), 0o755); err != nil {
		return File{}, err
	}
	if have, ok := s.keeps(src); ok {
		if err := linkOrCopy(ctx, s.old.path(src.Path), to); err != nil {
			return File{}, err
		}
		have.What = src.What
		return have, nil
	}
	if err := bring(ctx, src, to); err != nil {
		return File{}, err
	}
	if src.Verify != nil {
		if err := src.Verify(to); err != nil {
			return File{}, err
		}
	}
	st, err := os.Stat(to)
	if err != nil {
		return File{}, err
	}
	sum, err := durable.Digest(to)
	if err == nil && src.SHA256 != "" && sum != src.SHA256 {
		err = fmt.Errorf("its sha256 is %s instead of %s\nhint: slipway cache prune --days 0 empties the cache, and what is damaged there is fetched again", sum, src.SHA256)
	}
	s.result.Copied++
	s.result.CopiedBytes += st.Size()
	return File{Path: src.Path, Size: st.Size(), SHA256: sum, What: src.What}, err
}

// keeps says whether the old folder has the file already, whole. Modules and downloads never change under their names;
// text of ours does.
func (s *staging) keeps(src Source) (File, bool) {
	if s.old == nil {
		return File{}, false
	}
	have, ok := s.old.files[src.Path]
	if !ok || src.SHA256 != "" && src.SHA256 != have.SHA256 || src.Data != nil && digestOf(src.Data) != have.SHA256 {
		return File{}, false
	}
	return have, s.old.read(have) == ""
}

func bring(ctx context.Context, src Source, to string) error {
	switch {
	case src.Data != nil:
		return os.WriteFile(to, src.Data, 0o644)
	case src.Fill != nil:
		return src.Fill(ctx, to)
	}
	return copyFile(ctx, src.From, to)
}

func linkOrCopy(ctx context.Context, from, to string) error {
	if os.Link(from, to) == nil {
		return nil
	}
	return copyFile(ctx, from, to)
}

// copyFile copies and stops when ctx does. The copy is nobody else's: neither its bytes nor its times.
func copyFile(ctx context.Context, from, to string) error {
	in, err := os.Open(from)
	if err != nil {
		return err
	}
	defer in.Close()
	out, err := os.OpenFile(to, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o644)
	if err != nil {
		return err
	}
	for err == nil {
		if err = ctx.Err(); err == nil {
			_, err = io.CopyN(out, in, 8<<20)
		}
	}
	if err == io.EOF {
		err = nil
	}
	return errors.Join(err, out.Close())
}

// many is how many files are better synced as their file system than one by one.
const many = 64

func (s *staging) sync(files []File) error {
	if len(files) >= many {
		d, err := os.Open(s.dir)
		if err != nil {
			return err
		}
		return errors.Join(unix.Syncfs(int(d.Fd())), d.Close())
	}
	for _, file := range files {
		f, err := os.Open(filepath.Join(s.dir, filepath.FromSlash(file.Path)))
		if err != nil {
			return err
		}
		if err := errors.Join(f.Sync(), f.Close(), durable.SyncDir(filepath.Dir(f.Name()))); err != nil {
			return err
		}
	}
	return nil
}
