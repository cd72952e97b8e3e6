//go:build fleet

package fleet_test

import (
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"slipway/internal/testtool"
)

// image is the one that all fleets run: its root, mounted, and its Ignition.
type image struct {
	bin      string // folder of the binaries
	dir      string // work folder
	root     string // folder
	ignition string // program
}

// theImage is opened once, in the fleet's own namespaces.
var theImage = sync.OnceValues(func() (*image, error) {
	im, err := newImage()
	if err != nil {
		return nil, err
	}
	return im, im.open(filepath.Join(im.out(), "fleet.raw"))
})

func newImage() (*image, error) {
	bin, err := testtool.Folder("SLIPWAY_BIN", "../../bin")
	if err != nil {
		return nil, err
	}
	dir, err := testtool.Folder("SLIPWAY_TEST_DIR", "../../out/test")
	if err != nil {
		return nil, err
	}
	return &image{bin: bin, dir: filepath.Join(dir, "fleet"), root: "/run/image", ignition: "/run/ignition-apply"}, nil
}

func (im *image) out() string     { return filepath.Join(im.dir, "image") }
func (im *image) slipway() string { return filepath.Join(im.bin, "slipway") }
func (im *image) kubectl() string { return filepath.Join(im.out(), "kubectl") }

// build makes the image, which needs the network, and so is done before the fleet's own namespaces.
func (im *image) build() error {
	if err := os.MkdirAll(im.out(), 0o755); err != nil {
		return err
	}
	spec := filepath.Join(im.dir, "image.yaml")
	if err := copyFile("testdata/image.yaml", spec); err != nil {
		return err
	}
	build := exec.Command(im.slipway(), "build", "-f", spec, "-o", im.out())
	build.Stdout, build.Stderr = os.Stderr, os.Stderr // takes minutes at first: show that it goes on
	if err := build.Run(); err != nil {
		return fmt.Errorf("building the fleet's image: %w", err)
	}
	return nil
}

// open mounts the root of a disk.
func (im *image) open(disk string) error {
	offsets, err := partitions(disk)
	if err != nil {
		return err
	}
	if err := os.MkdirAll(im.root, 0o755); err != nil {
		return err
	}
	if err := command("mount", "-t", "squashfs", "-o", fmt.Sprintf("ro,loop,offset=%d", offsets["root-a"]), disk, im.root); err != nil {
		return err
	}
	// By this name it applies a config to a root that is no machine's.
	return os.Symlink(filepath.Join(im.root, "usr/bin/ignition"), im.ignition)
}

// partitions are the byte offsets of a disk's partitions by name, as sfdisk reads them.
func partitions(disk string) (map[string]int64, error) {
	out, err := exec.Command("sfdisk", "--json", disk).Output()
	if err != nil {
		return nil, fmt.Errorf("reading the partitions of %s: %w", disk, err)
	}
	var doc struct {
		PartitionTable struct {
			SectorSize int64
			Partitions []struct {
				Name  string
				Start int64
			}
		}
	}
	if err := json.Unmarshal(out, &doc); err != nil {
		return nil, err
	}
	found := map[string]int64{}
	for _, p := range doc.PartitionTable.Partitions {
		found[p.Name] = p.Start * max(doc.PartitionTable.SectorSize, 512)
	}
	return found, nil
}

func copyFile(from, to string) error {
	data, err := os.ReadFile(from)
	if err != nil {
		return err
	}
	return os.WriteFile(to, data, 0o644)
}

// command runs a program that must succeed.
func command(name string, args ...string) error {
	if out, err := exec.Command(name, args...).CombinedOutput(); err != nil {
		return fmt.Errorf("%s %s: %w\n%s", name, strings.Join(args, " "), err, out)
	}
	return nil
}

func must(t *testing.T, name string, args ...string) {
	t.Helper()
	if err := command(name, args...); err != nil {
		t.Fatal(err)
	}
}
