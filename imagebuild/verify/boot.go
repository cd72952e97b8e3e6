package verify

import (
	"bytes"
	"encoding/hex"
	"slices"
	"strings"

	"slipway/imagebuild/disk"
	"slipway/imagebuild/esp"
	"slipway/imagebuild/uki"
	"slipway/kernel"
)

const (
	loaderFile = "EFI/BOOT/BOOTX64.EFI"
	ukiFolder  = "EFI/Linux/"
)

// boot checks the EFI system partition: that it reads, and holds a boot loader and exactly one UKI,
// and that every file is as it was built.
func (c *checker) boot(p disk.Partition) {
	volume, err := esp.Read(c.section(p))
	if err != nil {
		c.find(p.Start, "esp", "%v", err)
		return
	}
	find := func(match func(string) bool) (out []esp.Entry) {
		for _, f := range volume.Files {
			if match(f.Path) {
				out = append(out, f)
			}
		}
		return out
	}
	loaders := find(func(path string) bool { return strings.EqualFold(path, loaderFile) })
	if len(loaders) != 1 {
		c.find(p.Start, "esp", "there is no %s", loaderFile)
	} else if _, err := uki.Read(loaders[0]); err != nil {
		c.find(p.Start+loaders[0].Offset, "esp", "%s: %v", loaderFile, err)
	}
	ukis := find(func(path string) bool { return strings.HasPrefix(path, ukiFolder) && strings.HasSuffix(path, ".efi") })
	if len(ukis) != 1 {
		c.find(p.Start, "esp", "%d unified kernel images in %s, want 1", len(ukis), ukiFolder)
	}
	for _, f := range ukis {
		c.uki(p.Start+f.Offset, f)
	}
	c.sums(p.Start, volume.Files)
}

// uki checks one unified kernel image at byte at of the disk.
func (c *checker) uki(at int64, f esp.Entry) {
	sections, err := uki.Read(f)
	if err != nil {
		c.find(at, "uki", "%s: %v", f.Path, err)
		return
	}
	for _, name := range []string{".osrel", ".cmdline", ".uname", ".linux", ".initrd"} {
		i := slices.IndexFunc(sections, func(s uki.Section) bool { return s.Name == name })
		if i < 0 {
			c.find(at, "uki", "%s: section %s is missing", f.Path, name)
			continue
		}
		if s := sections[i]; s.Offset+s.Size() > f.Size {
			c.find(at+s.Offset, "uki", "%s: section %s ends past the file", f.Path, name)
		} else if want := magics(name); want != nil && !startsWithOne(s, want) {
			c.find(at+s.Offset, "uki", "%s: section %s does not hold what it should", f.Path, name)
		}
	}
	c.report.Kernel, _ = uki.Text(sections, ".uname")
	c.report.Cmdline, _ = uki.Text(sections, ".cmdline")
	c.cmdline(at)
}

// magic is what a file has at an offset.
type magic struct {
	at   int
	text string
}

// magics returns the ways in which a section's content may begin, nil if there is no rule.
func magics(section string) []magic {
	switch section {
	case ".linux":
		return []magic{{0x202, "HdrS"}}
	case ".initrd": // cpio, or compressed with zstd, gzip, xz, lz4
		return []magic{{0, "070701"}, {0, "\x28\xb5\x2f\xfd"}, {0, "\x1f\x8b"}, {0, "\xfd7zXZ"}, {0, "\x02\x21\x4c\x18"}}
	}
	return nil
}

func startsWithOne(s uki.Section, want []magic) bool {
	head := make([]byte, 0x400)
	n, _ := s.ReadAt(head, 0)
	return slices.ContainsFunc(want, func(m magic) bool {
		return m.at <= n && bytes.HasPrefix(head[m.at:n], []byte(m.text))
	})
}

// cmdline takes the root hash from the kernel command line, and refuses what must not be on a constant one. An argument
// that opens a shell makes a debug image.
func (c *checker) cmdline(at int64) {
	for _, word := range strings.Fields(c.report.Cmdline) {
		key, value, _ := strings.Cut(word, "=")
		switch {
		case key == "roothash":
			c.report.RootHash = value
		case key == "root" || strings.HasPrefix(key, "ignition."):
			c.find(at, "uki", "kernel argument %q must not be on the signed command line", word)
		case isDoor(word):
			c.report.Debug = true
		}
	}
	if b, err := hex.DecodeString(c.report.RootHash); err != nil || len(b) != 32 {
		c.find(at, "uki", "kernel command line has no root hash of 64 hexadecimal digits: %q", c.report.Cmdline)
	}
}

// isDoor says whether only the spec of a debug image could have added a word.
func isDoor(word string) bool {
	for _, a := range kernel.Arguments("") {
		if word == a.Value {
			return false
		}
	}
	without, _ := kernel.RefuseArgument(word, false)
	with, _ := kernel.RefuseArgument(word, true)
	return without != "" && with == ""
}
