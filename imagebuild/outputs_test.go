package imagebuild

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// press is a Packer's work in these tests: it writes what it was asked to do, and counts.
type press struct {
	runs int
	err  error
}

func (p *press) write(_ context.Context, job PackJob) (Artefact, error) {
	p.runs++
	if p.err != nil {
		return Artefact{}, p.err
	}
	job.Progress(1, 1)
	text := fmt.Sprintf("%s at %d, run %d", filepath.Base(job.Raw), job.Epoch, p.runs)
	if err := os.WriteFile(job.Out, []byte(text), 0o644); err != nil {
		return Artefact{}, err
	}
	return describe(job.Out, "qcow2")
}

// packing is a builder whose disk is finished.
func packing(t *testing.T, p *press) (*builder, Artefact) {
	t.Helper()
	b := testBuilder(t, func(o *Options) { o.Packers = map[string]Packer{"qcow2": {Key: "one", Write: p.write}} })
	b.lock = &Lock{Epoch: 1_780_000_000}
	b.plan.Outputs = []string{"raw", "qcow2"}
	return b, Artefact{Kind: RawOutput, Path: filepath.Join(b.opt.Out, "single.raw"), Size: 4, SHA256: "00"}
}

func TestPackersRunWhenSomethingChanged(t *testing.T) {
	p := &press{}
	b, disk := packing(t, p)
	out := filepath.Join(b.opt.Out, "single.qcow2")
	for _, step := range []struct {
		name   string
		change func() error
		runs   int
	}{
		{"the first time", func() error { return nil }, 1},
		{"nothing changed", func() error { return nil }, 1},
		{"another disk", func() error { disk.SHA256 = "11"; return nil }, 2},
		{"another machine", func() error {
			b.opt.Packers["qcow2"] = Packer{Key: "two", Write: p.write}
			return nil
		}, 3},
		{"another time in the lock", func() error { b.lock.Epoch++; return nil }, 4},
		{"nothing changed again", func() error { return nil }, 4},
		{"somebody wrote to it", func() error { return os.Chtimes(out, time.Unix(1, 0), time.Unix(1, 0)) }, 5},
		{"somebody removed it", func() error { return os.Remove(out) }, 6},
		{"the record is damaged", func() error {
			return os.WriteFile(filepath.Join(b.opt.Out, ".single.qcow2.json"), []byte("{"), 0o644)
		}, 7},
	} {
		if err := step.change(); err != nil {
			t.Fatal(err)
		}
		before := len(b.rec.Steps)
		all, err := b.pack(t.Context(), disk)
		if err != nil || len(all) != 2 || all[0] != disk {
			t.Fatalf("%s: %+v %v", step.name, all, err)
		}
		want := Artefact{Kind: "qcow2", Path: out, Size: int64(len(text(t, out))), SHA256: all[1].SHA256}
		if p.runs != step.runs || all[1] != want || len(want.SHA256) != 64 {
			t.Errorf("%s: run %d, want %d; %+v", step.name, p.runs, step.runs, all[1])
		}
		if s := b.rec.Steps[before:]; len(s) != 1 || s[0].Step != "qcow2" || s[0].Cached != strings.HasPrefix(step.name, "nothing") {
			t.Errorf("%s: steps %+v", step.name, s)
		}
	}
	if got := text(t, out); got != "single.raw at 1780000001, run 7" {
		t.Errorf("the job was %q", got)
	}
}

func TestPackerFails(t *testing.T) {
	p := &press{err: errors.New("no space left")}
	b, disk := packing(t, p)
	if _, err := b.pack(t.Context(), disk); !errors.Is(err, p.err) {
		t.Errorf("got %v", err)
	}
	p.err = nil
	if _, err := b.pack(t.Context(), disk); err != nil || p.runs != 2 {
		t.Errorf("after a failure: run %d, %v", p.runs, err)
	}
	b.plan.Outputs = []string{"raw", "floppy"}
	var coded interface{ ExitCode() int }
	if _, err := b.pack(t.Context(), disk); err == nil || !strings.Contains(err.Error(), `nobody writes "floppy"`) || !errors.As(err, &coded) || coded.ExitCode() != 2 {
		t.Errorf("got %v", err)
	}
	b.plan.Outputs = []string{"raw"}
	if all, err := b.pack(t.Context(), disk); err != nil || len(all) != 1 {
		t.Errorf("raw alone: %+v %v", all, err)
	}
}
