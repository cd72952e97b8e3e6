package testapt

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"errors"
	"fmt"
	"io"
	"os"
	"path"
	"strconv"
	"strings"

	"github.com/klauspost/compress/zstd"
	"github.com/ulikunitz/xz"
)

// Read reads a package, without its checksums: whoever changes it would have to change them.
func Read(file string) (*Deb, error) {
	data, err := os.ReadFile(file)
	if err != nil {
		return nil, err
	}
	d := &Deb{}
	err = eachMember(data, func(name string, body []byte) error {
		switch {
		case strings.HasPrefix(name, "control.tar"):
			members, err := unpack(name, body)
			for _, m := range members {
				switch path.Base(m.Name) {
				case "control":
					d.Control = parseControl(string(m.Data))
				case ".", "md5sums":
				default:
					d.Scripts = append(d.Scripts, m)
				}
			}
			return err
		case strings.HasPrefix(name, "data.tar"):
			var err error
			d.Files, err = unpack(name, body)
			return err
		}
		return nil
	})
	if err == nil && d.Control == nil {
		err = errors.New("it has no control file")
	}
	if err != nil {
		return nil, fmt.Errorf("reading package %s: %w", file, err)
	}
	return d, nil
}

// eachMember walks an ar(5) archive.
func eachMember(data []byte, use func(name string, body []byte) error) error {
	const head = 60
	data, ok := bytes.CutPrefix(data, []byte("!<arch>\n"))
	if !ok {
		return errors.New("it is no ar archive")
	}
	for len(data) >= head {
		size, err := strconv.Atoi(strings.TrimSpace(string(data[48:58])))
		if err != nil || size < 0 || size > len(data)-head {
			return errors.New("it ends in the middle of a member")
		}
		if err := use(strings.TrimRight(string(data[:16]), " /"), data[head:head+size]); err != nil {
			return err
		}
		data = data[min(head+size+size%2, len(data)):]
	}
	return nil
}

func unpack(name string, body []byte) (out []Member, err error) {
	r, err := decompress(path.Ext(name), body)
	if err != nil {
		return nil, err
	}
	t := tar.NewReader(r)
	for {
		h, err := t.Next()
		if errors.Is(err, io.EOF) {
			return out, nil
		}
		if err != nil {
			return nil, fmt.Errorf("reading %s: %w", name, err)
		}
		data, err := io.ReadAll(t)
		if err != nil {
			return nil, fmt.Errorf("reading %s: %w", name, err)
		}
		out = append(out, Member{*h, data})
	}
}

func decompress(ext string, body []byte) (io.Reader, error) {
	in := bytes.NewReader(body)
	switch ext {
	case ".xz":
		return xz.NewReader(in)
	case ".gz":
		return gzip.NewReader(in)
	case ".zst":
		return zstd.NewReader(in)
	case ".tar":
		return in, nil
	}
	return nil, fmt.Errorf("its compression %s is not known", ext)
}
