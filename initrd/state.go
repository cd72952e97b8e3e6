package initrd

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"os"

	"slipway/initrd/gpt"
)

// statePath is where state is mounted.
const statePath = "/var"

// mountState completes the disk, and mounts the state partition. What it makes counts only once it is in the partition
// table, which is written last: cut off at any point, the next start makes it again.
func (b *Boot) mountState() error {
	changes, err := b.disk.table.Grow(b.random)
	if err != nil {
		return err
	}
	for _, c := range changes {
		if err := b.Machine.Partition("/dev/"+b.disk.name, c, b.disk.table.Sector); err != nil {
			return fmt.Errorf("telling the kernel of /dev/%s: %w", b.disk.part(c.Number), err)
		}
	}
	for _, p := range b.disk.table.Partitions() {
		if p.Type == gpt.TypeState && p.Name == gpt.StateName {
			b.state = "/dev/" + b.disk.part(p.Number)
			if err := b.link("state", p); err != nil {
				return err
			}
		}
	}
	room, err := b.makeOrCheck(changes)
	if err != nil {
		return err
	}
	if len(changes) > 0 {
		b.say("writing the partition table: %d new or larger", len(changes))
		if err := b.writeTable(); err != nil {
			return err
		}
	}
	if err := b.Machine.Mount(b.state, statePath, "ext4", noATime, ""); err != nil {
		return fmt.Errorf("mounting state: %w", err)
	}
	if room {
		// The node can do without: it is as large as it was.
		if err := b.run("resize2fs", b.state); err != nil {
			b.say("state stays smaller than its partition: %v", err)
		}
	}
	return nil
}

func (b *Boot) writeTable() error {
	f, err := os.OpenFile(b.path("/dev/"+b.disk.name), os.O_WRONLY, 0)
	if err != nil {
		return fmt.Errorf("writing the partition table: %w", err)
	}
	defer f.Close()
	return b.disk.table.Write(f)
}

// makeOrCheck has a file system on state that can be mounted, and says whether the partition has room for a larger one.
func (b *Boot) makeOrCheck(changes []gpt.Change) (room bool, err error) {
	made := false
	for _, c := range changes {
		made = made || c.New && c.Type == gpt.TypeState
	}
	state := blank // in a new partition: what lay there before belongs to nobody
	if !made {
		if state, room, err = b.examine(); err != nil {
			return false, err
		}
	}
	switch state {
	case blank:
		b.say("making the file system of state")
		// Without discard and with lazy tables it takes a second on a disk of any size.
		return false, b.run("mkfs.ext4", "-q", "-F", "-m", "0", "-L", gpt.StateName, "-E", "nodiscard,lazy_itable_init=1,lazy_journal_init=1", b.state)
	case dirty:
		b.say("checking the file system of state")
		return room, b.check()
	case foreign:
		return false, fmt.Errorf("%s is named %s, but holds no ext4: it is not touched. If what is there may go, empty its first MiB", b.state, gpt.StateName)
	}
	return room, nil
}

// condition is what the superblock says of the state partition.
type condition int

const (
	clean   condition = iota // or with a journal to replay, which mounting does
	dirty                    // the kernel has found errors, or nobody has unmounted it and there is no journal
	blank                    // nothing was ever there
	foreign                  // something else is there
)

// The superblock of ext4: https://docs.kernel.org/filesystems/ext4/globals.html.
const (
	superOffset, superSize = 1024, 1024
	atMagic, magic         = 56, 0xef53
	atState                = 58
	stateValid, stateError = 1, 2
	atBlocks, atBlockSize  = 4, 24
	// worthwhile is what a file system may grow by; mkfs leaves less unused at the end of a partition.
	worthwhile = 256 << 20
)

// readCondition judges a superblock.
func readCondition(super []byte) condition {
	if binary.LittleEndian.Uint16(super[atMagic:]) != magic {
		for _, c := range super {
			if c != 0 {
				return foreign
			}
		}
		return blank
	}
	if s := binary.LittleEndian.Uint16(super[atState:]); s&stateValid == 0 || s&stateError != 0 {
		return dirty
	}
	return clean
}

// examine reads the superblock of state, and compares the file system's size with the partition's.
func (b *Boot) examine() (c condition, room bool, err error) {
	f, err := os.Open(b.path(b.state))
	if err != nil {
		return 0, false, fmt.Errorf("reading state: %w", err)
	}
	defer f.Close()
	super := make([]byte, superSize)
	if _, err := io.ReadFull(io.NewSectionReader(f, superOffset, superSize), super); err != nil {
		return 0, false, fmt.Errorf("reading state: %w", err)
	}
	end, err := f.Seek(0, io.SeekEnd)
	if err != nil {
		return 0, false, fmt.Errorf("reading state: %w", err)
	}
	size := int64(binary.LittleEndian.Uint32(super[atBlocks:])) << (10 + binary.LittleEndian.Uint32(super[atBlockSize:])%8)
	return readCondition(super), end-size >= worthwhile, nil
}

// check repairs what can be repaired without losing anything. e2fsck(8): the exit code is a sum of 1, errors were corrected;
// 2, start again; 4, errors are left; and more for what it could not even do.
func (b *Boot) check() error {
	err := b.run("e2fsck", "-p", b.state)
	var exit interface{ ExitCode() int }
	if !errors.As(err, &exit) {
		return err // nil, or it did not run
	}
	switch code := exit.ExitCode(); {
	case code == 1:
		b.say("the file system of state was repaired")
		return nil
	case code > 0 && code < 4:
		return errors.New("the file system of state was repaired, and e2fsck wants the machine to start again")
	}
	return fmt.Errorf("the file system of state has errors that only a person may repair, as data may get lost: %w. "+
		"Repair it with e2fsck from a rescue system, or replace this node", err)
}
