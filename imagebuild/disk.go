package imagebuild

import (
	"context"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"time"

	"slipway/imagebuild/disk"
	"slipway/imagebuild/esp"
	"slipway/imagebuild/stage"
	"slipway/imagebuild/uki"
	"slipway/kernel"
)

// diskRecord lies beside a disk and says what it was made from, so that an unchanged one is not written again.
type diskRecord struct {
	Key      string    `json:"key"`
	ModTime  time.Time `json:"modTime"`
	Artefact Artefact  `json:"artefact"`
}

// writeDisk puts boot loader, UKI, root and hash tree onto a GPT disk.
func (b *builder) writeDisk(ctx context.Context) (Artefact, error) {
	b.rec.begin("disk")
	path := filepath.Join(b.opt.Out, b.plan.Name+".raw")
	record := filepath.Join(b.opt.Out, "."+b.plan.Name+".raw.json")
	cmdline, err := kernel.Cmdline(RootFS, b.root.hash(), b.plan.Cmdline, b.plan.Debug)
	if err != nil {
		return Artefact{}, inputError{err}
	}
	key := b.diskKey(cmdline)
	if a, ok := unchanged(record, path, key); ok {
		b.rec.end("disk", path, true)
		return a, nil
	}
	if err := b.assemble(ctx, path, cmdline); err != nil {
		return Artefact{}, stage.Friendly(err)
	}
	a, err := describe(path, RawOutput)
	if err != nil {
		return Artefact{}, err
	}
	if err := writeRecord(record, key, a); err != nil {
		return Artefact{}, err
	}
	b.rec.end("disk", path, false)
	return a, nil
}

// assemble writes the disk under a temporary name; disk.Write gives it its own when it is whole.
func (b *builder) assemble(ctx context.Context, path, cmdline string) error {
	plan, err := disk.NewPlan(disk.Layout{
		ESP: b.plan.Layout.ESP, Root: b.plan.Layout.Root, Verity: b.plan.Layout.Verity, RootHash: b.root.digest, Seed: b.root.hash(),
	})
	if err != nil {
		return err
	}
	boot, err := b.bootFiles(cmdline)
	if err != nil {
		return err
	}
	var open []io.Closer
	defer func() {
		for _, f := range open {
			f.Close()
		}
	}()
	copyOf := func(path string) (disk.Source, error) {
		f, err := os.Open(path)
		if err != nil {
			return nil, err
		}
		open = append(open, f)
		st, err := f.Stat()
		if err != nil {
			return nil, err
		}
		return disk.Copy(f, st.Size()), nil
	}
	root, err := copyOf(b.root.data)
	if err != nil {
		return err
	}
	tree, err := copyOf(b.root.tree)
	if err != nil {
		return err
	}
	opt := esp.Options{Size: b.plan.Layout.ESP, Label: "ESP", VolumeID: volumeID(b.root.digest), Time: time.Unix(b.lock.Epoch, 0)}
	return disk.Write(ctx, path, plan, map[string]disk.Source{
		disk.ESP:     func(w io.WriterAt) error { return esp.Write(w, opt, boot) },
		disk.RootA:   root,
		disk.VerityA: tree,
	})
}

// bootFiles are the ESP's: systemd-boot, its configuration, their digests and the UKI, named so that systemd-boot can count boots.
func (b *builder) bootFiles(cmdline string) ([]esp.File, error) {
	facts := b.plan.Distro.Facts()
	parts := uki.Parts{Cmdline: cmdline, Uname: b.kernel}
	for _, in := range []struct {
		to   *[]byte
		path string
	}{
		{&parts.Stub, filepath.Join(b.tree, facts.Stub)},
		{&parts.OSRelease, filepath.Join(b.tree, "usr/lib/os-release")},
		{&parts.Kernel, filepath.Join(b.tree, facts.KernelImage(b.kernel))},
		{&parts.Initrd, b.initrd},
	} {
		data, err := os.ReadFile(in.path)
		if err != nil {
			return nil, fmt.Errorf("reading a part of the UKI: %w", err)
		}
		*in.to = data
	}
	loader, err := os.ReadFile(filepath.Join(b.tree, facts.BootLoader))
	if err != nil {
		return nil, fmt.Errorf("reading the boot loader: %w", err)
	}
	var image memory
	if _, err := uki.Write(&image, parts); err != nil {
		return nil, err
	}
	files := []esp.File{
		{Path: "EFI/BOOT/BOOTX64.EFI", Data: memory(loader), Size: int64(len(loader))},
		{Path: "EFI/Linux/slipway-" + b.root.hash()[:16] + ".efi", Data: image, Size: int64(len(image))},
		{Path: "loader/loader.conf", Data: memory(loaderConf), Size: int64(len(loaderConf))},
	}
	sums, err := esp.Sums(files)
	return append(files, sums), err
}

const loaderConf = "timeout 0\neditor no\n"

// memory is bytes that can be written to their end and read from anywhere.
type memory []byte

func (m *memory) Write(p []byte) (int, error) {
	*m = append(*m, p...)
	return len(p), nil
}

func (m memory) ReadAt(p []byte, off int64) (int, error) {
	if off >= int64(len(m)) {
		return 0, io.EOF
	}
	n := copy(p, m[off:])
	if n < len(p) {
		return n, io.EOF
	}
	return n, nil
}

func volumeID(digest [32]byte) uint32 {
	return uint32(digest[0])<<24 | uint32(digest[1])<<16 | uint32(digest[2])<<8 | uint32(digest[3])
}

// unchanged tells whether the artefact is still the one that the record describes.
func unchanged(record, path, key string) (Artefact, bool) {
	var r diskRecord
	data, err := os.ReadFile(record)
	if err != nil || json.Unmarshal(data, &r) != nil || r.Key != key {
		return Artefact{}, false
	}
	st, err := os.Stat(path)
	r.Artefact.Path = path
	return r.Artefact, err == nil && st.Size() == r.Artefact.Size && st.ModTime().Equal(r.ModTime)
}

func writeRecord(record, key string, a Artefact) error {
	st, err := os.Stat(a.Path)
	if err != nil {
		return err
	}
	data, err := json.Marshal(diskRecord{Key: key, ModTime: st.ModTime(), Artefact: a})
	if err != nil {
		return err
	}
	return os.WriteFile(record, data, 0o644)
}

// describe reads the finished artefact once for its digest.
func describe(path, kind string) (Artefact, error) {
	f, err := os.Open(path)
	if err != nil {
		return Artefact{}, err
	}
	defer f.Close()
	sum := sha256.New()
	n, err := io.Copy(sum, f)
	if err != nil {
		return Artefact{}, fmt.Errorf("reading %s back: %w", path, err)
	}
	return Artefact{Kind: kind, Path: path, Size: n, SHA256: fmt.Sprintf("%x", sum.Sum(nil))}, nil
}
