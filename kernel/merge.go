package kernel

import (
	"cmp"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// WithModules returns the profile with modules added, all loaded at boot, and others taken away. Taking away what is
// not there is an error: it is a misspelling, or a list that has grown old.
func (p Profile) WithModules(add, remove []string) (Profile, error) {
	modules := slices.Clone(p.Modules)
	for _, name := range remove {
		at := findModule(modules, name)
		if at < 0 {
			return Profile{}, fmt.Errorf("removing kernel module %q: not in the profile\nhint: remove it, or mend its name", name)
		}
		modules = slices.Delete(modules, at, at+1)
	}
	for _, name := range add {
		if !moduleName.MatchString(name) {
			return Profile{}, fmt.Errorf("adding kernel module %q: no module name\nhint: like br_netfilter", name)
		}
		if at := findModule(modules, name); at >= 0 {
			modules[at].Load = true
			continue
		}
		modules = append(modules, Module{Name: name, Load: true, Why: "the spec asks for it"})
	}
	p.Modules = modules
	return p, nil
}

var moduleName = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9_-]*$`)

// findModule compares as modprobe does: - and _ are the same.
func findModule(modules []Module, name string) int {
	plain := func(s string) string { return strings.ReplaceAll(s, "-", "_") }
	return slices.IndexFunc(modules, func(m Module) bool { return plain(m.Name) == plain(name) })
}

// WithSysctls returns the profile with keys set to new values; an empty value takes the key away.
func (p Profile) WithSysctls(changes map[string]string) (Profile, error) {
	sysctls := slices.Clone(p.Sysctls)
	for _, key := range slices.Sorted(maps.Keys(changes)) {
		value := changes[key]
		if err := checkSysctl(key, value); err != nil {
			return Profile{}, err
		}
		at := slices.IndexFunc(sysctls, func(s Sysctl) bool { return s.Key == key })
		switch {
		case value == "" && at < 0:
			return Profile{}, fmt.Errorf("removing sysctl %q: not in the profile\nhint: remove it, or give it a value", key)
		case value == "":
			sysctls = slices.Delete(sysctls, at, at+1)
		case at >= 0:
			sysctls[at].Value, sysctls[at].Why = value, "the spec's value"
		default:
			sysctls = append(sysctls, Sysctl{Key: key, Value: value, Module: sysctlModule(key), Why: "the spec asks for it"})
		}
	}
	p.Sysctls = sysctls
	return p, nil
}

// sysctlKey: globs of sysctl.d(5) are left out, as nothing could tell whether the kernel has what they mean.
var sysctlKey = regexp.MustCompile(`^[a-z0-9_]+([./][A-Za-z0-9_-]+)+$`)

func checkSysctl(key, value string) error {
	if !sysctlKey.MatchString(key) {
		return fmt.Errorf("setting sysctl %q: no key\nhint: names separated by dots, like net.ipv4.ip_forward", key)
	}
	if strings.ContainsFunc(value, func(r rune) bool { return r < ' ' && r != '\t' || r >= 0x7f }) {
		return fmt.Errorf("setting sysctl %q: the value %q holds a control character or one beyond ASCII\nhint: write it on one line", key, value)
	}
	return nil
}

// sysctlModule knows which families of keys only exist while a module is loaded.
func sysctlModule(key string) string {
	families := []struct{ prefix, module string }{
		{"net.bridge.", "br_netfilter"},
		{"net.netfilter.nf_conntrack_", "nf_conntrack"},
		{"net.ipv4.vs.", "ip_vs"},
	}
	for _, f := range families {
		if strings.HasPrefix(key, f.prefix) {
			return f.module
		}
	}
	return ""
}

// The same in the words of limits.conf(5), which the profile has, and of systemd-system.conf(5).
const unlimited, infinity = "unlimited", "infinity"

// WithLimits returns the profile with limits set to new values.
func (p Profile) WithLimits(changes map[string]string) (Profile, error) {
	limits := slices.Clone(p.Limits)
	for _, name := range slices.Sorted(maps.Keys(changes)) {
		at := slices.IndexFunc(limits, func(l Limit) bool { return l.Name == name })
		if at < 0 {
			return Profile{}, fmt.Errorf("setting limit %q: not known\nhint: allowed are nofile, nproc, memlock, core", name)
		}
		limits[at].Value, limits[at].Why = changes[name], "the spec's value"
		if err := limits[at].check(); err != nil {
			return Profile{}, err
		}
		limits[at].Value = strings.ReplaceAll(limits[at].Value, infinity, unlimited)
	}
	p.Limits = limits
	return p, nil
}

// Soft and Hard take the value apart.
func (l Limit) Soft() string { soft, _, _ := strings.Cut(l.Value, ":"); return soft }

// Hard is the soft value as well when there is only one.
func (l Limit) Hard() string {
	if _, hard, two := strings.Cut(l.Value, ":"); two {
		return hard
	}
	return l.Value
}

// Systemd is the value as DefaultLimit...= of systemd-system.conf(5) takes it, which counts in bytes.
func (l Limit) Systemd() string {
	unit := func(s string) string {
		switch {
		case s == unlimited:
			return infinity
		case s != "0" && (l.Name == "memlock" || l.Name == "core"):
			return s + "K"
		}
		return s
	}
	if soft, hard := unit(l.Soft()), unit(l.Hard()); soft != hard {
		return soft + ":" + hard
	}
	return unit(l.Soft())
}

// check wants two numbers in order. Unlimited descriptors do not exist: the kernel's own maximum is a number.
func (l Limit) check() error {
	soft, err := l.number(l.Soft())
	if err != nil {
		return err
	}
	hard, err := l.number(l.Hard())
	if err != nil {
		return err
	}
	if cmp.Compare(soft, hard) > 0 {
		return fmt.Errorf("setting limit %q: soft value %q is above the hard one\nhint: soft:hard, the smaller one first", l.Name, l.Value)
	}
	return nil
}

func (l Limit) number(s string) (uint64, error) {
	if (s == unlimited || s == infinity) && l.Name != "nofile" {
		return ^uint64(0), nil
	}
	n, err := strconv.ParseUint(s, 10, 63)
	if err != nil {
		return 0, fmt.Errorf("setting limit %q: %q is no number\nhint: a number, soft:hard like 1024:524288, or (but for nofile) infinity", l.Name, l.Value)
	}
	return n, nil
}
