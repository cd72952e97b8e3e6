package qemu

import (
	"errors"
	"fmt"
	"net/netip"
	"strings"
)

// InputError is a mistake in what the user gave; nothing was started.
type InputError struct{ error }

func (e InputError) Unwrap() error { return e.error }

// ExitCode is the CLI's code for wrong input.
func (InputError) ExitCode() int { return 2 }

// BusyError says that another slipway works in the same folder.
type BusyError struct{ Dir string }

func (e BusyError) Error() string {
	return fmt.Sprintf("locking %q: another slipway qemu works there\nhint: wait until it is done, or look for it with `pgrep -a slipway`", e.Dir)
}

// ExitCode is the CLI's code for a busy folder.
func (BusyError) ExitCode() int { return 4 }

// Every message of this package to people.

func inputf(format string, args ...any) error { return InputError{fmt.Errorf(format, args...)} }

func errOldForTCG(v Version) error {
	return fmt.Errorf("checking qemu: version %v is too old to emulate a node: before %d.0 multi-threaded emulation corrupts guests that use cmpxchg16b\n%s", v, minMajor, hintQEMU)
}

func errOldForMany(v Version) error {
	return fmt.Errorf("checking qemu: version %v is too old for more than one node: their network needs reconnecting stream sockets of %d.0\n%s", v, minMajor, hintQEMU)
}

const hintQEMU = "hint: Debian 13 has QEMU 10; on Debian 12: apt install -t bookworm-backports qemu-system-x86 qemu-utils"

func errNoTool(name string) error {
	return fmt.Errorf("looking for %q: not installed\nhint: apt install qemu-system-x86 qemu-utils ovmf (QEMU >= %d; on Debian 12 from bookworm-backports)", name, minMajor)
}

func errNoFirmware(tried []string) error {
	return fmt.Errorf("looking for UEFI firmware: none of %s exists\nhint: apt install ovmf", strings.Join(tried, ", "))
}

func errNoImage(path string) error {
	return inputf("looking for the image: %q does not exist\nhint: build it first: slipway build -f cluster.yaml -o %s", path, parent(path))
}

func errNoIgnition(node, path string) error {
	return inputf("looking for the config of node %q: %q does not exist\nhint: render it first: slipway ignition -f cluster.yaml -o %s", node, path, parent(path))
}

func errImageTooLarge(path string, have, want int64) error {
	return inputf("planning disks: image %q has %d bytes, more than the disk of %d bytes\nhint: raise image.size in the spec", path, have, want)
}

func errImageChanged(node string) error {
	return inputf("starting node %q: the image has changed since the node's disk was made\nhint: `slipway qemu up --fresh` starts with a new disk and loses what is on the old one", node)
}

func errNoNode(name string, known []string) error {
	return inputf("choosing nodes: no node %q in the spec\nhint: one of: %s", name, strings.Join(known, ", "))
}

func errPortTaken(node, what string, port int) error {
	return inputf("starting node %q: port %d on 127.0.0.1 (for %s) is taken by another program\nhint: stop that program, or choose another port by flag", node, port, what)
}

func errSubnets(a, b netip.Prefix) error {
	return inputf("planning the network: nodes in two networks, %v and %v; QEMU gives them one\nhint: put all nodes into one network", a, b)
}

func errSubnetSmall(p netip.Prefix) error {
	return inputf("planning the network: %v is too small: QEMU's own network needs an IPv4 prefix of /28 or shorter", p)
}

func errGatewayOutside(gw netip.Addr, p netip.Prefix) error {
	return inputf("planning the network: gateway %v is outside the nodes' network %v", gw, p)
}

var errFreshRunning = errors.New("it is running")

func errFresh(node string) error {
	return inputf("making a fresh disk for node %q: %w\nhint: stop it first: slipway qemu down %s", node, errFreshRunning, node)
}

func firstLine(s string) string {
	line, _, _ := strings.Cut(strings.TrimSpace(s), "\n")
	return line
}
