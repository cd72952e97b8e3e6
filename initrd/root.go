package initrd

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"slipway/initrd/gpt"
	"slipway/initrd/verity"
)

const (
	rootDevice = "/dev/mapper/root"
	newRoot    = "/sysroot"
)

// openRoot opens the root by its hash and moves into it. The command line has the hash, and is signed with the kernel.
func (b *Boot) openRoot() error {
	data, tree := gpt.Partition{}, gpt.Partition{}
	for _, p := range b.disk.table.Partitions() {
		switch p.GUID {
		case b.data:
			data = p
		case b.tree:
			tree = p
		}
	}
	if data.Number == 0 || tree.Number == 0 {
		return fmt.Errorf("/dev/%s has the root of this image, but not its hash tree", b.disk.name)
	}
	super, err := b.superblock(b.disk.part(tree.Number))
	if err != nil {
		return err
	}
	params := super.Params(b.number(b.disk.part(data.Number)), b.number(b.disk.part(tree.Number)), b.cmdline["roothash"])
	major, minor, err := b.Machine.Verity("root", super, params)
	if err != nil {
		return err
	}
	if err := b.nameRoot(major, minor); err != nil {
		return err
	}
	if err := os.MkdirAll(b.path(newRoot), 0o755); err != nil {
		return err
	}
	if err := b.Machine.Mount(rootDevice, newRoot, b.cmdline["rootfstype"], readOnly, ""); err != nil {
		return fmt.Errorf("mounting the verified root: %w", err)
	}
	if err := errors.Join(b.link("root", data), b.link("verity", tree)); err != nil {
		return err
	}
	return b.Machine.Enter(newRoot)
}

func (b *Boot) superblock(part string) (verity.Superblock, error) {
	f, err := os.Open(b.path("/dev/" + part))
	if err != nil {
		return verity.Superblock{}, err
	}
	defer f.Close()
	return verity.ReadSuperblock(f)
}

// number is a device's MAJOR:MINOR.
func (b *Boot) number(name string) string { return b.read("/sys/class/block/" + name + "/dev") }

// nameRoot gives the verified device the name that udev would give it.
func (b *Boot) nameRoot(major, minor uint32) error {
	entries, _ := os.ReadDir(b.path("/sys/class/block"))
	for _, e := range entries {
		if b.number(e.Name()) == fmt.Sprintf("%d:%d", major, minor) {
			return b.symlink("../"+e.Name(), rootDevice)
		}
	}
	return errors.New("the kernel does not show the verified root among its devices")
}

// linkDir has links to the parts of the disk that was booted from, for people and configs.
const linkDir = "/dev/slipway"

func (b *Boot) link(name string, p gpt.Partition) error {
	return b.symlink("../"+b.disk.part(p.Number), filepath.Join(linkDir, name))
}

func (b *Boot) symlink(target, name string) error {
	if err := os.MkdirAll(filepath.Dir(b.path(name)), 0o755); err != nil {
		return err
	}
	if err := os.Remove(b.path(name)); err != nil && !errors.Is(err, os.ErrNotExist) {
		return err
	}
	return os.Symlink(target, b.path(name))
}

// tellUdev leaves what the root's udevd cannot know: that the verified device is set up, without which systemd never
// believes it to be there, and which disk the links are for.
func (b *Boot) tellUdev() error {
	target, err := os.Readlink(b.path(rootDevice))
	if err != nil {
		return err
	}
	// sysfs shows each device as a link to where it really is.
	path, err := os.Readlink(b.path("/sys/class/block/" + b.disk.name))
	at := strings.Index(path, "devices/")
	if err != nil || at < 0 {
		return fmt.Errorf("the kernel knows no device path of /dev/%s, so its partitions cannot be told from those of other disks", b.disk.name)
	}
	for name, text := range map[string]string{
		"/run/udev/data/b" + b.number(filepath.Base(target)): "E:DM_UDEV_PRIMARY_SOURCE_FLAG=1\n",
		"/run/udev/rules.d/90-slipway.rules":                 udevRules(path[at:], b.data, b.tree),
	} {
		if err := os.MkdirAll(filepath.Dir(b.path(name)), 0o755); err != nil {
			return err
		}
		if err := os.WriteFile(b.path(name), []byte(text), 0o644); err != nil {
			return err
		}
	}
	return nil
}

// udevRules keeps the links of one disk: its partitions alone have them.
func udevRules(device, data, tree string) string {
	return fmt.Sprintf(`SUBSYSTEM!="block", GOTO="slipway_end"
DEVPATH!="/%s/*", GOTO="slipway_end"
ENV{ID_PART_ENTRY_UUID}=="%s", SYMLINK+="slipway/root"
ENV{ID_PART_ENTRY_UUID}=="%s", SYMLINK+="slipway/verity"
ENV{ID_PART_ENTRY_TYPE}=="%s", ENV{ID_PART_ENTRY_NAME}=="%s", SYMLINK+="slipway/state"
LABEL="slipway_end"
`, device, data, tree, gpt.TypeState, gpt.StateName)
}
