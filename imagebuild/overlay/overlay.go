// Package overlay is what the builder lays over a tree of distro packages: a sorted list of files, links and directories
// that travels as a deterministic tar. Start with FromFS and WriteTar.
package overlay

import (
	"archive/tar"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"slices"
	"strings"
	"time"
)

// Entry is one file, symbolic link or directory; owner is always root. Later entries of one path win.
type Entry struct {
	Path    string      // absolute
	Mode    fs.FileMode // permission bits
	Dir     bool
	Link    string // target of a symbolic link
	Content []byte
	Host    string // take the content from this file of the build machine
	Sum     string // digest of Host's content, for Digest
}

// FromFS returns every file under root of an embedded file system, placed under dest, mode 0644.
func FromFS(fsys fs.FS, root, dest string) ([]Entry, error) {
	var out []Entry
	err := fs.WalkDir(fsys, root, func(p string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		data, err := fs.ReadFile(fsys, p)
		out = append(out, Entry{Path: path.Join(dest, strings.TrimPrefix(p, root)), Mode: 0o644, Content: data})
		return err
	})
	return out, err
}

// Digest hashes the list; an entry with Host counts by its Sum.
func Digest(entries []Entry) string {
	sum := sha256.New()
	enc := json.NewEncoder(sum)
	for _, e := range normal(entries) {
		e.Host = ""
		enc.Encode(e)
	}
	return fmt.Sprintf("%x", sum.Sum(nil))
}

// WriteTar writes the entries sorted by path, with every time set to epoch seconds.
func WriteTar(w io.Writer, entries []Entry, epoch int64) error {
	tw := tar.NewWriter(w)
	made := map[string]bool{"/": true}
	for _, e := range normal(entries) {
		if err := parents(tw, e.Path, made, epoch); err != nil {
			return err
		}
		if err := write(tw, e, epoch); err != nil {
			return fmt.Errorf("adding %s: %w", e.Path, err)
		}
		made[e.Path] = made[e.Path] || e.Dir
	}
	return tw.Close()
}

// parents lists missing directories so that tar does not make them with the umask of the moment. Directories that the
// tree has keep their own mode: the script extracts with --no-overwrite-dir.
func parents(tw *tar.Writer, file string, made map[string]bool, epoch int64) error {
	dir := path.Dir(file)
	if made[dir] {
		return nil
	}
	if err := parents(tw, dir, made, epoch); err != nil {
		return err
	}
	made[dir] = true
	return write(tw, Entry{Path: dir, Dir: true, Mode: 0o755}, epoch)
}

func write(tw *tar.Writer, e Entry, epoch int64) error {
	hdr := &tar.Header{
		Name: strings.TrimPrefix(e.Path, "/"), Mode: int64(e.Mode.Perm()), ModTime: time.Unix(epoch, 0), Typeflag: tar.TypeReg, Format: tar.FormatGNU,
	}
	switch {
	case e.Dir:
		hdr.Typeflag, hdr.Name = tar.TypeDir, hdr.Name+"/"
	case e.Link != "":
		hdr.Typeflag, hdr.Linkname, hdr.Mode = tar.TypeSymlink, e.Link, 0o777
	case e.Host != "":
		return writeHost(tw, hdr, e.Host)
	}
	hdr.Size = int64(len(e.Content))
	if err := tw.WriteHeader(hdr); err != nil {
		return err
	}
	_, err := tw.Write(e.Content)
	return err
}

func writeHost(tw *tar.Writer, hdr *tar.Header, host string) error {
	f, err := os.Open(host)
	if err != nil {
		return err
	}
	defer f.Close()
	st, err := f.Stat()
	if err != nil {
		return err
	}
	hdr.Size = st.Size()
	if err := tw.WriteHeader(hdr); err != nil {
		return err
	}
	_, err = io.Copy(tw, f)
	return err
}

// normal sorts by path and keeps the last entry of each.
func normal(entries []Entry) []Entry {
	last := map[string]Entry{}
	for _, e := range entries {
		last[e.Path] = e
	}
	out := make([]Entry, 0, len(last))
	for _, e := range last {
		out = append(out, e)
	}
	slices.SortFunc(out, func(a, b Entry) int { return strings.Compare(a.Path, b.Path) })
	return out
}
