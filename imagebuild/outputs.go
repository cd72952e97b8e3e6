package imagebuild

import (
	"context"
	"fmt"
	"path/filepath"
)

// RawOutput is the disk itself; every other output is made of it.
const RawOutput = "raw"

// Packer makes another format of the finished disk.
type Packer struct {
	Key   string // of everything but the disk that its result depends on
	Write func(ctx context.Context, job PackJob) (Artefact, error)
}

// PackJob is one disk to pack.
type PackJob struct {
	Raw, Out string
	Epoch    int64 // the time in the result, seconds since 1970
	Progress func(done, total int64)
}

// pack makes the outputs of the plan, the disk first.
func (b *builder) pack(ctx context.Context, disk Artefact) ([]Artefact, error) {
	all := []Artefact{disk}
	for _, kind := range b.plan.Outputs {
		if kind == RawOutput {
			continue
		}
		a, err := b.packOne(ctx, kind, disk)
		if err != nil {
			return nil, err
		}
		all = append(all, a)
	}
	return all, nil
}

func (b *builder) packOne(ctx context.Context, kind string, disk Artefact) (Artefact, error) {
	p, ok := b.opt.Packers[kind]
	if !ok {
		return Artefact{}, inputError{fmt.Errorf("packing the disk: nobody writes %q", kind)}
	}
	b.rec.begin(kind)
	path := filepath.Join(b.opt.Out, b.plan.Name+"."+kind)
	record := filepath.Join(b.opt.Out, "."+b.plan.Name+"."+kind+".json")
	key := b.packKey(kind, p, disk)
	if a, ok := unchanged(record, path, key); ok {
		b.rec.end(kind, path, true)
		return a, nil
	}
	a, err := p.Write(ctx, PackJob{Raw: disk.Path, Out: path, Epoch: b.lock.Epoch, Progress: b.opt.Progress.Bytes})
	if err != nil {
		return Artefact{}, err
	}
	if err := writeRecord(record, key, a); err != nil {
		return Artefact{}, err
	}
	b.rec.end(kind, path, false)
	return a, nil
}
