package kernel

import (
	"fmt"
	"slices"
	"strings"
)

// Argument is one argument of the kernel command line.
type Argument struct {
	Value string
	Why   string
}

// Arguments are those of every image, for a root file system of the given type (squashfs). The line is constant and signed
// with the kernel: the builder adds roothash=, and nothing about a node or platform is ever on it.
func Arguments(rootfs string) []Argument {
	return []Argument{
		{"rootfstype=" + rootfs, "no guessing"},
		{"ro", "the root is never written"},
		{"console=ttyS0", "the serial console carries the node's status; add console=tty0 for a screen"},
		{"loglevel=4", "warnings and worse; everything is in the journal"},
		{"systemd.show_status=0", "no animation on serial"},
		{"systemd.firstboot=no", "nobody is there to answer questions"},
		{"systemd.verity=no", "the initrd has opened the root, on the loader's disk: systemd must not look for another"},
		{"damon_stat.enabled=N", "Debian's kernel keeps statistics of all memory that nobody reads: an eighth of an emulated processor"},
		{"panic=5", "and comes back by itself, for the boot loader to fall back to the other slot"},
	}
}

// Cmdline joins the arguments, the spec's extra ones and the root hash.
func Cmdline(rootfs, roothash string, extra []string, debug bool) (string, error) {
	var words []string
	for _, a := range Arguments(rootfs) {
		words = append(words, a.Value)
	}
	for _, word := range extra {
		if why, hint := RefuseArgument(word, debug); why != "" {
			return "", fmt.Errorf("reading kernel argument %q: it is %s\nhint: %s", word, why, hint)
		}
		words = append(words, word)
	}
	return strings.Join(append(words, "roothash="+roothash), " "), nil
}

// own are the arguments that find and verify the root, or decide what happens to state.
var own = []string{"root", "rootfstype", "roothash", "usrhash", "ro", "rw", "init", "rdinit", "systemd.verity*", "ignition.*", "slipway.*"}

// doors are arguments that make a shell, or that start something else than the node: bootparam(7), systemd(1),
// systemd-debug-generator(8), kernel-command-line(7) for the one-letter ones of SysV.
var doors = []string{
	"rd.*", "systemd.*", "emergency", "rescue", "single", "s", "S", "-b", "-s", "1", "2", "3", "4", "5",
	"kgdboc", "kgdbwait", "ekgdboc",
}

// harmless are those of systemd's arguments that only change what it says and how long it waits.
var harmless = []string{"systemd.log_*", "systemd.journald.*", "systemd.show_status", "systemd.status_unit_format", "systemd.watchdog_*", "systemd.default_timeout_*"}

// RefuseArgument says why a spec may not add a word to the command line, and what to do instead; why is empty if it may.
// debug is the spec's: an image with a login on its console may have other doors as well.
func RefuseArgument(word string, debug bool) (why, hint string) {
	name, _, _ := strings.Cut(word, "=")
	switch {
	case word == "" || strings.ContainsFunc(word, func(r rune) bool { return r <= ' ' || r >= 0x7f || r == '"' || r == '\'' }):
		return "not one kernel argument", "one argument an entry, without blanks and quotes, like console=tty0"
	case listed(own, name):
		return "set by the image", "remove it: the image's own command line finds and verifies the root"
	case !debug && listed(doors, name) && !listed(harmless, name):
		return "a way into the node, or past what it is to start", "remove it, or set `debug: true` in a laboratory"
	}
	return "", ""
}

// listed compares as the readers of the command line do: - and _ are the same.
func listed(patterns []string, name string) bool {
	plain := func(s string) string { return strings.ReplaceAll(s, "-", "_") }
	return slices.ContainsFunc(patterns, func(p string) bool {
		if prefix, ok := strings.CutSuffix(p, "*"); ok {
			return strings.HasPrefix(plain(name), plain(prefix))
		}
		return plain(name) == plain(p)
	})
}
