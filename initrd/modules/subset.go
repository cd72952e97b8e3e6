package modules

import (
	"fmt"
	"maps"
	"slices"
	"strings"
)

// Closure gives every module that the names, or aliases, may cause to be loaded, sorted.
func (t *Tables) Closure(names []string) []string {
	all := map[string]bool{}
	for _, name := range names {
		for _, m := range t.Order(name) {
			all[m] = true
		}
	}
	return slices.Sorted(maps.Keys(all))
}

// Subset writes the tables of an initrd that has the given modules alone, by name of the table. rename gives a module's
// file there.
func (t *Tables) Subset(modules []string, rename func(file string) string) map[string]string {
	var dep, aliases, soft strings.Builder
	for _, m := range modules {
		fmt.Fprintf(&dep, "%s:", rename(t.files[m]))
		for _, need := range t.needs[m] {
			if t.files[need] != "" {
				fmt.Fprintf(&dep, " %s", rename(t.files[need]))
			}
		}
		dep.WriteString("\n")
		if len(t.pre[m])+len(t.post[m]) > 0 {
			fmt.Fprintf(&soft, "softdep %s pre: %s post: %s\n", m, strings.Join(t.pre[m], " "), strings.Join(t.post[m], " "))
		}
	}
	for _, bus := range slices.Sorted(maps.Keys(t.aliases)) {
		for _, a := range t.aliases[bus] {
			if slices.Contains(modules, a.module) {
				fmt.Fprintf(&aliases, "alias %s %s\n", a.pattern, a.module)
			}
		}
	}
	var builtin strings.Builder
	for _, m := range slices.Sorted(maps.Keys(t.builtin)) {
		fmt.Fprintf(&builtin, "%s.ko\n", m)
	}
	return map[string]string{depTable: dep.String(), aliasTable: aliases.String(), softTable: soft.String(), builtinTable: builtin.String()}
}
