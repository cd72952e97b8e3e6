package debian

import (
	"context"
	"crypto/sha256"
	_ "embed"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"

	"slipway/imagebuild/distro"
	"slipway/imagebuild/sandbox"
)

// parallelReads are the archives that are looked into at once.
const parallelReads = 8

//go:embed files/unpack.sh
var unpackScript string

// TreeKey is the content key of a tree: everything that shapes it.
func (Driver) TreeKey(req distro.Request, pkgs []distro.Package, epoch int64) string {
	sum := sha256.New()
	enc := json.NewEncoder(sum)
	for _, v := range []any{unpackScript, req, excluded, included, epoch} {
		enc.Encode(v)
	}
	for _, p := range pkgs {
		enc.Encode(p.SHA256)
	}
	return fmt.Sprintf("%x", sum.Sum(nil)[:16])
}

// Unpack makes the tree by mmdebstrap.
func (Driver) Unpack(ctx context.Context, in distro.UnpackInput) error {
	repo := filepath.Join(in.Work, "repo")
	if err := writeRepo(ctx, repo, in.Request, in.Packages, in.Fetcher, in.Epoch); err != nil {
		return fmt.Errorf("writing the package repository: %w", err)
	}
	kernel, _, _ := strings.Cut(in.Request.Kernel, "/")
	want := append(slices.Clone(in.Request.Packages), kernel)
	args := []string{repo, in.Dest, in.Request.Release, strings.Join(want, ","), fmt.Sprint(in.Epoch)}
	for _, p := range excluded {
		args = append(args, "--dpkgopt=path-exclude="+p)
	}
	for _, p := range included {
		args = append(args, "--dpkgopt=path-include="+p)
	}
	return in.Sandbox.Run(ctx, sandbox.Script{Name: "unpacking packages", Text: unpackScript, Args: args, Output: in.Log})
}

// writeRepo lays out a flat repository of links into the pool, with the indexes that apt wants.
func writeRepo(ctx context.Context, dir string, req distro.Request, pkgs []distro.Package, f distro.Fetcher, epoch int64) error {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	stanzas, err := controlFields(ctx, pkgs, f)
	if err != nil {
		return err
	}
	var index strings.Builder
	for i, p := range pkgs {
		name := p.SHA256 + suffix
		if err := linkOrCopy(f.PoolFile(p), filepath.Join(dir, name)); err != nil {
			return err
		}
		fmt.Fprintf(&index, "%sFilename: ./%s\nSize: %d\nSHA256: %s\n\n", stanzas[i], name, p.Size, p.SHA256)
	}
	own, err := writeStandIn(dir, req.Architecture, epoch)
	if err != nil {
		return err
	}
	index.WriteString(own)
	text := index.String()
	date := time.Unix(epoch, 0).UTC().Format(time.RFC1123)
	head := fmt.Sprintf("Origin: slipway\nSuite: %s\nCodename: %s\nDate: %s\nArchitectures: %s all\nComponents: main\nSHA256:\n %x %d Packages\n",
		req.Release, req.Release, date, req.Architecture, sha256.Sum256([]byte(text)), len(text))
	if err := os.WriteFile(filepath.Join(dir, "Packages"), []byte(text), 0o644); err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(dir, "Release"), []byte(head), 0o644)
}

// controlFields reads the control paragraph of every archive itself: a lock needs no copy of the indexes.
func controlFields(ctx context.Context, pkgs []distro.Package, f distro.Fetcher) ([]string, error) {
	out := make([]string, len(pkgs))
	errs := make([]error, len(pkgs))
	var wg sync.WaitGroup
	slots := make(chan struct{}, parallelReads)
	for i, p := range pkgs {
		slots <- struct{}{}
		wg.Go(func() {
			defer func() { <-slots }()
			text, err := exec.CommandContext(ctx, "dpkg-deb", "--field", f.PoolFile(p)).Output()
			if err != nil {
				errs[i] = fmt.Errorf("reading the control fields of %s: %w", p.Name, err)
			}
			out[i] = string(text)
		})
	}
	wg.Wait()
	return out, errors.Join(errs...)
}

func linkOrCopy(from, to string) error {
	if err := os.Link(from, to); err == nil || os.IsExist(err) {
		return nil
	}
	src, err := os.Open(from)
	if err != nil {
		return err
	}
	defer src.Close()
	dst, err := os.Create(to)
	if err != nil {
		return err
	}
	if _, err := io.Copy(dst, src); err != nil {
		dst.Close()
		return err
	}
	return dst.Close()
}
