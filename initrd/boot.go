// Package initrd is what the initrd does: from nothing but the kernel to the verified root with its state and its node
// config, where systemd starts. It finds the disk that the boot loader was read from, opens its root, moves into it, and runs
// everything else from there: nothing but the kernel's modules and this program comes from anywhere else. Start with
// [Boot.Run] and [Boot.Fail].
//
// A step looks, acts and returns an error that says what is wrong and what to do about it. What programs print goes to the
// kernel's log, from where the journal takes it, and never into an error: it may hold a config with its keys.
// The kernel itself is behind [Machine]. There is no shell and no question: what fails is said on every console, and the
// machine starts again, so that a boot loader that counts takes the other slot.
//
// Not here: roots on multipath, LVM, MD or iSCSI, and unlocking LUKS.
package initrd

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"slipway/initrd/gpt"
)

// Boot is one boot.
type Boot struct {
	Root    string // stands for / in tests
	Machine Machine
	Args    []string // of the kernel, for the root's init

	console  console
	cmdline  map[string]string
	data     string // the GUIDs of the partitions of root and hash tree
	tree     string
	disk     disk
	state    string // the partition's device
	platform string // by Ignition's names
	first    bool   // nothing has completed a first boot yet
}

// step is one part of a boot. Its name is a line on every console when it begins.
type step struct {
	name string
	do   func() error
}

func (b *Boot) steps() []step {
	return []step{
		{"looking for the disk that the boot loader was read from", b.findDisk},
		{"opening the verified root", b.openRoot},
		{"mounting state", b.mountState},
		{"deciding whether this is the first boot", b.decide},
		{"mounting /etc", b.mountEtc},
		{"", b.firstBoot},
		{"starting the system", b.leave},
	}
}

// Run boots. It returns only if that fails, and also for a fault of its own.
func (b *Boot) Run() (err error) {
	defer func() {
		if fault := recover(); fault != nil {
			err = fmt.Errorf("a fault in slipway-init: %v", fault)
		}
	}()
	if err := b.prepare(); err != nil {
		return err
	}
	for _, s := range b.steps() {
		if s.name != "" {
			b.say("%s", s.name)
		}
		if err := s.do(); err != nil {
			return err
		}
	}
	return b.Machine.Exec(append([]string{"/sbin/init"}, b.Args...)...)
}

// prepare mounts what the kernel has to say and to give.
func (b *Boot) prepare() error {
	for _, m := range []struct {
		kind, at, options string
		flags             uintptr
	}{
		{"proc", "/proc", "", noSUID | noDev | noExec},
		{"sysfs", "/sys", "", noSUID | noDev | noExec},
		{"devtmpfs", "/dev", "mode=0755", noSUID},
		{"tmpfs", "/run", "mode=0755", noSUID | noDev},
	} {
		if err := os.MkdirAll(b.path(m.at), 0o755); err != nil {
			return err
		}
		if err := b.Machine.Mount(m.kind, m.at, m.kind, m.flags, m.options); err != nil {
			return fmt.Errorf("mounting %s: %w", m.at, err)
		}
	}
	// Else the kernel drops most of what programs print. An argument that says otherwise wins: it cannot be changed then.
	os.WriteFile(b.path(kmsgLimit), []byte("on\n"), 0o644)
	text, err := os.ReadFile(b.path("/proc/cmdline"))
	if err != nil {
		return err
	}
	b.cmdline = map[string]string{}
	for _, word := range strings.Fields(string(text)) {
		name, value, _ := strings.Cut(word, "=")
		b.cmdline[name] = value
	}
	return nil
}

const kmsgLimit = "/proc/sys/kernel/printk_devkmsg"

// leave undoes what was for this program alone.
func (b *Boot) leave() error {
	os.WriteFile(b.path(kmsgLimit), []byte("ratelimit\n"), 0o644)
	return b.tellUdev()
}

// path is where a file of the running system lies.
func (b *Boot) path(name string) string { return filepath.Join(b.Root+"/", name) }

func (b *Boot) exists(name string) bool {
	_, err := os.Stat(b.path(name))
	return err == nil
}

// read gives a small file without the blanks and zeros around it; "" if there is none.
func (b *Boot) read(name string) string {
	data, _ := os.ReadFile(b.path(name))
	return strings.Trim(string(data), " \t\r\n\x00")
}

// say tells every console and the kernel's log.
func (b *Boot) say(format string, args ...any) {
	b.out().say("slipway: " + fmt.Sprintf(format, args...))
}

// out is where this program speaks.
func (b *Boot) out() *console {
	b.console.root = b.Root
	return &b.console
}

// run runs a program whose words go to the kernel's log under its name.
func (b *Boot) run(argv ...string) error {
	out := b.out().log(filepath.Base(argv[0]))
	defer out.Close()
	if err := b.Machine.Run(out, argv...); err != nil {
		return fmt.Errorf("%s: %w", filepath.Base(argv[0]), err)
	}
	return nil
}

// random gives the bytes of a GUID.
func (b *Boot) random() []byte {
	out := make([]byte, 16)
	b.Machine.Random(out)
	return out
}

// disk is a disk with a partition table.
type disk struct {
	name  string // vda
	table *gpt.Table
	size  int64
}

// part is the kernel's name of a partition.
func (d disk) part(number int) string {
	if last := d.name[len(d.name)-1]; last >= '0' && last <= '9' {
		return fmt.Sprintf("%sp%d", d.name, number)
	}
	return fmt.Sprintf("%s%d", d.name, number)
}
