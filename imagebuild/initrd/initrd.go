// Package initrd makes the initial ramdisk: dracut in the tree itself, with one module of ours that mounts the verified
// root of the disk that the loader was read from, grows it, mounts state, decides whether this is a first boot and runs Ignition. Start with Build.
package initrd

import (
	"bytes"
	"context"
	"embed"
	_ "embed"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"slipway/imagebuild/overlay"
	"slipway/imagebuild/sandbox"
)

//go:embed files/dracut
var module embed.FS

//go:embed files/build.sh
var script string

const moduleDir = "/usr/lib/dracut/modules.d/90slipway"

// Input is all that shapes an initrd.
type Input struct {
	Tree     string          // root tree with dracut in it
	Kernel   string          // version, as under /usr/lib/modules
	Drivers  []string        // kernel modules to carry
	CABundle string          // the tree's, without a leading slash: Ignition may fetch a config
	Repart   []overlay.Entry // /usr/lib/repart.d
	Ignition string          // host path of the Ignition binary
	Epoch    int64           // SOURCE_DATE_EPOCH
	Sandbox  *sandbox.Sandbox
	Log      io.Writer
}

// KeyInputs are the inputs as values for a stage key; treeKey and ignitionSum stand for the files.
func (in Input) KeyInputs(treeKey, ignitionSum string) []any {
	var sums []string
	fs.WalkDir(module, ".", func(path string, d fs.DirEntry, err error) error {
		if err == nil && !d.IsDir() {
			data, _ := module.ReadFile(path)
			sums = append(sums, path, string(data))
		}
		return nil
	})
	return []any{"initrd", treeKey, ignitionSum, in.Kernel, in.Drivers, in.CABundle, overlay.Digest(in.Repart), in.Epoch, script, sums}
}

// Name of the result in the output directory.
const Name = "initrd.img"

// Build writes out/initrd.img.
func Build(ctx context.Context, in Input, out string) error {
	entries, err := moduleEntries()
	if err != nil {
		return fmt.Errorf("collecting the dracut module: %w", err)
	}
	entries = append(entries, in.Repart...)
	entries = append(entries, overlay.Entry{Path: "/usr/bin/ignition", Mode: 0o755, Host: in.Ignition})
	var adds bytes.Buffer
	if err := overlay.WriteTar(&adds, entries, in.Epoch); err != nil {
		return fmt.Errorf("collecting what the initrd adds: %w", err)
	}
	err = in.Sandbox.Run(ctx, sandbox.Script{
		Name: "building the initrd", Text: script, Stdin: &adds, Output: in.Log,
		Args: []string{in.Tree, out, in.Kernel, fmt.Sprint(in.Epoch), strings.Join(in.Drivers, " "), in.CABundle},
	})
	if err != nil {
		return err
	}
	if err := in.Sandbox.RemoveAll(ctx, filepath.Join(out, "work")); err != nil {
		return err
	}
	return checkCompression(filepath.Join(out, Name))
}

func moduleEntries() ([]overlay.Entry, error) {
	entries, err := overlay.FromFS(module, "files/dracut", moduleDir)
	for i := range entries {
		if slices.Contains(programs, filepath.Base(entries[i].Path)) {
			entries[i].Mode = 0o755
		}
	}
	return entries, err
}

// programs of the module; the other scripts are read by them.
var programs = []string{"config", "disk", "failed", "firstboot", "net", "module-setup.sh"}

// Emergency returns what the root needs of the module, for its own emergencies: the script that says what failed and
// starts the machine again.
func Emergency() ([]overlay.Entry, error) {
	var out []overlay.Entry
	for name, mode := range map[string]fs.FileMode{"console": 0o644, "failed": 0o755} {
		text, err := module.ReadFile("files/dracut/" + name)
		if err != nil {
			return nil, fmt.Errorf("collecting the emergency's scripts: %w", err)
		}
		out = append(out, overlay.Entry{Path: "/usr/lib/slipway/" + name, Mode: mode, Content: text})
	}
	slices.SortFunc(out, func(a, b overlay.Entry) int { return strings.Compare(a.Path, b.Path) })
	return out, nil
}

// checkCompression catches dracut's silent fall back to gzip when zstd is missing.
func checkCompression(path string) error {
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	defer f.Close()
	magic := make([]byte, 4)
	if _, err := io.ReadFull(f, magic); err != nil {
		return fmt.Errorf("reading the initrd: %w", err)
	}
	if !bytes.Equal(magic, []byte{0x28, 0xb5, 0x2f, 0xfd}) {
		return errors.New("building the initrd: it is not zstd-compressed; is zstd in the tree?")
	}
	return nil
}
