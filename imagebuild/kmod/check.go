package kmod

import (
	"fmt"
	"strings"

	"slipway/kernel"
)

// MissingError says what a kernel lacks: everything at once.
type MissingError struct {
	Modules []kernel.Module
	Sysctls []kernel.Sysctl
}

// Error lists what is missing, one line each, with what it would be for.
func (e *MissingError) Error() string {
	var b strings.Builder
	fmt.Fprintf(&b, "checking the kernel: it lacks %d modules and %d sysctl keys", len(e.Modules), len(e.Sysctls))
	for _, m := range e.Modules {
		fmt.Fprintf(&b, "\n  module %q (%s)", m.Name, m.Why)
	}
	for _, s := range e.Sysctls {
		where := "the kernel"
		if s.Module != "" {
			where = fmt.Sprintf("module %q", s.Module)
		}
		fmt.Fprintf(&b, "\n  sysctl %q: no such name in %s (%s)", s.Key, where, s.Why)
	}
	b.WriteString("\nhint: correct the names, or take them out with kernel.modules.remove and an empty value in kernel.sysctl")
	return b.String()
}

// Check returns a *[MissingError] unless the kernel has every one of modules and sysctls.
func (k *Kernel) Check(modules []kernel.Module, sysctls []kernel.Sysctl) error {
	var missing MissingError
	for _, m := range modules {
		if len(k.MissingModules([]string{m.Name})) > 0 {
			missing.Modules = append(missing.Modules, m)
		}
	}
	var err error
	if missing.Sysctls, err = k.MissingSysctls(sysctls); err != nil {
		return fmt.Errorf("checking the kernel: %w", err)
	}
	if len(missing.Modules)+len(missing.Sysctls) > 0 {
		return &missing
	}
	return nil
}
