package kernel

import (
	"fmt"
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
		{"systemd.verity_root_options=panic-on-corruption", "a root that is not what was signed must not go on"},
		{"panic=5", "and comes back by itself, for the boot loader to fall back to the other slot"},
	}
}

// Cmdline joins the arguments, the spec's extra ones and the root hash.
func Cmdline(rootfs, roothash string, extra []string) (string, error) {
	var words []string
	for _, a := range Arguments(rootfs) {
		words = append(words, a.Value)
	}
	for _, word := range extra {
		if err := checkArgument(word); err != nil {
			return "", err
		}
		words = append(words, word)
	}
	return strings.Join(append(words, "roothash="+roothash), " "), nil
}

// checkArgument refuses what would break the line or the boot's order: see Arguments.
func checkArgument(word string) error {
	if word == "" || strings.ContainsFunc(word, func(r rune) bool { return r <= ' ' || r >= 0x7f }) {
		return fmt.Errorf("reading kernel argument %q: want one word of printable ASCII", word)
	}
	for _, own := range []string{"root=", "roothash=", "rootfstype=", "ignition.", "init=", "rdinit=", "systemd.verity"} {
		if strings.HasPrefix(word, own) {
			return fmt.Errorf("reading kernel argument %q: %s is slipway's own", word, strings.TrimSuffix(own, "="))
		}
	}
	return nil
}
