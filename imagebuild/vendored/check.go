package vendored

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"

	"slipway/internal/durable"
)

// Problem is what is wrong with one file.
type Problem struct {
	File    string `json:"file"`
	Problem string `json:"problem"`
}

func (p Problem) String() string { return p.File + ": " + p.Problem }

// Report is what a folder holds and what is wrong with it.
type Report struct {
	Dir      string    `json:"folder"`
	SHA256   string    `json:"sha256"` // of the index, and so of all
	Cluster  string    `json:"cluster"`
	Go       string    `json:"go"`
	Files    int       `json:"files"`
	Bytes    int64     `json:"bytes"`
	Problems []Problem `json:"problems"`
}

// Check reads every file of a folder. What the index does not name is a problem, too: nothing vouches for it.
func Check(ctx context.Context, dir string) (*Report, error) {
	f, err := Open(dir)
	if err != nil {
		return nil, err
	}
	r := &Report{Dir: dir, SHA256: f.Digest, Cluster: f.Index.Cluster, Go: f.Index.Toolchain.Version, Files: len(f.Index.Files), Problems: []Problem{}}
	for _, file := range f.Index.Files {
		r.Bytes += file.Size
	}
	found, err := f.damaged(ctx, f.Index.Files)
	if err != nil {
		return nil, err
	}
	unnamed, err := f.unnamed()
	r.Problems = append(append(r.Problems, found...), unnamed...)
	return r, err
}

// missing looks at names and sizes alone.
func (f *Folder) missing() []Problem {
	var out []Problem
	for _, file := range f.Index.Files {
		if p := f.look(file); p != "" {
			out = append(out, Problem{file.String(), p})
		}
	}
	return out
}

// look is what can be told of a file without reading it: "" if nothing is wrong.
func (f *Folder) look(file File) string {
	st, err := os.Lstat(f.path(file.Path))
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return "is missing"
	case err != nil:
		return err.Error()
	case !st.Mode().IsRegular():
		return "is no file"
	case st.Size() != file.Size:
		return fmt.Sprintf("has %d bytes instead of %d", st.Size(), file.Size)
	}
	return ""
}

// damaged reads files, several at a time.
func (f *Folder) damaged(ctx context.Context, files []File) ([]Problem, error) {
	found := make([]string, len(files))
	var wg sync.WaitGroup
	slots := make(chan struct{}, runtime.GOMAXPROCS(0))
	for i, file := range files {
		slots <- struct{}{}
		wg.Go(func() {
			defer func() { <-slots }()
			if ctx.Err() == nil {
				found[i] = f.read(file)
			}
		})
	}
	wg.Wait()
	var out []Problem
	for i, p := range found {
		if p != "" {
			out = append(out, Problem{files[i].String(), p})
		}
	}
	return out, ctx.Err()
}

func (f *Folder) read(file File) string {
	if p := f.look(file); p != "" {
		return p
	}
	sum, err := durable.Digest(f.path(file.Path))
	switch {
	case err != nil:
		return err.Error()
	case sum != file.SHA256:
		return fmt.Sprintf("is damaged: sha256 %s instead of %s", sum, file.SHA256)
	}
	return ""
}

// unnamed are files that the index does not name.
func (f *Folder) unnamed() ([]Problem, error) {
	var out []Problem
	err := filepath.WalkDir(f.Dir, func(name string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		rel, err := filepath.Rel(f.Dir, name)
		if err == nil && rel != IndexName && !f.Has(filepath.ToSlash(rel)) {
			out = append(out, Problem{filepath.ToSlash(rel), "is not named in " + IndexName})
		}
		return err
	})
	return out, err
}

// DamageError: files of the folder are missing or not what they were.
type DamageError struct {
	Dir      string
	Problems []Problem
}

// shown is how many files an error names.
const shown = 20

func (e *DamageError) Error() string {
	var lines []string
	for _, p := range e.Problems[:min(shown, len(e.Problems))] {
		lines = append(lines, p.String())
	}
	if more := len(e.Problems) - shown; more > 0 {
		lines = append(lines, fmt.Sprintf("and %d more", more))
	}
	return fmt.Sprintf("reading the vendor folder %q:\n  %s\nhint: carry these files here again, or run slipway vendor again where there is a network: it replaces only what is missing or damaged",
		e.Dir, strings.Join(lines, "\n  "))
}

// ExitCode makes it wrong input.
func (*DamageError) ExitCode() int { return 2 }

// refuse makes an error of problems, if there are any.
func (f *Folder) refuse(problems []Problem, err error) error {
	if err != nil || len(problems) == 0 {
		return err
	}
	return &DamageError{Dir: f.Dir, Problems: slices.Clone(problems)}
}
