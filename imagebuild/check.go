package imagebuild

import (
	"context"
	"path/filepath"
	"slices"

	"slipway/imagebuild/kmod"
	"slipway/kernel"
)

// checkKernel refuses an image whose kernel lacks a module or sysctl of the profile, or a driver, before anything is packed.
func (b *builder) checkKernel(ctx context.Context) error {
	b.rec.begin("kernel")
	_, hit, err := b.cache.Get(ctx, "kernel", b.kernelKey(), func(context.Context, string) error {
		facts := b.plan.Distro.Facts()
		k, err := kmod.Open(filepath.Join(b.tree, facts.Modules, b.kernel), filepath.Join(b.tree, facts.KernelImage(b.kernel)))
		if err != nil {
			return err
		}
		return k.Check(b.plan.Profile.Modules, slices.Concat(kernel.Drivers(), kernel.Cards()), b.plan.Profile.Sysctls)
	})
	if err != nil {
		return err
	}
	b.rec.end("kernel", "has every module, driver and sysctl", hit)
	return nil
}
