// Package kmod answers, from files alone, whether a kernel has what a profile asks of it: modules, by depmod's
// indexes, and sysctl keys, by the names compiled into the kernel and its modules.
//
// Start with [Open] and [Kernel.Check]. The package loads nothing and does not look at the running kernel.
//
// Formats: modules.dep(5), and the kernel's Documentation/arch/x86/boot.rst for the bzImage header.
package kmod

import (
	"bufio"
	"fmt"
	"io/fs"
	"os"
	"path"
	"strings"
)

// Kernel is one kernel of a root tree.
type Kernel struct {
	tree    fs.FS             // /usr/lib/modules/<release> of the tree
	image   string            // path of its vmlinuz
	files   map[string]string // module -> file in tree
	builtin map[string]bool
	aliases map[string]string // alias without wildcards -> module
}

// Open reads the module indexes of the folder dir; image is the kernel's bzImage, read only by MissingSysctls.
func Open(dir, image string) (*Kernel, error) {
	k, err := Index(os.DirFS(dir))
	if err != nil {
		return nil, fmt.Errorf("%w\n  in %q", err, dir)
	}
	k.image = image
	return k, nil
}

// Index reads the module indexes at the root of tree, for MissingModules alone.
func Index(tree fs.FS) (*Kernel, error) {
	k := &Kernel{tree: tree, files: map[string]string{}, builtin: map[string]bool{}, aliases: map[string]string{}}
	for _, index := range []struct {
		file string
		line func(string)
	}{
		{"modules.dep", k.depLine},
		{"modules.builtin", func(line string) { k.builtin[moduleOf(line)] = true }},
		{"modules.alias", k.aliasLine},
	} {
		if err := eachLine(tree, index.file, index.line); err != nil {
			return nil, fmt.Errorf("reading module index: %w", err)
		}
	}
	return k, nil
}

// depLine reads "kernel/fs/foo.ko.xz: kernel/lib/bar.ko.xz".
func (k *Kernel) depLine(line string) {
	if file, _, ok := strings.Cut(line, ":"); ok {
		k.files[moduleOf(file)] = file
	}
}

// aliasLine reads "alias fs-ext4 ext4".
func (k *Kernel) aliasLine(line string) {
	if f := strings.Fields(line); len(f) == 3 && f[0] == "alias" && !strings.ContainsAny(f[1], "*?[") {
		k.aliases[normal(f[1])] = normal(f[2])
	}
}

// moduleOf returns the module name of a file such as kernel/fs/foo-bar.ko.xz.
func moduleOf(file string) string {
	name, _, _ := strings.Cut(path.Base(file), ".ko")
	return normal(name)
}

// normal makes no difference between - and _, as modprobe does.
func normal(name string) string { return strings.ReplaceAll(name, "-", "_") }

func eachLine(tree fs.FS, name string, f func(string)) error {
	file, err := tree.Open(name)
	if err != nil {
		return err
	}
	defer file.Close()
	lines := bufio.NewScanner(file)
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		f(lines.Text())
	}
	if err := lines.Err(); err != nil {
		return fmt.Errorf("reading %q: %w", name, err)
	}
	return nil
}

// MissingModules returns those of names that the kernel has neither as a module, nor built in, nor as an alias.
func (k *Kernel) MissingModules(names []string) []string {
	var out []string
	for _, name := range names {
		if file, builtin := k.find(name); file == "" && !builtin {
			out = append(out, name)
		}
	}
	return out
}

// find returns the file of a module, or whether it is built in.
func (k *Kernel) find(name string) (file string, builtin bool) {
	name = normal(name)
	for _, n := range []string{name, k.aliases[name]} {
		if k.files[n] != "" || k.builtin[n] {
			return k.files[n], k.builtin[n]
		}
	}
	return "", false
}
