package imagebuild

import (
	"context"
	"fmt"
	"os"
	"path/filepath"

	"slipway/imagebuild/initrd"
	"slipway/imagebuild/overlay"
	"slipway/imagebuild/rootfs"
	"slipway/imagebuild/verity"
	"slipway/kernel"
)

// packedRoot is the read-only root and its hash tree, as files in the cache.
type packedRoot struct {
	data, tree string
	size       int64
	digest     [32]byte
	key        string
}

func (r packedRoot) hash() string { return fmt.Sprintf("%x", r.digest) }

// makeInitrd packs the initial ramdisk.
func (b *builder) makeInitrd(ctx context.Context) error {
	b.rec.begin("initrd")
	in := b.initrdInput()
	b.initrdKey = b.initrdKeyOf(in)
	dir, hit, err := b.cache.Get(ctx, "initrd", b.initrdKey, func(_ context.Context, dir string) error { return initrd.Build(in, dir) })
	if err != nil {
		return err
	}
	b.initrd = filepath.Join(dir, initrd.Name)
	st, err := os.Stat(b.initrd)
	if err != nil {
		return err
	}
	b.rec.end("initrd", fmt.Sprintf("%.1f MB", float64(st.Size())/1e6), hit)
	return nil
}

func (b *builder) initrdInput() initrd.Input {
	return initrd.Input{
		Modules: filepath.Join(b.tree, b.plan.Distro.Facts().Modules, b.kernel), Drivers: driverNames(),
		Init: b.opt.Init.Path, InitSum: b.opt.Init.SHA256, Epoch: b.lock.Epoch,
	}
}

func driverNames() []string {
	var names []string
	for _, d := range kernel.Drivers() {
		names = append(names, d.Name)
	}
	return names
}

// packRoot assembles and packs the root, and hashes it for dm-verity.
func (b *builder) packRoot(ctx context.Context) error {
	b.rec.begin("root")
	adds, err := b.additions(ctx)
	if err != nil {
		return err
	}
	purge, err := b.plan.Distro.Purge(b.tree, b.plan.Extra)
	if err != nil {
		return err
	}
	in := b.rootInput(adds, purge)
	key := b.rootKey(in)
	dir, hit, err := b.cache.Get(ctx, "root", key, func(ctx context.Context, dir string) error {
		if err := rootfs.Build(ctx, in, dir); err != nil {
			return err
		}
		return hashRoot(dir)
	})
	if err != nil {
		return err
	}
	if b.root, err = openRoot(dir, key); err != nil {
		return err
	}
	if b.root.size > b.plan.Layout.Root {
		return fmt.Errorf("packing the root: %d MiB do not fit into a slot of %d MiB\nhint: raise image.rootSlot, or take packages out",
			b.root.size>>20, b.plan.Layout.Root>>20)
	}
	b.rec.end("root", fmt.Sprintf("%d MiB of %d, root hash %.16s", b.root.size>>20, b.plan.Layout.Root>>20, b.root.hash()), hit)
	return nil
}

func (b *builder) rootInput(adds []overlay.Entry, purge []string) rootfs.Input {
	return rootfs.Input{
		Tree: b.tree, Adds: adds, Facts: b.plan.Distro.Facts(), Purge: purge, Epoch: b.lock.Epoch, Sandbox: b.sandbox, Log: b.log("root"),
	}
}

const (
	hashTree = "root.verity"
	rootHash = "root.hash"
)

// hashRoot writes the dm-verity tree and the root hash beside the packed root.
func hashRoot(dir string) error {
	data, err := os.Open(filepath.Join(dir, rootfs.Name))
	if err != nil {
		return err
	}
	defer data.Close()
	st, err := data.Stat()
	if err != nil {
		return err
	}
	tree, err := os.Create(filepath.Join(dir, hashTree))
	if err != nil {
		return err
	}
	defer tree.Close()
	digest, _, err := verity.Build(data, st.Size(), tree, verityUUID)
	if err != nil {
		return fmt.Errorf("hashing the root: %w", err)
	}
	if err := os.WriteFile(filepath.Join(dir, rootHash), fmt.Appendf(nil, "%x\n", digest), 0o644); err != nil {
		return err
	}
	return tree.Close()
}

// verityUUID is constant: it identifies the format's use, not one image, and must not make builds differ.
var verityUUID = [16]byte{0x73, 0x6c, 0x69, 0x70, 0x77, 0x61, 0x79, 0x00, 0x80, 0x00, 0x76, 0x65, 0x72, 0x69, 0x74, 0x79}

func openRoot(dir, key string) (packedRoot, error) {
	r := packedRoot{data: filepath.Join(dir, rootfs.Name), tree: filepath.Join(dir, hashTree), key: key}
	st, err := os.Stat(r.data)
	if err != nil {
		return r, err
	}
	r.size = st.Size()
	text, err := os.ReadFile(filepath.Join(dir, rootHash))
	if err != nil {
		return r, err
	}
	var digest []byte
	if _, err := fmt.Sscanf(string(text), "%x", &digest); err != nil || len(digest) != len(r.digest) {
		return r, fmt.Errorf("reading %s in the cache: not a root hash\nhint: remove %s", rootHash, dir)
	}
	copy(r.digest[:], digest)
	return r, nil
}
