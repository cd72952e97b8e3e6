package verity

import (
	"encoding/binary"
	"fmt"
	"os"
	"unsafe"

	"golang.org/x/sys/unix"
)

// Requests and flags of dm-ioctl.h: _IOWR(0xfd, number, struct dm_ioctl).
const (
	createRequest  = 0xc138fd03
	suspendRequest = 0xc138fd06 // without the flag that asks to suspend, it resumes: the table begins to count
	loadRequest    = 0xc138fd09

	readOnlyFlag = 1 << 0
	bufferSize   = 4096
)

// request is struct dm_ioctl, with room for one target behind it.
type request [bufferSize]byte

// Layout of struct dm_ioctl and of struct dm_target_spec.
const (
	headSize, targetSize                                          = 312, 40
	atVersion, atSize, atStart, atCount, atFlags, atDev           = 0, 12, 16, 20, 28, 40
	atName, nameSize, atUUID, uuidSize                            = 48, 128, 176, 129
	atSectorStart, atLength, atTargetType, targetTypeSize, atNext = 0, 8, 24, 16, 20
)

func newRequest(name string) *request {
	var r request
	binary.NativeEndian.PutUint32(r[atVersion:], 4)
	binary.NativeEndian.PutUint32(r[atSize:], bufferSize)
	binary.NativeEndian.PutUint32(r[atStart:], headSize)
	copy(r[atName:atName+nameSize-1], name)
	return &r
}

// withTarget adds a read-only target of sectors.
func (r *request) withTarget(kind string, sectors uint64, params string) (*request, error) {
	if headSize+targetSize+len(params)+1 > bufferSize {
		return nil, fmt.Errorf("a table line of %d bytes", len(params))
	}
	binary.NativeEndian.PutUint32(r[atCount:], 1)
	binary.NativeEndian.PutUint32(r[atFlags:], readOnlyFlag)
	t := r[headSize:]
	binary.NativeEndian.PutUint64(t[atSectorStart:], 0)
	binary.NativeEndian.PutUint64(t[atLength:], sectors)
	binary.NativeEndian.PutUint32(t[atNext:], 0)
	copy(t[atTargetType:atTargetType+targetTypeSize-1], kind)
	copy(t[targetSize:], params)
	return r, nil
}

func (r *request) send(f *os.File, number uintptr) error {
	if _, _, errno := unix.Syscall(unix.SYS_IOCTL, f.Fd(), number, uintptr(unsafe.Pointer(r))); errno != 0 {
		return errno
	}
	return nil
}

// Open makes the verified device name and gives its number. control is /dev/mapper/control.
func Open(control, name, id string, sectors uint64, params string) (major, minor uint32, err error) {
	f, err := os.OpenFile(control, os.O_RDWR, 0)
	if err != nil {
		return 0, 0, fmt.Errorf("opening device mapper: %w", err)
	}
	defer f.Close()
	create := newRequest(name)
	copy(create[atUUID:atUUID+uuidSize-1], id)
	load, err := newRequest(name).withTarget("verity", sectors, params)
	if err != nil {
		return 0, 0, fmt.Errorf("making the verified device: %w", err)
	}
	for _, step := range []struct {
		number uintptr
		r      *request
	}{{createRequest, create}, {loadRequest, load}, {suspendRequest, newRequest(name)}} {
		if err := step.r.send(f, step.number); err != nil {
			return 0, 0, fmt.Errorf("making the verified device: %w", err)
		}
		if step.r == create {
			dev := binary.NativeEndian.Uint64(create[atDev:])
			major, minor = unix.Major(dev), unix.Minor(dev)
		}
	}
	return major, minor, nil
}
