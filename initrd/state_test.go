package initrd

import (
	"encoding/binary"
	"errors"
	"io"
	"os"
	"strings"
	"testing"

	"slipway/initrd/gpt"
)

// ext4 is the front of a file system of so many blocks of 4 KiB.
func ext4(state uint16, blocks uint32) string {
	b := make([]byte, 4096)
	super := b[superOffset:]
	binary.LittleEndian.PutUint16(super[atMagic:], magic)
	binary.LittleEndian.PutUint16(super[atState:], state)
	binary.LittleEndian.PutUint32(super[atBlocks:], blocks)
	binary.LittleEndian.PutUint32(super[atBlockSize:], 2)
	return string(b)
}

// TestMountState: what is made, checked, made larger or left alone, on a disk that is divided already.
func TestMountState(t *testing.T) {
	const size, whole = 578 * mib, 578 * mib / 4096
	for name, c := range map[string]struct {
		front   string
		e2fsck  int
		does    string // programs
		refuses string
	}{
		"clean":             {ext4(stateValid, whole), 0, "", ""},
		"nearly as large":   {ext4(stateValid, whole-4000), 0, "", ""},
		"room":              {ext4(stateValid, whole/2), 0, "resize2fs", ""},
		"blank":             {strings.Repeat("\x00", 4096), 0, "mkfs.ext4", ""},
		"foreign":           {"XFSB" + strings.Repeat("\xff", 4096), 0, "", "/dev/vda6 is named state, but holds no ext4: it is not touched"},
		"errors":            {ext4(stateValid|stateError, whole), 0, "e2fsck", ""},
		"not unmounted":     {ext4(0, whole), 0, "e2fsck", ""},
		"repaired":          {ext4(0, whole), 1, "e2fsck", ""},
		"repaired, restart": {ext4(0, whole), 3, "e2fsck", "wants the machine to start again"},
		"not repaired":      {ext4(0, whole), 4, "e2fsck", "only a person may repair, as data may get lost: e2fsck: exit status 4. Repair it"},
		"cannot be checked": {ext4(0, whole), 8, "e2fsck", "exit status 8"},
	} {
		w := newWorld(t)
		w.addDisk("vda", image(espGUID))
		b := w.boot()
		b.disk = b.disks()[0]
		if err := b.mountState(); err != nil {
			t.Fatal(err)
		}
		w.put("dev/vda6", c.front)
		os.Truncate(w.path("dev/vda6"), size)
		w.done = nil
		if c.e2fsck > 0 {
			w.fails["run e2fsck -p /dev/vda6"] = exit(c.e2fsck)
		}
		b = w.boot()
		b.disk = b.disks()[0]
		err := b.mountState()
		if (err == nil) != (c.refuses == "") || err != nil && !strings.Contains(err.Error(), c.refuses) {
			t.Errorf("%s: %v, want %q", name, err, c.refuses)
		}
		done := strings.Join(w.done, "\n")
		var programs []string
		for _, deed := range w.done {
			if f := strings.Fields(deed); f[0] == "run" {
				programs = append(programs, f[1])
			}
		}
		if got := strings.Join(programs, " "); got != c.does || strings.Contains(done, "mount /dev/vda6") != (c.refuses == "") {
			t.Errorf("%s: does %q", name, w.done)
		}
	}
}

// TestCutOffDivision: wherever making state loses its power, the table on the disk is still that of the image, or complete.
func TestCutOffDivision(t *testing.T) {
	for _, deed := range []string{"partition vda4", "partition vda6", "run mkfs.ext4"} {
		w := newWorld(t)
		w.addDisk("vda", image(espGUID))
		b := w.boot()
		b.disk = b.disks()[0]
		w.fails[deed] = errors.New("power cut")
		if err := b.mountState(); err == nil {
			t.Fatalf("%s: went on", deed)
		}
		if n := len(w.boot().disks()[0].table.Partitions()); n != 3 {
			t.Errorf("%s: %d partitions", deed, n)
		}
		delete(w.fails, deed)
		b = w.boot()
		b.disk = b.disks()[0]
		if err := b.mountState(); err != nil {
			t.Error(err)
		}
		parts := w.boot().disks()[0].table.Partitions()
		if len(parts) != 6 || parts[5].Name != gpt.StateName || parts[0].GUID == espGUID {
			t.Errorf("%s: then %v", deed, parts)
		}
	}
}

// TestGrownPartition: a disk that somebody made larger has a larger state; if that fails, the node goes on as it was.
func TestGrownPartition(t *testing.T) {
	w := newWorld(t)
	w.addDisk("vda", image(espGUID))
	b := w.boot()
	b.disk = b.disks()[0]
	if err := b.mountState(); err != nil {
		t.Fatal(err)
	}
	w.put("sys/class/block/vda/size", "2457600") // 1200 MiB
	os.Truncate(w.path("dev/vda"), 1200*mib)
	w.put("dev/vda6", ext4(stateValid, 578*mib/4096))
	os.Truncate(w.path("dev/vda6"), 1178*mib)
	w.done = nil
	w.runs["resize2fs"] = func(io.Writer) error { return exit(1) }
	b = w.boot()
	b.disk = b.disks()[0]
	if err := b.mountState(); err != nil {
		t.Fatal(err)
	}
	if got := strings.Join(w.done, "\n"); got != "partition vda6 false 21+1178 MiB\nmount /dev/vda6 /var ext4 \nrun resize2fs /dev/vda6" {
		t.Error(got)
	}
	w.says("state stays smaller than its partition: resize2fs: exit status 1")
}
