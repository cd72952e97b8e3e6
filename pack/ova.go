package pack

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"

	"slipway/internal/grain"
	"slipway/ova"
	"slipway/ova/vmdk"
)

// ovaWriter refuses a machine that cannot be described: packing its disk first would take a while.
func ovaWriter(size int64, o Options) (writeFunc, error) {
	machine := o.Machine
	machine.Disks = []ova.Disk{{
		File: machine.Name + "-disk1.vmdk", Capacity: vmdk.Capacity(size), Size: 1,
		Open: func() (io.ReadCloser, error) { return nil, errors.New("the disk is not there yet") },
	}}
	if _, err := machine.Descriptor(); err != nil {
		return nil, inputError{err}
	}
	return func(ctx context.Context, w *os.File, src grain.Source) (int64, error) {
		return writeOVA(ctx, w, src, machine, o.Workers)
	}, nil
}

// writeOVA makes a file of the disk first: the archive begins with the disk's size and digest. That file has no name any
// more when it gets its content, so that nothing stays of it, however this ends.
func writeOVA(ctx context.Context, w *os.File, src grain.Source, machine ova.Package, workers int) (int64, error) {
	file, err := claim(w.Name() + ".vmdk")
	if err != nil {
		return 0, err
	}
	defer file.Close()
	if err := os.Remove(file.Name()); err != nil {
		return 0, fmt.Errorf("hiding the disk: %w", err)
	}
	info, err := vmdk.Write(ctx, file, src, vmdk.Options{Workers: workers})
	if err != nil {
		return 0, err
	}
	_, sum, err := digest(ctx, file)
	if err != nil {
		return 0, err
	}
	machine.Disks = []ova.Disk{{
		File: machine.Disks[0].File, Capacity: info.Capacity, Size: info.Size, SHA256: sum,
		Open: func() (io.ReadCloser, error) { return io.NopCloser(io.NewSectionReader(file, 0, info.Size)), nil },
	}}
	return info.Capacity, ova.Write(ctx, w, machine)
}
