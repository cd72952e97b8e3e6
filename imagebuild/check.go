package imagebuild

import (
	"context"
	"errors"
	"path/filepath"
	"slices"

	"slipway/imagebuild/distro"
	"slipway/imagebuild/kmod"
	"slipway/kernel"
)

// checkKernel refuses an image whose kernel lacks a module or sysctl of the profile, or a driver, before anything is packed.
func (b *builder) checkKernel(ctx context.Context) error {
	b.rec.begin("kernel")
	_, hit, err := b.cache.Get(ctx, "kernel", b.kernelKey(), func(context.Context, string) error {
		facts := b.plan.Facts()
		k, err := kmod.Open(filepath.Join(b.tree, facts.Modules, b.kernel), filepath.Join(b.tree, facts.KernelImage(b.kernel)))
		if err != nil {
			return err
		}
		err = k.Check(b.plan.Profile.Modules, slices.Concat(b.drivers(), kernel.Cards()), b.plan.Profile.Sysctls)
		if missing, ok := errors.AsType[*kmod.MissingError](err); ok {
			if missing.Bring, err = b.morePackages(facts.MorePackages(b.kernel), missing); err != nil {
				return err
			}
			return missing
		}
		return err
	})
	if err != nil {
		return err
	}
	b.rec.end("kernel", "has every module, driver and sysctl", hit)
	return nil
}

// morePackages are those that may have what is missing: those that the driver finds, or else those that its facts name.
func (b *builder) morePackages(known []string, missing *kmod.MissingError) ([]string, error) {
	d, ok := b.plan.Distro.(distro.Bringer)
	if !ok {
		return b.notHeld(known), nil
	}
	found, err := d.Brings(b.resolverDir(), b.kernel, names(slices.Concat(missing.Modules, missing.Drivers)))
	return b.notHeld(slices.Concat(found, known)), err
}

// notHeld are those of the packages that the image does not hold.
func (b *builder) notHeld(names []string) []string {
	return slices.DeleteFunc(names, func(name string) bool {
		return slices.ContainsFunc(b.lock.Packages, func(p distro.Package) bool { return p.Name == name })
	})
}
