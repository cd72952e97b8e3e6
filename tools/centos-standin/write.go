package main

import (
	"cmp"
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"slipway/internal/testyum"
)

// standIn makes OUT.
func standIn(ctx context.Context, tree, out string, now time.Time) error {
	s, err := newShape(tree, now)
	if err != nil {
		return err
	}
	for _, step := range []func() error{s.streamFiles, s.kernel} {
		if err := step(); err != nil {
			return err
		}
	}
	s.relations()
	key, err := testyum.NewKey("Slipway's stand-in for CentOS", now)
	if err != nil {
		return err
	}
	for _, p := range s.sorted() {
		if err := p.Write(filepath.Join(out, cmp.Or(repositories[p.Name], baseos), "Packages"), key); err != nil {
			return err
		}
	}
	for _, repo := range []string{baseos, appstream, crb, epel, elrepo, docker} {
		if err := testyum.Index(ctx, filepath.Join(out, repo), key, now); err != nil {
			return err
		}
	}
	if err := os.WriteFile(filepath.Join(out, keyFile), key.Public, 0o644); err != nil {
		return err
	}
	if err := os.WriteFile(filepath.Join(out, "fingerprint"), []byte(key.Fingerprint+"\n"), 0o644); err != nil {
		return err
	}
	whole, err := filepath.Abs(out)
	if err != nil {
		return err
	}
	return writeImageSection(out, "file://"+whole)
}

const keyFile = "archive.asc"

// writeImageSection writes what a spec says to build from the stand-in at a URL.
func writeImageSection(out, url string) error {
	fingerprint, err := os.ReadFile(filepath.Join(out, "fingerprint"))
	if err != nil {
		return fmt.Errorf("reading the stand-in: %w", err)
	}
	text := fmt.Sprintf(`image:
  distro: centos
  release: "10"
  mirror: URL/centos
  mirrors:
    epel: URL/%s
    elrepo-kernel: URL/%s
    docker-ce-stable: URL/%s
  keys:
    - file: %s
      fingerprint: %s
`, epel, elrepo, docker, keyFile, strings.TrimSpace(string(fingerprint)))
	return os.WriteFile(filepath.Join(out, "image.yaml"), []byte(strings.ReplaceAll(text, "URL", url)), 0o644)
}
