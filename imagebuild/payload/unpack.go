package payload

import (
	"archive/tar"
	"bufio"
	"bytes"
	"compress/gzip"
	"errors"
	"fmt"
	"io"
	"os"
	"path"
	"path/filepath"
	"strings"
)

// unpack places an item's programs from a verified download: a .tar.gz that holds a regular file of each program's
// name, in whatever folder, or the one program itself.
func unpack(item Item, from, out string, most bounds) error {
	f, err := os.Open(from)
	if err != nil {
		return err
	}
	defer f.Close()
	r := bufio.NewReader(f)
	if magic, _ := r.Peek(2); bytes.Equal(magic, []byte{0x1f, 0x8b}) {
		return unpackTar(item, r, out, most)
	}
	if len(item.Binaries) != 1 {
		return fmt.Errorf("it is no .tar.gz, and %d programs are needed: %s", len(item.Binaries), strings.Join(item.names(), ", "))
	}
	return program(r, filepath.Join(out, item.Binaries[0].Name), most)
}

func unpackTar(item Item, r io.Reader, out string, most bounds) error {
	gz, err := gzip.NewReader(r)
	if err != nil {
		return err
	}
	found := map[string]string{} // program -> member
	for tr := tar.NewReader(atMost(gz, most.unpacked, "the archive")); ; {
		h, err := tr.Next()
		if err == io.EOF {
			return missing(item, found)
		}
		if err != nil {
			return err
		}
		name := path.Base(h.Name)
		if h.Typeflag != tar.TypeReg || !wants(item, name) {
			continue
		}
		if found[name] != "" {
			return fmt.Errorf("both %q and %q could be %s", found[name], h.Name, name)
		}
		if err := program(tr, filepath.Join(out, name), most); err != nil {
			return fmt.Errorf("member %q: %w", h.Name, err)
		}
		found[name] = h.Name
	}
}

func wants(item Item, name string) bool {
	for _, b := range item.Binaries {
		if b.Name == name {
			return true
		}
	}
	return false
}

func missing(item Item, found map[string]string) error {
	var names []string
	for _, b := range item.Binaries {
		if found[b.Name] == "" {
			names = append(names, b.Name)
		}
	}
	if len(names) > 0 {
		return fmt.Errorf("the archive has no %s", strings.Join(names, ", "))
	}
	return nil
}

// program writes r to path if it is a Linux program.
func program(r io.Reader, path string, most bounds) error {
	b := bufio.NewReader(atMost(r, most.program, "the program"))
	if magic, _ := b.Peek(4); string(magic) != "\x7fELF" {
		return errors.New("it is no Linux program (no ELF header)")
	}
	f, err := os.OpenFile(path, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o755)
	if err != nil {
		return err
	}
	if _, err := io.Copy(f, b); err != nil {
		f.Close()
		return err
	}
	return f.Close()
}
