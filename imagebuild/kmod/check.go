package kmod

import (
	"fmt"
	"strings"

	"slipway/kernel"
)

// MissingError says what a kernel lacks: everything at once.
type MissingError struct {
	Modules []kernel.Module
	Drivers []kernel.Module // of disks and cards
	Sysctls []kernel.Sysctl
}

// Error lists what is missing, one line each, with what it would be for.
func (e *MissingError) Error() string {
	var b strings.Builder
	fmt.Fprintf(&b, "checking the kernel: it lacks %d modules, %d drivers and %d sysctl keys", len(e.Modules), len(e.Drivers), len(e.Sysctls))
	for _, m := range e.Modules {
		fmt.Fprintf(&b, "\n  module %q (%s)", m.Name, m.Why)
	}
	for _, m := range e.Drivers {
		fmt.Fprintf(&b, "\n  driver %q (%s)", m.Name, m.Why)
	}
	for _, s := range e.Sysctls {
		where := "the kernel"
		if s.Module != "" {
			where = fmt.Sprintf("module %q", s.Module)
		}
		fmt.Fprintf(&b, "\n  sysctl %q: no such name in %s (%s)", s.Key, where, s.Why)
	}
	if len(e.Modules)+len(e.Sysctls) > 0 {
		b.WriteString("\nhint: correct the names, or take them out with kernel.modules.remove and an empty value in kernel.sysctl")
	}
	if len(e.Drivers) > 0 {
		b.WriteString("\nhint: drivers are this slipway's own list, for its kernel streams; take another kernel with image.kernelStream")
	}
	return b.String()
}

// Check returns a *[MissingError] unless the kernel has every one of modules, drivers and sysctls: an image without a driver
// does not find its disk, or its network.
func (k *Kernel) Check(modules, drivers []kernel.Module, sysctls []kernel.Sysctl) error {
	missing := MissingError{Modules: k.lacks(modules), Drivers: k.lacks(drivers)}
	var err error
	if missing.Sysctls, err = k.MissingSysctls(sysctls); err != nil {
		return fmt.Errorf("checking the kernel: %w", err)
	}
	if len(missing.Modules)+len(missing.Drivers)+len(missing.Sysctls) > 0 {
		return &missing
	}
	return nil
}

func (k *Kernel) lacks(modules []kernel.Module) (out []kernel.Module) {
	for _, m := range modules {
		if len(k.MissingModules([]string{m.Name})) > 0 {
			out = append(out, m)
		}
	}
	return out
}
