package initrd

import (
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"
	"unicode/utf16"

	"slipway/initrd/gpt"
	"slipway/initrd/modules"
)

// modulesDir has the modules that the initrd carries, with their tables.
const modulesDir = "/modules"

const (
	diskLimit = 50 * time.Second
	// quiet is how long no device must come before it is believed that a second disk is not about to: two copies of one
	// disk are told apart by being both there.
	quiet = 200 * time.Millisecond
	// scanLimit is how long the kernel may take to show the partitions of a disk that is there.
	scanLimit = 5 * time.Second
)

// always are the modules that no device asks for; optional ones may be missing.
var always = []struct {
	name     string
	optional bool
}{{"dm_verity", false}, {"ext4", false}, {"overlay", false}, {"efivarfs", true}, {"qemu_fw_cfg", true}}

// findDisk loads what the machine's devices need until the disk is there that the boot loader was read from. Root, hash tree
// and state are taken from that disk alone: their names exist twice on a machine with two Slipway disks.
func (b *Boot) findDisk() error {
	d, err := b.newDrivers()
	if err != nil {
		return err
	}
	if err := d.loadAlways(b.cmdline["rootfstype"]); err != nil {
		return err
	}
	if b.data, b.tree, err = rootGUIDs(b.cmdline["roothash"]); err != nil {
		return err
	}
	// Without it the root itself must do, see choose.
	b.Machine.Mount("efivarfs", "/sys/firmware/efi/efivars", "efivarfs", noSUID|noDev|noExec, "")
	loader := b.loaderPartition()
	end := b.Machine.Now().Add(diskLimit)
	seen := end // when the disk was first there
	for {
		d.plug()
		found, err := choose(b.disks(), loader, b.data)
		more := b.Machine.DeviceEvent(quiet)
		now := b.Machine.Now()
		if err == nil && seen.After(now) {
			seen = now
		}
		settled := !more || now.After(end)
		switch {
		case err == nil && settled && (len(b.unseen(found)) == 0 || now.Sub(seen) > scanLimit):
			b.disk = found
			b.say("booted from /dev/%s", found.name)
			return b.showPartitions()
		case err != nil && (now.After(end) || errors.Is(err, errCopies) && settled):
			return err
		}
	}
}

// rootGUIDs are the partition GUIDs of the root and of its hash tree: the two halves of the root's hash.
func rootGUIDs(hash string) (data, tree string, err error) {
	sum, err := hex.DecodeString(hash)
	if err != nil || len(sum) != 32 {
		return "", "", errors.New("the kernel's command line has no roothash of 64 hexadecimal digits")
	}
	return gpt.FormatGUID(sum[:16]), gpt.FormatGUID(sum[16:]), nil
}

var guidPattern = regexp.MustCompile(`^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$`)

// loaderPartition is the GUID of the partition that the boot loader was read from, by its own word; "" if it says none, as
// one does that came over the network. https://systemd.io/BOOT_LOADER_INTERFACE: attributes, then UTF-16.
func (b *Boot) loaderPartition() string {
	data, err := os.ReadFile(b.path("/sys/firmware/efi/efivars/LoaderDevicePartUUID-4a67b082-0a4c-41cf-b6c7-440b29bb8c4f"))
	if err != nil || len(data) < 4 {
		return ""
	}
	var units []uint16
	for i := 4; i+1 < len(data); i += 2 {
		units = append(units, uint16(data[i])|uint16(data[i+1])<<8)
	}
	guid := strings.ToLower(strings.TrimRight(string(utf16.Decode(units)), "\x00"))
	if !guidPattern.MatchString(guid) {
		return ""
	}
	return guid
}

var errCopies = errors.New("copies")

// choose takes the disk with the loader's partition; if the loader named none, the one with the root.
func choose(disks []disk, loader, data string) (disk, error) {
	wanted, what := loader, "the partition that the boot loader was read from"
	if loader == "" {
		wanted, what = data, "the root of this image"
	}
	var found []disk
	var names []string
	for _, d := range disks {
		if d.has(wanted) {
			found, names = append(found, d), append(names, "/dev/"+d.name)
		}
	}
	switch {
	case len(found) == 0:
		return disk{}, fmt.Errorf("no disk has %s, %s: its driver or the disk is missing", what, wanted)
	case len(found) > 1:
		return disk{}, fmt.Errorf("%s are %w of one disk: each has %s, %s, so state could be taken from the wrong one; remove all but one",
			strings.Join(names, " "), errCopies, what, wanted)
	case !found[0].has(data):
		return disk{}, fmt.Errorf("%s, which the boot loader was read from, does not have the root of this image, %s", names[0], data)
	}
	return found[0], nil
}

func (d disk) has(guid string) bool {
	return slices.ContainsFunc(d.table.Partitions(), func(p gpt.Partition) bool { return p.GUID == guid })
}

// other are block devices that are no disks to boot from, by the beginning of their names.
var other = []string{"dm-", "fd", "loop", "md", "nbd", "ram", "sr", "zram"}

// disks are those with a partition table, by name. The tables are read here and not by the kernel, which does not look at
// the backup, and older ones of which do not tell a partition's GUID.
func (b *Boot) disks() []disk {
	entries, _ := os.ReadDir(b.path("/sys/class/block"))
	var out []disk
	for _, e := range entries {
		name := e.Name()
		if slices.ContainsFunc(other, func(p string) bool { return strings.HasPrefix(name, p) }) || b.exists("/sys/class/block/"+name+"/partition") {
			continue
		}
		sectors, _ := strconv.ParseInt(b.read("/sys/class/block/"+name+"/size"), 10, 64) // of 512 bytes, always
		sector, _ := strconv.ParseInt(b.read("/sys/class/block/"+name+"/queue/logical_block_size"), 10, 64)
		if sectors <= 0 || sector < 512 {
			continue
		}
		d := disk{name: name, size: sectors * 512}
		f, err := os.Open(b.path("/dev/" + name))
		if err != nil {
			continue
		}
		d.table, err = gpt.Read(f, d.size, sector)
		f.Close()
		if err == nil {
			out = append(out, d)
		}
	}
	return out
}

// showPartitions tells the kernel of partitions that it did not find: it does not look at the backup of a table.
func (b *Boot) showPartitions() error {
	for _, p := range b.unseen(b.disk) {
		if err := b.Machine.Partition("/dev/"+b.disk.name, gpt.Change{Partition: p, New: true}, b.disk.table.Sector); err != nil {
			return fmt.Errorf("telling the kernel of /dev/%s: %w", b.disk.part(p.Number), err)
		}
	}
	return nil
}

// unseen are the partitions of a disk that the kernel does not show.
func (b *Boot) unseen(d disk) []gpt.Partition {
	return slices.DeleteFunc(d.table.Partitions(), func(p gpt.Partition) bool { return b.exists("/sys/class/block/" + d.part(p.Number)) })
}

// drivers loads what devices ask for.
type drivers struct {
	b      *Boot
	loader *modules.Loader
	seen   map[string]bool
}

func (b *Boot) newDrivers() (*drivers, error) {
	tables, err := modules.Read(os.DirFS(b.path(modulesDir)))
	if err != nil {
		return nil, err
	}
	insert := func(file string) error { return b.Machine.Insert(filepath.Join(modulesDir, file)) }
	return &drivers{b: b, loader: modules.NewLoader(tables, insert), seen: map[string]bool{}}, nil
}

func (d *drivers) loadAlways(root string) error {
	errs := make([]error, len(always)+1)
	var wg sync.WaitGroup
	for i, m := range always {
		wg.Go(func() {
			if err := d.loader.Load(m.name); err != nil && !m.optional {
				errs[i] = err
			}
		})
	}
	wg.Go(func() { errs[len(always)] = d.loader.Load(root) })
	wg.Wait()
	return errors.Join(errs...)
}

// plug loads the modules of all devices that it has not seen, at once: some take their time to look for their hardware. One
// that cannot be loaded is none of ours, or the disk will be missed.
func (d *drivers) plug() {
	files, _ := filepath.Glob(d.b.path("/sys/bus/*/devices/*/modalias"))
	var wg sync.WaitGroup
	var failed sync.Map
	for _, file := range files {
		data, _ := os.ReadFile(file)
		modalias := strings.TrimSpace(string(data))
		if modalias == "" || d.seen[modalias] {
			continue
		}
		d.seen[modalias] = true
		wg.Go(func() {
			if err := d.loader.LoadFor(modalias); err != nil {
				failed.Store(modalias, err)
			}
		})
	}
	wg.Wait()
	failed.Range(func(_, err any) bool {
		d.b.out().kmsg(fmt.Sprintf("slipway: %v", err))
		return true
	})
}
