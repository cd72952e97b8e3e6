package role

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"slipway/node"
)

// Args are a program's flags: name without dashes -> value.
type Args map[string]string

// checkExtraArgs refuses flags that would stop a program or take formation out of Slipway's hands.
func (n *Node) checkExtraArgs() error {
	for _, program := range slices.Sorted(maps.Keys(n.ExtraArgs)) {
		if !slices.Contains(node.Programs(), program) {
			return fmt.Errorf("reading extraArgs: unknown program %q\nhint: known are %s", program, strings.Join(node.Programs(), ", "))
		}
		version := n.Versions.Program(program)
		for _, flag := range slices.Sorted(maps.Keys(n.ExtraArgs[program])) {
			why, hint := node.RefuseFlag(program, flag, version)
			if why == "" {
				why, hint = node.RefuseFlagValue(program, flag, n.ExtraArgs[program][flag], version)
			}
			if why != "" {
				return fmt.Errorf("reading extraArgs of %s: %s\nhint: %s", program, why, hint)
			}
		}
	}
	return nil
}

// Flags merges the contract's extra flags of a program over its defaults and returns "--name=value", sorted.
func (n *Node) Flags(program string, defaults Args) []string {
	merged := maps.Clone(defaults)
	maps.Copy(merged, n.ExtraArgs[program])
	var flags []string
	for _, name := range slices.Sorted(maps.Keys(merged)) {
		flags = append(flags, "--"+name+"="+merged[name])
	}
	return flags
}

// execArgs writes arguments for ExecStart=, one a line, quoted as systemd.syntax(7) and systemd.service(5) ask for.
func execArgs(args []string) string {
	var b strings.Builder
	for _, arg := range args {
		b.WriteString(" \\\n    " + execQuote(arg))
	}
	return b.String()
}

// execQuote keeps systemd from reading anything into an argument: % is a specifier, $ a variable, \ an escape.
func execQuote(arg string) string {
	arg = strings.NewReplacer(`%`, `%%`, `$`, `$$`, `\`, `\\`, `"`, `\"`).Replace(arg)
	if strings.ContainsAny(arg, " \t'\"\\;") {
		return `"` + arg + `"`
	}
	return arg
}
