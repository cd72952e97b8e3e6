// Package imagebuild turns a spec into a bootable disk: plan, then apply. The plan is pure and printable; the apply is
// a chain of stages, each cached by the hash of its inputs: packages -> tree -> payloads -> initrd, root -> disk.
//
// Start with NewPlan and Build. It writes raw disks; a Packer makes other formats of them. The library is silent:
// a Progress hears what it does.
package imagebuild

import (
	"fmt"
	"io"
	"strings"

	"slipway/cluster"
	"slipway/imagebuild/distro"
	"slipway/imagebuild/drivers"
	"slipway/imagebuild/layout"
	"slipway/imagebuild/payload"
	"slipway/kernel"
)

// RootFS is how the root is packed, as the kernel calls it.
const RootFS = "squashfs"

// Plan is everything that a build will do.
type Plan struct {
	Name     string // of the image: the cluster's name
	Debug    bool
	Distro   distro.Driver
	Request  distro.Request
	Mirrors  distro.Mirrors
	Extra    []string // the spec's own packages
	Profile  kernel.Profile
	Cmdline  []string // the spec's extra arguments
	Payloads []payload.Item
	Layout   layout.Layout
	Outputs  []string

	ExtraArgs map[string]map[string]string // flags from the spec: program -> flag -> value
}

// NewPlan derives the plan of a complete, valid spec.
func NewPlan(spec *cluster.Spec, host payload.Host) (*Plan, error) {
	driver, err := drivers.Find(spec.Image.Distro)
	if err != nil {
		return nil, inputError{err}
	}
	if n := driver.Facts().Network; n != distro.Networkd {
		return nil, inputError{fmt.Errorf("planning an image of %s: nobody writes configuration for %s", spec.Image.Distro, n)}
	}
	stream, err := kernel.FindStream(spec.Image.Distro, spec.Image.Release, spec.Image.KernelStream)
	if err != nil {
		return nil, inputError{err}
	}
	profile, err := spec.Kernel.Profile()
	if err == nil {
		err = profile.Check()
	}
	if err != nil {
		return nil, inputError{err}
	}
	if _, err := kernel.Cmdline(RootFS, "", spec.Kernel.Cmdline, spec.Debug); err != nil {
		return nil, inputError{err}
	}
	items, err := payload.Plan(spec, host)
	if err != nil {
		return nil, inputError{err}
	}
	return &Plan{
		Name: spec.Cluster.Name, Debug: spec.Debug, Extra: spec.Image.Packages, Profile: profile, Cmdline: spec.Kernel.Cmdline,
		ExtraArgs: spec.Kubernetes.ExtraArgs, Payloads: items, Layout: layout.New(int64(spec.Image.RootSlot)), Outputs: spec.Image.Outputs,
		Distro:  driver,
		Mirrors: driver.Mirrors(spec.Image.Release, spec.Image.Mirror, spec.Image.Security),
		Request: driver.Request(spec.Image.Release, kernelPackage(stream), spec.Image.Packages),
	}, nil
}

// kernelPackage is what to ask the distribution for.
func kernelPackage(s kernel.Stream) string {
	if s.Suite == "" {
		return s.Package
	}
	return s.Package + "/" + s.Suite
}

// inputError marks what is the user's to mend.
type inputError struct{ error }

func (e inputError) Unwrap() error { return e.error }

// ExitCode makes it wrong input.
func (inputError) ExitCode() int { return 2 }

// Print writes the plan for a person.
func (p *Plan) Print(w io.Writer) {
	fmt.Fprintf(w, "image %s\n", p.Name)
	fmt.Fprintf(w, "  packages   %s from %s, kernel %s\n", p.Request.Release, p.Mirrors[p.Request.Release], p.Request.Kernel)
	fmt.Fprintf(w, "             %d named, %d of them only to build", len(p.Request.Packages), len(p.Distro.BuildOnly()))
	if len(p.Extra) > 0 {
		fmt.Fprintf(w, "; from the spec: %s", strings.Join(p.Extra, " "))
	}
	fmt.Fprintln(w)
	for i, item := range p.Payloads {
		label := ""
		if i == 0 {
			label = "payloads"
		}
		fmt.Fprintf(w, "  %-10s %-12s %-10s %s\n", label, item.Name, item.Version, item.Source)
	}
	fmt.Fprintf(w, "  kernel     %d modules at boot, %d sysctls, %d limits\n", len(p.Profile.Modules), len(p.Profile.Sysctls), len(p.Profile.Limits))
	fmt.Fprintf(w, "  disk       ESP %d MiB, root slots 2 x %d MiB, hash trees 2 x %d MiB, state the rest; %s, dm-verity\n",
		p.Layout.ESP>>20, p.Layout.Root>>20, p.Layout.Verity>>20, RootFS)
	if p.Debug {
		fmt.Fprintln(w, "  debug      a root login on the serial console: not for production")
	}
	fmt.Fprintf(w, "  outputs    %s\n", strings.Join(p.Outputs, ", "))
}

// image.json on the node: what slipwayd may know of the image.
func (p *Plan) facts(epoch string) map[string]any {
	versions := map[string]string{}
	for _, item := range p.Payloads {
		versions[item.Name] = item.Version
	}
	facts := map[string]any{"buildTime": epoch, "versions": versions}
	if p.Debug {
		facts["debug"] = true // for verify: a debug image is called one
	}
	return facts
}
