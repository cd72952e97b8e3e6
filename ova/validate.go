package ova

import (
	"crypto/rsa"
	"errors"
	"fmt"
	"slices"
	"strings"
	"unicode/utf8"
)

const (
	mib         = 1 << 20
	nameLimit   = 80   // of a virtual machine, vSphere; short enough for a tar header with a suffix
	maxAdapters = 10   // of a virtual machine, vSphere
	maxDisks    = 15   // on one controller of 16 units, of which the controller takes one
	maxCPUs     = 256  // vmx-15
	maxMemory   = 6128 // GiB, vmx-15
	lastTime    = 1<<33 - 1
)

// versions are the hardware versions that ESXi runs and that know Secure Boot.
func versions() []int { return []int{13, 14, 15, 17, 18, 19, 20, 21, 22} }

// validate says everything that is wrong with p.
func (p Package) validate() error {
	var problems []error
	add := func(format string, args ...any) { problems = append(problems, fmt.Errorf(format, args...)) }
	if !plainName(p.Name) || len(p.Name) > nameLimit {
		add("name %q is not a plain name of up to %d characters\nhint: letters, digits, dots, hyphens and underscores", p.Name, nameLimit)
	}
	for _, text := range []struct{ what, value string }{
		{"product", p.Product.Name}, {"vendor", p.Product.Vendor}, {"version", p.Product.Version},
	} {
		if !xmlText(text.value) {
			add("%s %q cannot be written in XML", text.what, text.value)
		}
	}
	if t := p.Time.Unix(); t < 0 || t > lastTime {
		add("time %s does not fit into a tar header", p.Time)
	}
	p.Hardware.validate(add)
	p.validateDisks(add)
	if p.Signer != nil {
		p.Signer.validate(add)
	}
	return errors.Join(problems...)
}

func (h Hardware) validate(add func(string, ...any)) {
	h = h.withDefaults()
	if !slices.Contains(versions(), h.Version) {
		add("hardware version %d is not one of %d", h.Version, versions())
	}
	if !guestOS(h.GuestOS) {
		add("guest identifier %q is not one of a 64-bit system\nhint: %s", h.GuestOS, DefaultGuestOS)
	}
	if h.CPUs < 1 || h.CPUs > maxCPUs {
		add("%d CPUs are not between 1 and %d", h.CPUs, maxCPUs)
	}
	if h.MemoryMiB < 4 || h.MemoryMiB%4 != 0 || h.MemoryMiB > maxMemory<<10 {
		add("memory of %d MiB is not a multiple of 4 MiB up to %d GiB", h.MemoryMiB, maxMemory)
	}
	if n := len(h.Networks); n < 1 || n > maxAdapters {
		add("%d networks are not between 1 and %d", n, maxAdapters)
	}
	for _, name := range h.Networks {
		if name == "" || !xmlText(name) {
			add("network name %q cannot be written in XML", name)
		}
	}
}

func (p Package) validateDisks(add func(string, ...any)) {
	if n := len(p.Disks); n < 1 || n > maxDisks {
		add("%d disks are not between 1 and %d", n, maxDisks)
	}
	taken := []string{p.descriptorName(), p.manifestName(), p.signatureName()}
	for _, d := range p.Disks {
		if !plainName(d.File) || len(d.File) > ustarName || !strings.HasSuffix(d.File, ".vmdk") {
			add("disk file %q is not a plain name that ends in .vmdk", d.File)
		}
		if slices.ContainsFunc(taken, func(s string) bool { return strings.EqualFold(s, d.File) }) {
			add("disk file %q is there twice", d.File)
		}
		taken = append(taken, d.File)
		if d.Capacity < mib || d.Capacity%mib != 0 {
			add("disk file %q: capacity of %d bytes is not a positive multiple of 1 MiB", d.File, d.Capacity)
		}
		if d.Size < 1 {
			add("disk file %q: size of %d bytes", d.File, d.Size)
		}
		if d.Open == nil {
			add("disk file %q: there is nothing to read it with", d.File)
		}
	}
}

func (s *Signer) validate(add func(string, ...any)) {
	if s.Key == nil || len(s.Chain) == 0 {
		add("signing needs a key and its certificate")
		return
	}
	pub, ok := s.Key.Public().(*rsa.PublicKey)
	if !ok {
		add("signing needs an RSA key, and this is a %T", s.Key.Public())
		return
	}
	if !pub.Equal(s.Chain[0].PublicKey) {
		add("signing key is not that of the certificate of %q", s.Chain[0].Subject)
	}
}

// plainName says whether s is a file name that needs no quoting anywhere.
func plainName(s string) bool {
	for i, c := range []byte(s) {
		switch {
		case 'a' <= c && c <= 'z', 'A' <= c && c <= 'Z', '0' <= c && c <= '9':
		case i > 0 && (c == '.' || c == '-' || c == '_'):
		default:
			return false
		}
	}
	return s != ""
}

func guestOS(s string) bool {
	return plainName(s) && strings.HasSuffix(s, "64Guest") && !strings.ContainsAny(s, ".-")
}

// xmlText says whether s consists of characters that XML 1.0 can hold on one line.
func xmlText(s string) bool {
	return utf8.ValidString(s) && !strings.ContainsFunc(s, func(r rune) bool {
		return r < ' ' || r == 0x7f || r == 0xfffe || r == 0xffff
	})
}
