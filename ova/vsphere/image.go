package vsphere

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"hash"
	"io"
	"path"
	"strings"

	"github.com/vmware/govmomi/ovf"
	"github.com/vmware/govmomi/vapi/library"

	"slipway/ova"
)

// Image is an OVA that is to be imported.
type Image struct {
	Digest     string // of its manifest, and so of everything in it
	Descriptor []byte
	Files      []File // the descriptor first, then the disks in its order
	Networks   []string
}

// File is one file of an OVA that is sent.
type File struct {
	Name   string
	Size   int64
	SHA256 string // hex, of the manifest
	Open   func() io.Reader
}

// maxText bounds descriptors and manifests.
const maxText = 1 << 20

// OpenImage reads what an OVA says about itself. Whether its disks are what the manifest says shows when they are sent.
func OpenImage(r io.ReaderAt, size int64) (Image, error) {
	a, err := ova.Open(r, size)
	if err != nil {
		return Image{}, err
	}
	img, err := readImage(a)
	if err != nil {
		return Image{}, fmt.Errorf("reading package: %w\nhint: slipway verify FILE says all that is wrong with it", err)
	}
	return img, nil
}

func readImage(a *ova.Archive) (img Image, err error) {
	if path.Ext(a.Members[0].Name) != ".ovf" {
		return img, fmt.Errorf("the first file is %q, not a descriptor", a.Members[0].Name)
	}
	if img.Descriptor, err = text(a.Members[0]); err != nil {
		return img, err
	}
	manifest, ok := a.Member(strings.TrimSuffix(a.Members[0].Name, ".ovf") + ".mf")
	if !ok {
		return img, errors.New("there is no manifest")
	}
	lines, err := text(manifest)
	if err != nil {
		return img, err
	}
	img.Digest = Digest(lines)
	sums, err := library.ReadManifest(bytes.NewReader(lines))
	if err != nil {
		return img, fmt.Errorf("reading manifest: %w", err)
	}
	envelope, err := ovf.Unmarshal(bytes.NewReader(img.Descriptor))
	if err != nil {
		return img, fmt.Errorf("reading descriptor: %w", err)
	}
	names := []string{a.Members[0].Name}
	for _, f := range envelope.References {
		names = append(names, f.Href)
	}
	if envelope.Network != nil {
		for _, n := range envelope.Network.Networks {
			img.Networks = append(img.Networks, n.Name)
		}
	}
	for _, name := range names {
		f, err := imageFile(a, name, sums[name])
		if err != nil {
			return img, err
		}
		img.Files = append(img.Files, f)
	}
	return img, nil
}

func imageFile(a *ova.Archive, name string, sum *library.Checksum) (File, error) {
	m, ok := a.Member(name)
	switch {
	case !ok:
		return File{}, fmt.Errorf("the file %q is missing", name)
	case sum == nil || sum.Algorithm != "SHA256" || len(sum.Checksum) != 2*sha256.Size:
		return File{}, fmt.Errorf("the manifest has no SHA256 of %q", name)
	}
	return File{name, m.Size, sum.Checksum, func() io.Reader { return m.Content() }}, nil
}

func text(m ova.Member) ([]byte, error) {
	if m.Size > maxText {
		return nil, fmt.Errorf("%q has %d bytes, which is too much", m.Name, m.Size)
	}
	return io.ReadAll(m.Content())
}

// Size is the bytes of all files.
func (img Image) Size() (total int64) {
	for _, f := range img.Files {
		total += f.Size
	}
	return total
}

// sent counts and hashes what is read of a file, tells how much of the whole that is, and fails at the end of one that
// is not what the manifest says.
type sent struct {
	file  File
	r     io.Reader
	hash  hash.Hash
	n     int64
	moved func(n int64)
}

func (f File) send(moved func(n int64)) *sent {
	return &sent{file: f, r: f.Open(), hash: sha256.New(), moved: moved}
}

func (s *sent) Read(p []byte) (int, error) {
	n, err := s.r.Read(p)
	s.hash.Write(p[:n])
	s.n += int64(n)
	s.moved(s.n)
	if err == io.EOF {
		if bad := s.check(); bad != nil {
			return n, bad
		}
	}
	return n, err
}

// check compares with the manifest what was read by now.
func (s *sent) check() error {
	if s.n != s.file.Size {
		return fmt.Errorf("%q ends after %d of %d bytes", s.file.Name, s.n, s.file.Size)
	}
	if got := hex.EncodeToString(s.hash.Sum(nil)); got != s.file.SHA256 {
		return fmt.Errorf("%q is not what the manifest says: its SHA-256 is %s, expected %s", s.file.Name, got, s.file.SHA256)
	}
	return nil
}
