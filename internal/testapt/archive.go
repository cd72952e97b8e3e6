package testapt

import (
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"fmt"
	"maps"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/ulikunitz/xz"
)

// Archive is an archive in a folder, whose layout is that of a mirror.
type Archive struct {
	Dir    string
	Key    *Key   // nil: nothing is signed
	Fields string // of every Release besides what it must have, a line each
	Made   time.Time
}

// Entry is a package in the pool.
type Entry struct{ Component, Name, stanza string }

// Add puts a package into the pool.
func (a *Archive) Add(component string, d *Deb) (Entry, error) {
	tmp := filepath.Join(a.Dir, "new.deb")
	if err := os.MkdirAll(a.Dir, 0o755); err != nil {
		return Entry{}, err
	}
	if err := d.Write(tmp, a.Made); err != nil {
		return Entry{}, err
	}
	defer os.Remove(tmp)
	return a.AddFile(component, tmp, d)
}

// AddFile puts a file into the pool as it is; d is what it holds.
func (a *Archive) AddFile(component, file string, d *Deb) (Entry, error) {
	name := d.Get("Package")
	source, _, _ := strings.Cut(d.Get("Source"), " ")
	if source == "" {
		source = name
	}
	_, version, hasEpoch := strings.Cut(d.Get("Version"), ":")
	if !hasEpoch {
		version = d.Get("Version")
	}
	pool := path.Join("pool", component, prefix(source), source, fmt.Sprintf("%s_%s_%s.deb", name, version, d.Get("Architecture")))
	data, err := os.ReadFile(file)
	if err == nil {
		err = a.write(pool, data)
	}
	if err != nil {
		return Entry{}, fmt.Errorf("adding %s: %w", name, err)
	}
	return Entry{component, name, fmt.Sprintf("%sFilename: %s\nSize: %d\nSHA256: %x\n", d.control(), pool, len(data), sha256.Sum256(data))}, nil
}

// prefix is the folder above a source package's.
func prefix(source string) string {
	if strings.HasPrefix(source, "lib") && len(source) > 3 {
		return source[:4]
	}
	return source[:1]
}

// Suite writes what a suite has: the indexes of its components, by name and by hash, and InRelease.
func (a *Archive) Suite(name string, components []string, entries []Entry) error {
	sums := map[string][]byte{} // path below the suite -> content
	for _, c := range components {
		var index bytes.Buffer
		for _, e := range entries {
			if e.Component == c {
				index.WriteString(e.stanza + "\n")
			}
		}
		for ext, data := range compressions(index.Bytes()) {
			file := path.Join(c, "binary-amd64", "Packages"+ext)
			sums[file] = data
			if ext == "" {
				continue // only its sum: mirrors have no uncompressed indexes
			}
			hash := fmt.Sprintf("%x", sha256.Sum256(data))
			for _, to := range []string{file, path.Join(path.Dir(file), "by-hash/SHA256", hash)} {
				if err := a.write(path.Join("dists", name, to), data); err != nil {
					return fmt.Errorf("writing the indexes of %s: %w", name, err)
				}
			}
		}
	}
	return a.release(name, components, sums)
}

func compressions(index []byte) map[string][]byte {
	var x, g bytes.Buffer
	xw, _ := xz.NewWriter(&x)
	xw.Write(index)
	xw.Close()
	gw := gzip.NewWriter(&g)
	gw.Write(index)
	gw.Close()
	return map[string][]byte{"": index, ".xz": x.Bytes(), ".gz": g.Bytes()}
}

func (a *Archive) release(name string, components []string, sums map[string][]byte) error {
	var b bytes.Buffer
	fmt.Fprintf(&b, "%sSuite: %s\nCodename: %s\nDate: %s\nArchitectures: amd64\nComponents: %s\nAcquire-By-Hash: yes\nSHA256:\n",
		a.Fields, name, strings.SplitN(name, "-", 2)[0], a.Made.UTC().Format(time.RFC1123), strings.Join(components, " "))
	for _, file := range slices.Sorted(maps.Keys(sums)) {
		fmt.Fprintf(&b, " %x %d %s\n", sha256.Sum256(sums[file]), len(sums[file]), file)
	}
	dir := path.Join("dists", name)
	if err := a.write(path.Join(dir, "Release"), b.Bytes()); err != nil || a.Key == nil {
		return err
	}
	signed, err := a.Key.clearsign(b.Bytes())
	if err != nil {
		return err
	}
	return a.write(path.Join(dir, "InRelease"), signed)
}

func (a *Archive) write(name string, data []byte) error {
	file := filepath.Join(a.Dir, name)
	if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
		return err
	}
	return os.WriteFile(file, data, 0o644)
}
