package testapt

import (
	"archive/tar"
	"bytes"
	"fmt"
	"io"
	"os"
	"path"
	"slices"
	"strings"
	"time"

	"github.com/klauspost/compress/zstd"
)

// Deb is a package.
type Deb struct {
	Control []Field
	Scripts []Member // what else is in the control archive
	Files   []Member
}

// Field is one of a control file; its value may have more lines, as they are written.
type Field struct{ Name, Value string }

// Member is one entry of a tar.
type Member struct {
	tar.Header
	Data []byte
}

// New is a package of these fields, one a line, and files by path.
func New(control string, files map[string]string) *Deb {
	d := &Deb{Control: parseControl(control)}
	for name, text := range files {
		d.Files = append(d.Files, File(name, 0o644, []byte(text)))
	}
	slices.SortFunc(d.Files, func(a, b Member) int { return strings.Compare(a.Name, b.Name) })
	return d
}

// File is a file of root's.
func File(name string, mode int64, data []byte) Member {
	return Member{tar.Header{Name: "./" + strings.TrimPrefix(name, "/"), Mode: mode, Size: int64(len(data)), Typeflag: tar.TypeReg}, data}
}

// Get is the value of a field; empty if there is none.
func (d *Deb) Get(name string) string {
	for _, f := range d.Control {
		if f.Name == name {
			return f.Value
		}
	}
	return ""
}

// Set gives a field a value; an empty one removes it.
func (d *Deb) Set(name, value string) {
	i := slices.IndexFunc(d.Control, func(f Field) bool { return f.Name == name })
	switch {
	case value == "" && i >= 0:
		d.Control = slices.Delete(d.Control, i, i+1)
	case value == "":
	case i >= 0:
		d.Control[i].Value = value
	default:
		d.Control = slices.Insert(d.Control, len(d.Control)-1, Field{name, value}) // before the description
	}
}

// Replace changes the data of a file that is there.
func (d *Deb) Replace(name string, data []byte) error {
	for i := range d.Files {
		if path.Clean("/"+d.Files[i].Name) == name {
			d.Files[i] = File(name, d.Files[i].Mode, data)
			return nil
		}
	}
	return fmt.Errorf("replacing %s in %s: it is not there", name, d.Get("Package"))
}

func (d *Deb) control() string {
	var b strings.Builder
	for _, f := range d.Control {
		fmt.Fprintf(&b, "%s: %s\n", f.Name, f.Value)
	}
	return b.String()
}

func parseControl(text string) (out []Field) {
	for line := range strings.Lines(text) {
		line = strings.TrimSuffix(line, "\n")
		if name, value, ok := strings.Cut(line, ": "); ok && line[0] != ' ' {
			out = append(out, Field{name, value})
		} else if len(out) > 0 && line != "" {
			out[len(out)-1].Value += "\n" + line
		}
	}
	return out
}

// Write writes the package as Ubuntu's are: its archives compressed by zstd.
func (d *Deb) Write(file string, made time.Time) error {
	scripts := append([]Member{File("control", 0o644, []byte(d.control()))}, d.Scripts...)
	info, err := pack(scripts, made)
	if err != nil {
		return fmt.Errorf("writing %s: %w", d.Get("Package"), err)
	}
	data, err := pack(d.Files, made)
	if err != nil {
		return fmt.Errorf("writing %s: %w", d.Get("Package"), err)
	}
	out := bytes.NewBufferString("!<arch>\n")
	for _, m := range []struct {
		name string
		data []byte
	}{{"debian-binary", []byte("2.0\n")}, {"control.tar.zst", info}, {"data.tar.zst", data}} {
		fmt.Fprintf(out, "%-16s%-12d%-6d%-6d%-8o%-10d`\n%s", m.name, made.Unix(), 0, 0, 0o100644, len(m.data), m.data)
		if len(m.data)%2 == 1 {
			out.WriteByte('\n')
		}
	}
	return os.WriteFile(file, out.Bytes(), 0o644)
}

// pack writes a tar with the folders above its members, which a package has too.
func pack(members []Member, made time.Time) ([]byte, error) {
	var out bytes.Buffer
	z, err := zstd.NewWriter(&out, zstd.WithEncoderLevel(zstd.SpeedFastest), zstd.WithEncoderConcurrency(1))
	if err != nil {
		return nil, err
	}
	t := tar.NewWriter(z)
	for _, m := range withFolders(members) {
		if m.ModTime.IsZero() {
			m.ModTime = made
		}
		m.Format = tar.FormatGNU
		if err := t.WriteHeader(&m.Header); err != nil {
			return nil, err
		}
		if _, err := io.Copy(t, bytes.NewReader(m.Data)); err != nil {
			return nil, err
		}
	}
	if err := t.Close(); err != nil {
		return nil, err
	}
	if err := z.Close(); err != nil {
		return nil, err
	}
	return out.Bytes(), nil
}

func withFolders(members []Member) (out []Member) {
	has := map[string]bool{}
	for _, m := range members {
		if m.Typeflag == tar.TypeDir {
			has[path.Clean(m.Name)] = true
		}
	}
	var add func(dir string)
	add = func(dir string) {
		if dir == "." || has[dir] {
			return
		}
		add(path.Dir(dir))
		has[dir] = true
		out = append(out, Member{Header: tar.Header{Name: "./" + dir + "/", Mode: 0o755, Typeflag: tar.TypeDir}})
	}
	for _, m := range members {
		add(path.Dir(path.Clean(m.Name)))
		out = append(out, m)
	}
	return out
}
