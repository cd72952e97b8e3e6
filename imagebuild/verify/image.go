package verify

import (
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"path"
	"slices"
	"strings"

	"slipway/imagebuild/disk"
	"slipway/imagebuild/esp"
	"slipway/imagebuild/uki"
)

// Image is what a disk holds, for whoever looks into it. Nothing of it is checked but that it can be read: see Raw.
type Image struct {
	Kernel    string
	Cmdline   string // without the root hash
	RootHash  string
	RootBytes int64      // of the root as it is packed
	BootBytes int64      // of the boot file
	Boot      []BootPart // of the loader and the boot file, sorted by name
	root      *rootTree
}

// BootPart is the loader, or a section of the boot file.
type BootPart struct {
	Name   string `json:"name"` // loader, stub, kernel, initrd, osrel, uname
	Size   int64  `json:"size"`
	SHA256 string `json:"sha256"`
}

// Open looks into the disk r of size bytes. An error means that no image of ours is there.
func Open(r io.ReaderAt, size int64) (*Image, error) {
	c, err := newLooker(r, size)
	if err != nil {
		return nil, fmt.Errorf("opening the image: %w", err)
	}
	i := &Image{}
	if i.root, err = c.openRoot(); err == nil {
		i.RootBytes = i.root.s.used
		err = i.boot(c)
	}
	if err != nil {
		return nil, fmt.Errorf("opening the image: %w", err)
	}
	return i, nil
}

// Root is the root file system. It can make its reader take a little memory only: files of more than 16 MiB are refused.
func (i *Image) Root() fs.FS { return i.root }

// newLooker reads the partition table alone.
func newLooker(r io.ReaderAt, size int64) (*checker, error) {
	table, _, err := disk.ReadTable(r, size)
	if err != nil {
		return nil, err
	}
	return newChecker(r, size, table), nil
}

func (c *checker) openRoot() (*rootTree, error) {
	root, ok := c.partitions()[disk.TypeRoot]
	if !ok {
		return nil, fmt.Errorf("there is no %s partition", disk.RootA)
	}
	return openSquashfs(c.section(root))
}

// boot reads the EFI system partition.
func (i *Image) boot(c *checker) error {
	part, ok := c.partitions()[disk.TypeESP]
	if !ok {
		return fmt.Errorf("there is no %s partition", disk.ESP)
	}
	volume, err := esp.Read(c.section(part))
	if err != nil {
		return err
	}
	for _, f := range volume.Files {
		switch {
		case strings.EqualFold(f.Path, loaderFile):
			if err := i.addBoot("loader", io.NewSectionReader(f, 0, f.Size)); err != nil {
				return err
			}
		case strings.HasPrefix(f.Path, ukiFolder) && strings.HasSuffix(f.Path, ".efi"):
			if i.BootBytes != 0 {
				return errors.New("there is more than one boot file")
			}
			if err := i.bootFile(f); err != nil {
				return fmt.Errorf("%s: %w", f.Path, err)
			}
		}
	}
	if i.BootBytes == 0 {
		return errors.New("there is no boot file")
	}
	slices.SortFunc(i.Boot, func(a, b BootPart) int { return strings.Compare(a.Name, b.Name) })
	return nil
}

func (i *Image) bootFile(f esp.Entry) error {
	i.BootBytes = f.Size
	sections, err := uki.Read(f)
	if err != nil {
		return err
	}
	stub := sha256.New()
	var stubBytes int64
	for _, s := range sections {
		if name, ok := bootParts()[s.Name]; !ok {
			n, err := io.Copy(stub, io.NewSectionReader(s, 0, s.Size()))
			if stubBytes += n; err != nil {
				return fmt.Errorf("reading section %s: %w", s.Name, err)
			}
		} else if s.Name != ".cmdline" { // which has the root hash
			if err := i.addBoot(name, io.NewSectionReader(s, 0, s.Size())); err != nil {
				return err
			}
		}
	}
	i.Boot = append(i.Boot, BootPart{"stub", stubBytes, fmt.Sprintf("%x", stub.Sum(nil))})
	if i.Kernel, err = uki.Text(sections, ".uname"); err != nil {
		return err
	}
	cmdline, err := uki.Text(sections, ".cmdline")
	if err != nil {
		return err
	}
	var words []string
	for _, word := range strings.Fields(cmdline) {
		if hash, ok := strings.CutPrefix(word, "roothash="); ok {
			i.RootHash = hash
			continue
		}
		words = append(words, word)
	}
	i.Cmdline = strings.Join(words, " ")
	return nil
}

func (i *Image) addBoot(name string, r *io.SectionReader) error {
	sum := sha256.New()
	n, err := io.Copy(sum, r)
	if err != nil {
		return fmt.Errorf("reading the %s: %w", name, err)
	}
	i.Boot = append(i.Boot, BootPart{name, n, fmt.Sprintf("%x", sum.Sum(nil))})
	return nil
}

// Files calls visit for everything in the root, in a folder by name, and folders before what is in them. A folder that is nested without
// an end, or more files than an image can have, is an error.
func (i *Image) Files(visit func(Entry) error) error {
	left := maxFiles
	return i.files(".", &left, visit)
}

func (i *Image) files(dir string, left *int, visit func(Entry) error) error {
	entries, err := i.root.ReadDir(dir)
	if err != nil {
		return err
	}
	for _, d := range entries {
		if *left--; *left < 0 {
			return fmt.Errorf("there are more than %d files", maxFiles)
		}
		name := path.Join(dir, d.Name())
		e, err := i.root.entry(name, d)
		if err == nil {
			err = visit(e)
		}
		if err == nil && d.IsDir() {
			err = i.files(name, left, visit)
		}
		if err != nil {
			return err
		}
	}
	return nil
}
