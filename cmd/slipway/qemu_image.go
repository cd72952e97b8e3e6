package main

import (
	"context"
	"fmt"
	"io"
	"path/filepath"

	"slipway/imagebuild/disk"
	"slipway/ova"
	"slipway/pack"
	"slipway/qemu"
)

// qemuImage finds the disk in a file of any format, for QEMU to read in place.
func qemuImage(ctx context.Context, name string) (string, qemu.Inside, error) {
	path, err := filepath.Abs(name)
	if err != nil {
		return "", qemu.Inside{}, fmt.Errorf("finding the image: %w", err)
	}
	f, size, err := pack.Open(path)
	if err != nil {
		return "", qemu.Inside{}, err
	}
	defer f.Close()
	inside, err := insideOf(ctx, f, size)
	if err != nil {
		return "", inside, usageError{fmt.Errorf("looking into image %q: %w", path, err)}
	}
	return path, inside, nil
}

func insideOf(ctx context.Context, f io.ReaderAt, size int64) (in qemu.Inside, err error) {
	format, err := pack.Detect(f)
	if err != nil {
		return in, err
	}
	in.Format = string(format)
	if format == pack.OVA {
		in.Format = string(pack.VMDK)
		if in.Part, err = diskInside(f, size); err != nil {
			return in, err
		}
	}
	content, err := pack.Content(ctx, f, size)
	if err != nil {
		return in, err
	}
	table, _, err := disk.ReadTable(content, content.Size())
	if err != nil {
		return in, err
	}
	for _, p := range table.Partitions {
		if p.Type.String() == disk.TypeESP {
			in.ESP = qemu.Extent{Offset: p.Start, Size: p.Size}
		}
	}
	return in, nil
}

// diskInside finds the VMDK in an OVA.
func diskInside(f io.ReaderAt, size int64) (qemu.Extent, error) {
	archive, err := ova.Open(f, size)
	if err != nil {
		return qemu.Extent{}, err
	}
	for _, m := range archive.Members {
		if filepath.Ext(m.Name) == ".vmdk" {
			return qemu.Extent{Offset: m.Data, Size: m.Size}, nil
		}
	}
	return qemu.Extent{}, fmt.Errorf("there is no disk in the archive")
}
