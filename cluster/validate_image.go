package cluster

import (
	"regexp"
	"slices"
	"strings"

	"slipway/kernel"
	"slipway/node"
)

// Fixed parts of the disk beside the root slots.
const (
	ESPSize      = 256 * MiB
	MinStateSize = 512 * MiB
	gptSize      = 2 * MiB // the first and the last MiB hold the partition tables
	minRootSlot  = 64 * MiB
)

// VeritySize is the size of the partition for a root slot's hash tree. dm-verity's SHA-256 over blocks of 4096 bytes
// needs 1/127 of the data and a superblock; this is a little more, in whole MiB.
func VeritySize(rootSlot Size) Size { return (rootSlot/126+MiB)/MiB*MiB + MiB }

// MinSize is the smallest disk that holds the ESP, two root slots with their hash trees, and a state that works.
func (i Image) MinSize() Size {
	return ESPSize + 2*(i.RootSlot+VeritySize(i.RootSlot)) + MinStateSize + gptSize
}

// debianPackage: https://www.debian.org/doc/debian-policy/ch-controlfields.html#source
var debianPackage = regexp.MustCompile(`^[a-z0-9][a-z0-9+.-]*[a-z0-9+.]$`) // a trailing "-" would tell apt to remove it

// sshServers never get into an image.
var sshServers = []string{"dropbear", "dropbear-bin", "openssh-server", "ssh", "tinysshd"}

func (i Image) validate(d *document) {
	p := at("image")
	oneOf(d, p.with("distro"), i.Distro, distros)
	if i.Distro == distros[0] {
		oneOf(d, p.with("release"), i.Release, releases)
	}
	oneOf(d, p.with("kernelStream"), i.KernelStream, kernelStreams)
	d.mirror(p.with("mirror"), i.Mirror)
	d.mirror(p.with("securityMirror"), i.Security)
	i.validateSizes(d, p)
	for n, output := range i.Outputs {
		oneOf(d, p.with("outputs").with(n), output, outputs)
	}
	unique(d, p.with("outputs"), i.Outputs)
	unique(d, p.with("packages"), i.Packages)
	for n, name := range i.Packages {
		at := p.with("packages").with(n)
		switch {
		case slices.Contains(sshServers, name):
			d.fail(at, "remove it: nodes are never logged in to; `debug: true` opens the console", "an SSH server is never part of an image")
		case !debianPackage.MatchString(name):
			d.fail(at, "a package name of the distribution, like tcpdump", "%q is not a package name", name)
		}
	}
}

// mirror: a folder is one too.
func (d *document) mirror(p path, value string) {
	folder, local := strings.CutPrefix(value, "file:///")
	if strings.ContainsAny(value, " \t\n[]") || !node.IsWebURL(value) && (!local || folder == "") {
		d.fail(p, "like https://mirror.example.org/debian or file:///srv/mirror/debian", "%q is not an http, https or file URL", value)
	}
}

func (i Image) validateSizes(d *document, p path) {
	if i.RootSlot < minRootSlot || i.RootSlot%MiB != 0 {
		d.fail(p.with("rootSlot"), "whole MiB, at least "+minRootSlot.String(), "a root slot of %s does not work", i.RootSlot)
		return
	}
	if i.Size%MiB != 0 {
		d.fail(p.with("size"), "whole MiB", "a disk of %s does not work", i.Size)
	}
	if need := i.MinSize(); i.Size < need {
		d.fail(p.with("size"), "at least "+need.String()+": ESP "+ESPSize.String()+", twice root "+i.RootSlot.String()+" and its hash tree "+
			VeritySize(i.RootSlot).String()+", state "+MinStateSize.String()+", tables "+gptSize.String(), "a disk of %s is too small", i.Size)
	}
}

// validate lets the profile itself judge every change, one by one so that each has its place, and then all together.
func (k Kernel) validate(d *document, debug bool) {
	p, before := at("kernel"), len(d.problems)
	for key, value := range k.Sysctl {
		_, wrongKey := kernel.Default().WithSysctls(map[string]string{key: "1"})
		_, wrongValue := kernel.Default().WithSysctls(map[string]string{key: value})
		d.refuseEntry(p.with("sysctl").with(key), wrongKey, wrongValue)
	}
	for name, value := range k.Limits {
		_, wrongKey := kernel.Default().WithLimits(map[string]string{name: "0"})
		_, wrongValue := kernel.Default().WithLimits(map[string]string{name: value})
		d.refuseEntry(p.with("limits").with(name), wrongKey, wrongValue)
	}
	k.Modules.validate(d, p.with("modules"))
	for i, arg := range k.Cmdline {
		at := p.with("cmdline").with(i)
		if why, hint := kernel.RefuseArgument(arg, debug); why != "" {
			d.fail(at, hint, "%q is %s", arg, why)
		}
	}
	if len(d.problems) > before {
		return
	}
	profile, err := k.Profile()
	if err == nil {
		err = profile.Check()
	}
	d.refuse(p.with("modules"), err) // both ways to break only the whole are there
}

// Profile is the image's profile with all changes.
func (k Kernel) Profile() (kernel.Profile, error) {
	p, err := kernel.Default().WithModules(k.Modules.Add, k.Modules.Remove)
	if err != nil {
		return p, err
	}
	if p, err = p.WithSysctls(k.Sysctl); err != nil {
		return p, err
	}
	return p.WithLimits(k.Limits)
}

func (m Modules) validate(d *document, p path) {
	unique(d, p.with("add"), m.Add)
	unique(d, p.with("remove"), m.Remove)
	for i, name := range m.Add {
		_, err := kernel.Default().WithModules([]string{name}, nil)
		d.refuse(p.with("add").with(i), err)
	}
	for i, name := range m.Remove {
		_, err := kernel.Default().WithModules(nil, []string{name})
		d.refuse(p.with("remove").with(i), err)
		if slices.Contains(m.Add, name) {
			d.fail(p.with("remove").with(i), "remove it from one of the lists", "%q is added and removed", name)
		}
	}
}
