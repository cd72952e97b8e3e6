package main

import (
	"bytes"
	"fmt"
	"os"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"

	"slipway/initrd/gpt"
)

// partition and partitionRequest are structs of linux/blkpg.h.
type partition struct {
	Start, Length int64 // bytes
	Number        int32
	_             [128]byte // names, which the kernel does not read
}

type partitionRequest struct {
	Op, Flags, Size int32
	Data            unsafe.Pointer
}

const (
	addPartition    = 1
	resizePartition = 3
)

// Partition tells the kernel of one partition, which works while others of the disk are in use.
func (*machine) Partition(disk string, c gpt.Change, sector int64) error {
	f, err := os.OpenFile(disk, os.O_RDWR, 0)
	if err != nil {
		return err
	}
	defer f.Close()
	p := partition{Start: int64(c.First) * sector, Length: int64(c.Sectors()) * sector, Number: int32(c.Number)}
	r := partitionRequest{Op: resizePartition, Size: int32(unsafe.Sizeof(p)), Data: unsafe.Pointer(&p)}
	if c.New {
		r.Op = addPartition
	}
	if _, _, errno := unix.Syscall(unix.SYS_IOCTL, f.Fd(), unix.BLKPG, uintptr(unsafe.Pointer(&r))); errno != 0 {
		return fmt.Errorf("partition %d: %w", c.Number, errno)
	}
	return nil
}

// listen opens the socket on which the kernel tells of devices; -1 if it cannot: then one looks again and again.
func listen() int {
	fd, err := unix.Socket(unix.AF_NETLINK, unix.SOCK_DGRAM|unix.SOCK_NONBLOCK|unix.SOCK_CLOEXEC, unix.NETLINK_KOBJECT_UEVENT)
	if err != nil {
		return -1
	}
	const fromKernel = 1
	if err := unix.Bind(fd, &unix.SockaddrNetlink{Family: unix.AF_NETLINK, Groups: fromKernel}); err != nil {
		unix.Close(fd)
		return -1
	}
	return fd
}

// DeviceEvent waits for an event that can bring a disk nearer.
func (m *machine) DeviceEvent(limit time.Duration) bool {
	for end := time.Now().Add(limit); ; {
		left := time.Until(end)
		if left <= 0 {
			return false
		}
		if m.events < 0 {
			time.Sleep(left)
			return false
		}
		fds := []unix.PollFd{{Fd: int32(m.events), Events: unix.POLLIN}}
		if _, err := unix.Poll(fds, max(1, int(left.Milliseconds()))); err != nil && err != unix.EINTR {
			return false
		}
		if m.drain() {
			return true
		}
	}
}

// drain takes all events that wait, and says whether one was of a device with a driver, or of a disk.
func (m *machine) drain() (found bool) {
	buf := make([]byte, 16<<10)
	for {
		n, _, err := unix.Recvfrom(m.events, buf, 0)
		if err == unix.ENOBUFS { // there were more than the socket holds
			found = true
			continue
		}
		if err != nil || n == 0 {
			return found
		}
		found = found || bytes.Contains(buf[:n], []byte("MODALIAS=")) || bytes.Contains(buf[:n], []byte("SUBSYSTEM=block"))
	}
}
