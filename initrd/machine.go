package initrd

import (
	"io"
	"time"

	"slipway/initrd/gpt"
	"slipway/initrd/verity"
)

// Machine is what a boot does to the machine, beside reading and writing files. Paths are those of the running system.
type Machine interface {
	// Mount mounts; flags are those of mount(2).
	Mount(source, target, kind string, flags uintptr, options string) error
	// Unmount takes away what is mounted at target, at once, whoever uses it.
	Unmount(target string) error
	// Insert loads one kernel module from its file, uncompressed.
	Insert(file string) error
	// DeviceEvent waits until the kernel tells of a device, at most for the given time, and says whether it did.
	DeviceEvent(limit time.Duration) bool
	// Partition tells the kernel of a partition that is new or has grown; sector is the disk's, in bytes.
	Partition(disk string, c gpt.Change, sector int64) error
	// Verity opens a verified device and gives its number.
	Verity(name string, s verity.Superblock, params string) (major, minor uint32, err error)
	// Enter makes what is mounted at dir the root, with everything that is mounted below the old one's folders of the
	// same names, and frees the old root.
	Enter(dir string) error
	// Run runs a program to its end. Its error says how it ended and nothing that it printed, which goes to out.
	Run(out io.Writer, argv ...string) error
	// Start starts a program that goes on; stop ends it.
	Start(out io.Writer, argv ...string) (stop func(), err error)
	// Sync makes everything in the file system that path is in last.
	Sync(path string) error
	// Exec makes the running program another one. It returns only if it fails.
	Exec(argv ...string) error
	// Restart starts the machine again, by the kernel's own way; it may hang where a disk does.
	Restart()
	// Random fills b.
	Random(b []byte)
	Now() time.Time
	Sleep(d time.Duration)
}

// Flags of mount(2): linux/mount.h.
const (
	readOnly = 1 << 0
	noSUID   = 1 << 1
	noDev    = 1 << 2
	noExec   = 1 << 3
	noATime  = 1 << 10
	bind     = 1 << 12
)
