package imagebuild

import (
	"maps"

	"slipway/cluster"
	"slipway/imagebuild/initrd"
	"slipway/imagebuild/payload"
	"slipway/imagebuild/rootfs"
	"slipway/imagebuild/stage"
	"slipway/kernel"
)

// key is the key of a stage: all that shapes its result. Our own code and templates always do, so this very program's
// digest is part of every key: two slipways never take each other's results for their own. (Payloads are the exception,
// because compiling takes minutes: package payload says what of its code counts.)
func (b *builder) key(name string, inputs ...any) string {
	return stage.Key(append([]any{name, b.opt.Tools[slipwayTool]}, inputs...)...)
}

// treeKeyOf counts the host's programs that unpack packages, and whose ids the tree's files get.
func (b *builder) treeKeyOf() string {
	unpackers := maps.Clone(b.opt.Tools)
	for _, other := range []string{slipwayTool, cluster.PayloadSlipwayd, goTool} {
		delete(unpackers, other)
	}
	return b.key("tree", b.plan.Distro.TreeKey(b.plan.Request, b.lock.Packages, b.lock.Epoch), unpackers, b.sandbox.User())
}

func (b *builder) kernelKey() string {
	return b.key("kernel", b.treeKey, b.kernel, b.plan.Profile.Modules, kernel.Drivers(), kernel.Cards(), b.plan.Profile.Sysctls)
}

func (b *builder) initrdKeyOf(in initrd.Input) string {
	return b.key("initrd", in.KeyInputs(b.treeKey, b.kernel)...)
}

func (b *builder) rootKey(in rootfs.Input) string { return b.key("root", in.KeyInputs(b.treeKey)...) }

func (b *builder) imageKey(name, version string, program payload.InstalledFile) string {
	return b.key("oci", name, version, program.SHA256, b.lock.Epoch)
}

func (b *builder) askKey(program payload.InstalledFile, name string, args []string) string {
	return b.key("ask", b.treeKey, askScript, program.SHA256, name, args)
}

// diskKey is the key of the disk itself, which lies in the output folder.
func (b *builder) diskKey(cmdline string) string {
	return b.key("disk", cmdline, b.root.key, b.initrdKey, b.treeKey, b.kernel, b.plan.Layout, b.plan.Name, b.lock.Epoch)
}

func (b *builder) packKey(kind string, p Packer, disk Artefact) string {
	return b.key("pack", kind, p.Key, b.lock.Epoch, disk.SHA256)
}
