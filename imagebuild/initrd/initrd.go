// Package initrd packs the initial ramdisk: slipway-init, and the kernel modules that it needs before the verified root is
// there, with their tables. Start with Build. What it does on the machine is in slipway/initrd.
package initrd

import (
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"strings"

	"slipway/imagebuild/kmod"
	"slipway/initrd/modules"
)

// Input is all that shapes an initrd.
type Input struct {
	Modules string   // folder of the kernel's modules and their tables
	Drivers []string // kernel modules to carry, with what they need
	Init    string   // host path of slipway-init
	InitSum string   // its digest
	Epoch   int64    // SOURCE_DATE_EPOCH
}

// KeyInputs are the inputs as values for a stage key; treeKey and kernel stand for the modules' folder.
func (in Input) KeyInputs(treeKey, kernel string) []any {
	return []any{"initrd", treeKey, kernel, in.InitSum, in.Drivers, in.Epoch}
}

// Name of the result in the output directory.
const Name = "initrd.img"

// modulesDir is where slipway-init looks for modules.
const modulesDir = "modules"

// Build writes out/initrd.img.
func Build(in Input, out string) error {
	files, err := in.collect()
	if err != nil {
		return fmt.Errorf("packing the initrd: %w", err)
	}
	f, err := os.Create(filepath.Join(out, Name))
	if err != nil {
		return fmt.Errorf("packing the initrd: %w", err)
	}
	defer f.Close()
	if err := writeArchive(f, files, in.Epoch); err != nil {
		return fmt.Errorf("packing the initrd: %w", err)
	}
	return f.Close()
}

// collect reads everything that the archive holds. Modules are unpacked: the archive is compressed as a whole, and better.
func (in Input) collect() ([]file, error) {
	init, err := os.ReadFile(in.Init)
	if err != nil {
		return nil, err
	}
	tree := os.DirFS(in.Modules)
	tables, err := modules.Read(tree)
	if err != nil {
		return nil, err
	}
	for _, name := range in.Drivers {
		if !tables.Known(name) {
			return nil, fmt.Errorf("the kernel has no module %q", name)
		}
	}
	kernel, err := kmod.Index(tree)
	if err != nil {
		return nil, err
	}
	files := []file{{name: "init", mode: 0o755, data: init}}
	carried := tables.Closure(in.Drivers)
	for _, m := range carried {
		data, err := kernel.Unpacked(tables.File(m))
		if err != nil {
			return nil, err
		}
		files = append(files, file{name: path.Join(modulesDir, unpackedName(tables.File(m))), mode: 0o644, data: data})
	}
	for name, text := range tables.Subset(carried, unpackedName) {
		files = append(files, file{name: path.Join(modulesDir, name), mode: 0o644, data: []byte(text)})
	}
	return files, nil
}

// unpackedName is a module's name without that of its compression.
func unpackedName(file string) string {
	before, _, _ := strings.Cut(path.Base(file), ".ko")
	return path.Join(path.Dir(file), before+".ko")
}

// file is one regular file of the archive; folders are made for it.
type file struct {
	name string // without a leading slash
	mode fs.FileMode
	data []byte
}
