package pack

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"slices"

	"slipway/imagebuild/qcow2"
	"slipway/imagebuild/verify"
	"slipway/internal/finding"
	"slipway/internal/grain"
	"slipway/ova"
	"slipway/ova/vmdk"
)

// Report is what a file holds and everything that is wrong with it: first with the file, by offset, then with the disk
// inside. The latter findings have a Part that begins with "disk", and the offset on that disk.
type Report struct {
	Format Format `json:"format"`
	verify.Report
	Machine string `json:"machine,omitempty"` // of an OVA
	Signer  string `json:"signer,omitempty"`  // of an OVA with a valid signature
}

// Verify re-reads the file r of size bytes from scratch: the container, and the disk in it. An error means that r is no
// such file at all, or that ctx ended.
func Verify(ctx context.Context, r io.ReaderAt, size int64) (*Report, error) {
	report, err := examine(ctx, stoppable{ctx, r}, size)
	if ctx.Err() != nil {
		return nil, ctx.Err() // which some of the findings are about
	}
	return report, err
}

func examine(ctx context.Context, r io.ReaderAt, size int64) (*Report, error) {
	format, err := Detect(r)
	if err != nil {
		return nil, err
	}
	if format == Raw {
		if err := whole(grain.ReaderAt(r, size)); err != nil {
			return nil, inputError{err}
		}
		disk, err := verify.Raw(r, size)
		if err != nil {
			return nil, inputError{err}
		}
		return &Report{Format: Raw, Report: *disk}, nil
	}
	report := &Report{Format: format, Report: verify.Report{Size: size, Partitions: []string{}, Findings: []finding.Finding{}}}
	content, err := report.container(ctx, r, size)
	lost := errors.Is(err, errLost)
	if err != nil && !lost {
		return nil, err
	}
	slices.SortStableFunc(report.Findings, func(a, b finding.Finding) int { return cmp.Compare(a.Offset, b.Offset) })
	if lost {
		report.find(0, "disk", errLost.Error())
	}
	if content != nil {
		report.decode(ctx, content)
		report.disk(ctx, content)
	}
	return report, nil
}

// errLost ends the reading of a file after its tables: a few bytes of them could stand for any amount of disk.
var errLost = errors.New("it was not read, as the tables do not say for certain where it is")

// container checks what is around the disk and opens the disk; nil if it cannot be opened, which is a finding.
func (r *Report) container(ctx context.Context, file io.ReaderAt, size int64) (grain.Source, error) {
	switch r.Format {
	case QCOW2:
		found, err := qcow2.Check(file, size)
		if err != nil {
			return nil, inputError{err}
		}
		for _, f := range found {
			r.find(f.Offset, "qcow2", f.Text)
		}
		if slices.ContainsFunc(found, func(f finding.Finding) bool { return f.Damage }) {
			return nil, errLost
		}
	case VMDK:
		r.lint(file, size, 0)
	case OVA:
		if err := r.archive(ctx, file, size); err != nil {
			return nil, err
		}
	}
	content, err := Content(ctx, file, size)
	if err != nil {
		r.find(0, string(r.Format), err.Error())
		return nil, nil
	}
	return content, nil
}

// archive checks an OVA, and that the disk in it is as large as the descriptor says.
func (r *Report) archive(ctx context.Context, file io.ReaderAt, size int64) error {
	a, err := ova.Open(file, size)
	if err != nil {
		return inputError{err}
	}
	found, err := a.Check(ctx)
	if err != nil {
		return err
	}
	r.Machine, r.Signer = found.Name, found.Signer
	for _, f := range found.Findings {
		r.find(f.Offset, "ova", f.Text)
	}
	linted := map[string]bool{}
	for _, d := range found.Disks {
		if linted[d.File.Name] { // a descriptor may name one file a thousand times
			continue
		}
		linted[d.File.Name] = true
		content := d.File.Content()
		r.lint(content, content.Size(), d.File.Data)
		if disk, err := vmdk.Open(content, content.Size()); err == nil && disk.Size() != d.Capacity {
			r.find(d.File.Data, "ova", fmt.Sprintf("the descriptor gives %s %d bytes, the disk itself has %d", d.File.Name, d.Capacity, disk.Size()))
		}
	}
	return nil
}

// lint checks a VMDK that begins at byte base of the file.
func (r *Report) lint(file io.ReaderAt, size, base int64) {
	for _, f := range vmdk.Lint(file, size) {
		r.find(base+f.Offset, "vmdk", f.Text)
	}
}

// disk checks the disk inside.
func (r *Report) disk(ctx context.Context, content grain.Source) {
	disk, err := verify.Raw(stoppable{ctx, content}, content.Size())
	if err != nil {
		r.find(0, "disk", err.Error())
		return
	}
	found, size := r.Findings, r.Size
	for _, f := range disk.Findings {
		f.Part = "disk " + f.Part
		found = append(found, f)
	}
	r.Report, r.Size, r.Findings = *disk, size, found
}

func (r *Report) find(offset int64, part, text string) {
	r.Findings = append(r.Findings, finding.Finding{Offset: offset, Part: part, Text: text})
}
