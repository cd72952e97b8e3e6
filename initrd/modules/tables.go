// Package modules reads the kernel's tables of modules as depmod(8) writes them: which modules a device wants, and in which
// order they are loaded. Who packs an initrd and who loads in it ask the same tables. Start with [Read]; [Loader] loads.
//
// Formats: modules.dep(5), modprobe.d(5) for softdep, and the kernel's modules.alias.
package modules

import (
	"bufio"
	"errors"
	"fmt"
	"io/fs"
	"path"
	"slices"
	"strings"
)

// Tables are those of one kernel.
type Tables struct {
	files     map[string]string   // module -> file, relative to the tables
	needs     map[string][]string // module -> modules that it cannot do without
	pre, post map[string][]string // module -> what it wants beside it, by name or alias, if there is such a thing
	builtin   map[string]bool
	aliases   map[string][]alias // by bus: a machine has hundreds of devices, and a kernel thousands of aliases
}

type alias struct{ pattern, module string }

// matches compares as fnmatch(3) does. path.Match gives a slash a meaning that it does not have here.
func (a alias) matches(modalias string) bool {
	if strings.Contains(modalias, "/") {
		a.pattern, modalias = strings.ReplaceAll(a.pattern, "/", "|"), strings.ReplaceAll(modalias, "/", "|")
	}
	ok, _ := path.Match(a.pattern, modalias)
	return ok
}

// Names of the tables. All but the first may be missing.
const (
	depTable     = "modules.dep"
	aliasTable   = "modules.alias"
	softTable    = "modules.softdep"
	builtinTable = "modules.builtin"
)

// Read reads the tables at the root of tree.
func Read(tree fs.FS) (*Tables, error) {
	t := &Tables{files: map[string]string{}, needs: map[string][]string{}, pre: map[string][]string{}, post: map[string][]string{}, builtin: map[string]bool{}, aliases: map[string][]alias{}}
	for _, table := range []struct {
		name string
		line func(string)
	}{{depTable, t.depLine}, {aliasTable, t.aliasLine}, {softTable, t.softLine}, {builtinTable, t.builtinLine}} {
		err := eachLine(tree, table.name, table.line)
		if errors.Is(err, fs.ErrNotExist) && table.name != depTable {
			continue
		}
		if err != nil {
			return nil, fmt.Errorf("reading the kernel's modules: %w", err)
		}
	}
	return t, nil
}

// depLine reads "kernel/fs/foo.ko.xz: kernel/lib/bar.ko.xz".
func (t *Tables) depLine(line string) {
	file, rest, ok := strings.Cut(line, ":")
	if !ok {
		return
	}
	name := nameOf(file)
	t.files[name] = file
	for _, need := range strings.Fields(rest) {
		t.needs[name] = append(t.needs[name], nameOf(need))
	}
}

// aliasLine reads "alias pci:v*d*bc01sc08i02* nvme".
func (t *Tables) aliasLine(line string) {
	if f := strings.Fields(line); len(f) == 3 && f[0] == "alias" {
		bus := busOf(f[1])
		t.aliases[bus] = append(t.aliases[bus], alias{f[1], normal(f[2])})
	}
}

// busOf is what an alias begins with; "" if that is a pattern itself.
func busOf(alias string) string {
	bus, _, ok := strings.Cut(alias, ":")
	if !ok || strings.ContainsAny(bus, "*?[") {
		return ""
	}
	return bus
}

// softLine reads "softdep foo pre: bar baz post: qux".
func (t *Tables) softLine(line string) {
	f := strings.Fields(line)
	if len(f) < 3 || f[0] != "softdep" {
		return
	}
	into := t.pre
	for _, word := range f[2:] {
		switch word {
		case "pre:":
			into = t.pre
		case "post:":
			into = t.post
		default:
			into[normal(f[1])] = append(into[normal(f[1])], word)
		}
	}
}

func (t *Tables) builtinLine(line string) { t.builtin[nameOf(line)] = true }

// nameOf is the module in a file such as kernel/fs/foo-bar.ko.xz.
func nameOf(file string) string {
	name, _, _ := strings.Cut(path.Base(file), ".ko")
	return normal(name)
}

// normal makes no difference between - and _, as modprobe does.
func normal(name string) string { return strings.ReplaceAll(name, "-", "_") }

// Known says whether the kernel has a module of that name or alias, as a file or built in.
func (t *Tables) Known(name string) bool { return t.builtin[normal(name)] || len(t.find(name)) > 0 }

// File is where a module lies, relative to the tables; "" if it is built in or not there.
func (t *Tables) File(module string) string { return t.files[normal(module)] }

// find gives the modules of a name or alias.
func (t *Tables) find(name string) []string {
	if t.files[normal(name)] != "" {
		return []string{normal(name)}
	}
	if t.builtin[normal(name)] {
		return nil
	}
	return t.For(name)
}

// For gives the modules that a device's modalias, or any other alias, stands for.
func (t *Tables) For(modalias string) []string {
	buses := []string{""}
	if bus := busOf(modalias); bus != "" {
		buses = append(buses, bus)
	}
	var out []string
	for _, bus := range buses {
		for _, a := range t.aliases[bus] {
			if a.matches(modalias) && t.files[a.module] != "" && !slices.Contains(out, a.module) {
				out = append(out, a.module)
			}
		}
	}
	return out
}

// Order gives the modules to load for a name or alias, each after what it needs. Soft dependencies that the kernel does
// not have are left out, and so is what is built in. A name that is not there gives nothing.
func (t *Tables) Order(name string) []string {
	var out []string
	seen := map[string]bool{}
	var add func(string)
	add = func(module string) {
		if seen[module] {
			return
		}
		seen[module] = true // soft dependencies may go round in circles
		for _, wanted := range t.pre[module] {
			for _, m := range t.find(wanted) {
				add(m)
			}
		}
		for _, m := range slices.Backward(t.needs[module]) {
			if t.files[m] != "" {
				add(m)
			}
		}
		out = append(out, module)
		for _, wanted := range t.post[module] {
			for _, m := range t.find(wanted) {
				add(m)
			}
		}
	}
	for _, m := range t.find(name) {
		add(m)
	}
	return out
}

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
