package centos

import (
	"context"
	"crypto/sha256"
	_ "embed"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"

	"slipway/imagebuild/distro"
	"slipway/imagebuild/sandbox"
)

//go:embed files/unpack.sh
var unpackScript string

// excluded paths leave the tree: what a person reads elsewhere, and drivers that no server has.
var excluded = []string{
	"usr/share/man", "usr/share/info", "usr/share/locale", "usr/share/doc",
	"usr/lib/modules/*/kernel/drivers/gpu", "usr/lib/modules/*/kernel/drivers/media",
	"usr/lib/modules/*/kernel/drivers/net/wireless", "usr/lib/modules/*/kernel/drivers/bluetooth",
	"usr/lib/modules/*/kernel/drivers/iio", "usr/lib/modules/*/kernel/drivers/comedi",
	"usr/lib/modules/*/kernel/drivers/w1", "usr/lib/modules/*/kernel/drivers/staging",
	"usr/lib/modules/*/kernel/sound", "usr/lib/modules/*/kernel/net/wireless",
	"usr/lib/modules/*/kernel/net/mac80211", "usr/lib/modules/*/kernel/net/bluetooth",
}

// TreeKey is the content key of a tree: everything that shapes it.
func (Driver) TreeKey(req distro.Request, pkgs []distro.Package, epoch int64) string {
	sum := sha256.New()
	enc := json.NewEncoder(sum)
	for _, v := range []any{unpackScript, req, excluded, epoch} {
		enc.Encode(v)
	}
	for _, p := range pkgs {
		enc.Encode(p.SHA256)
	}
	return fmt.Sprintf("%x", sum.Sum(nil)[:16])
}

// Unpack makes the tree by rpm. Digests were checked against the lock, and signatures when it was made.
func (Driver) Unpack(ctx context.Context, in distro.UnpackInput) error {
	repo := filepath.Join(in.Work, "packages")
	if err := linkPackages(repo, in.Packages, in.Fetcher); err != nil {
		return fmt.Errorf("collecting packages: %w", err)
	}
	return in.Sandbox.Run(ctx, sandbox.Script{
		Name: "unpacking packages", Text: unpackScript, Output: in.Log,
		Args: []string{repo, in.Dest, fmt.Sprint(in.Epoch), database, strings.Join(excluded, " ")},
	})
}

// linkPackages puts packages of the pool into a folder, by names that a person can read.
func linkPackages(dir string, pkgs []distro.Package, f distro.Fetcher) error {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	for _, p := range pkgs {
		if err := linkOrCopy(f.PoolFile(p), filepath.Join(dir, fmt.Sprintf("%s-%.8s%s", p.Name, p.SHA256, suffix))); err != nil {
			return err
		}
	}
	return nil
}

func linkOrCopy(from, to string) error {
	if err := os.Link(from, to); err == nil || os.IsExist(err) {
		return nil
	}
	return copyFile(from, to)
}

func copyFile(from, to string) error {
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
