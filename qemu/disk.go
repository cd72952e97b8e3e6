package qemu

import (
	"cmp"
	"encoding/json"
	"strconv"
)

// blockdev is a block device as QEMU's options describe it, in JSON (QEMU QAPI, BlockdevOptions).
type blockdev struct {
	Driver   string    `json:"driver"`
	Node     string    `json:"node-name,omitempty"`
	ReadOnly bool      `json:"read-only,omitempty"`
	Offset   int64     `json:"offset,omitempty"`
	Size     int64     `json:"size,omitempty"`
	Filename string    `json:"filename,omitempty"`
	File     *blockdev `json:"file,omitempty"`
}

func (b blockdev) String() string {
	text, err := json.Marshal(b)
	if err != nil {
		panic(err) // strings and numbers always have a form
	}
	return string(text)
}

// imageDev is the disk in the image, which is never written.
func (a Artefacts) imageDev() blockdev {
	file := &blockdev{Driver: "file", Filename: a.Image, ReadOnly: true}
	if p := a.Inside.Part; p.Size > 0 {
		file = &blockdev{Driver: "raw", Offset: p.Offset, Size: p.Size, File: file, ReadOnly: true}
	}
	return blockdev{Driver: cmp.Or(a.Inside.Format, "raw"), File: file, ReadOnly: true}
}

// diskCommand makes a node's disk on top of the image.
func diskCommand(lab Lab, art Artefacts, host Host) []string {
	backing := art.Image
	if art.Inside.Part.Size > 0 {
		backing = "json:" + art.imageDev().String()
	}
	return []string{host.Img, "create", "-q", "-f", "qcow2", "-F", cmp.Or(art.Inside.Format, "raw"), "-b", backing,
		fileDisk, strconv.FormatInt(lab.DiskSize, 10)}
}

// diskArgs are the firmware and the node's disk. The UEFI firmware of distributions cannot read from pvscsi: for it, the
// EFI system partition is a second disk, read-only and on virtio. The kernel finds root and state on pvscsi alone.
func diskArgs(art Artefacts, host Host, opts Options) []string {
	argv := []string{
		"-drive", "if=pflash,unit=0,format=raw,readonly=on,file=" + escape(host.Code),
		"-drive", "if=pflash,unit=1,format=raw,file=" + fileVars,
		"-drive", "if=none,id=disk0,format=qcow2,discard=unmap,file=" + fileDisk,
	}
	if !opts.VMware {
		return append(argv, "-device", "virtio-blk-pci,drive=disk0,bootindex=0,addr=0x2")
	}
	disk := art.imageDev()
	esp := blockdev{Driver: "raw", Node: "esp", ReadOnly: true, Offset: art.Inside.ESP.Offset, Size: art.Inside.ESP.Size, File: &disk}
	return append(argv,
		"-device", "pvscsi,id=scsi0,addr=0x2", "-device", "scsi-hd,bus=scsi0.0,drive=disk0",
		"-blockdev", esp.String(), "-device", "virtio-blk-pci,drive=esp,bootindex=0")
}
