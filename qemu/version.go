package qemu

import (
	"fmt"
	"regexp"
	"strconv"
)

// Version is QEMU's release.
type Version struct{ Major, Minor, Micro int }

func (v Version) String() string { return fmt.Sprintf("%d.%d.%d", v.Major, v.Minor, v.Micro) }

// minMajor is the first release whose multi-threaded emulation is safe: 7.2's corrupts guests that use cmpxchg16b.
const minMajor = 10

// ParseVersion reads the answer to `qemu-system-x86_64 --version`.
func ParseVersion(text string) (Version, error) {
	m := regexp.MustCompile(`(?m)^QEMU emulator version (\d+)\.(\d+)(?:\.(\d+))?`).FindStringSubmatch(text)
	if m == nil {
		return Version{}, fmt.Errorf("reading qemu's version: no version in %q", firstLine(text))
	}
	var n [3]int
	for i := range n {
		n[i], _ = strconv.Atoi(m[i+1]) // digits or, for the last, nothing
	}
	return Version{n[0], n[1], n[2]}, nil
}

// Accel is how the guest's instructions run.
type Accel string

// The accelerators. Auto asks the KVM probe.
const (
	Auto Accel = "auto"
	KVM  Accel = "kvm"
	TCG  Accel = "tcg"
)

// checkVersion refuses a QEMU that would corrupt the guest, or that lacks what the plan needs.
func checkVersion(v Version, accel Accel, machines int) error {
	if v.Major >= minMajor {
		return nil
	}
	if accel == TCG {
		return errOldForTCG(v)
	}
	if machines > 1 {
		return errOldForMany(v)
	}
	return nil
}
