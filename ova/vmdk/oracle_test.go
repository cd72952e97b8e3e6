package vmdk

import (
	"encoding/json"
	"os"
	"strings"
	"testing"

	"slipway/internal/testtool"
)

// TestForeignReadersAgree has other programs read both layouts.
func TestForeignReadersAgree(t *testing.T) {
	qemu, vmdkinfo := testtool.Find(t, "qemu-img"), testtool.Find(t, "vmdkinfo")
	dir := t.TempDir()
	for _, size := range []int{1, grainSize + 1, align, tableSpan*sector + 1} {
		image := make([]byte, size)
		copy(image, randomImage(seeded(uint64(size)), min(size, align)))
		image[size-1] = 1
		file, info := mustWrite(t, image)
		raw := save(t, dir, "raw", append(image, make([]byte, int(info.Capacity)-size)...))
		for name, b := range map[string][]byte{"front": file, "back": backed(t, file)} {
			path := save(t, dir, name+".vmdk", b)
			run(t, qemu, "compare", "-f", "raw", "-F", "vmdk", raw, path)
			run(t, qemu, "check", path)
			checkInfo(t, run(t, qemu, "info", "--output=json", path), info)
			out := run(t, vmdkinfo, path)
			for _, want := range []string{"Stream optimized", "disk.vmdk"} {
				if !strings.Contains(out, want) {
					t.Errorf("%d bytes, %s: vmdkinfo does not say %q:\n%s", size, name, want, out)
				}
			}
		}
	}
}

// checkInfo compares what qemu-img says.
func checkInfo(t *testing.T, out string, info Info) {
	t.Helper()
	var got struct {
		Format      string
		VirtualSize int64 `json:"virtual-size"`
		Specific    struct {
			Data struct {
				CreateType string `json:"create-type"`
				CID        uint32
				Extents    []struct {
					Compressed  bool
					ClusterSize int64 `json:"cluster-size"`
				}
			}
		} `json:"format-specific"`
	}
	if err := json.Unmarshal([]byte(out), &got); err != nil {
		t.Fatal(err)
	}
	d := got.Specific.Data
	if got.Format != "vmdk" || got.VirtualSize != info.Capacity || d.CreateType != "streamOptimized" ||
		len(d.Extents) != 1 || !d.Extents[0].Compressed || d.Extents[0].ClusterSize != grainSize {
		t.Errorf("qemu-img says %+v", got)
	}
}

// TestFilesOfQemu reads what qemu-img writes, and finds what made vCenter refuse such files.
func TestFilesOfQemu(t *testing.T) {
	qemu := testtool.Find(t, "qemu-img")
	for size, wants := range map[int][]string{
		3 * align:          {"flags is 0x30003, want 0x30001", "redundant directory offset", "descriptor: line 3", " end marker"},
		3*align + 5*sector: {"capacity of 6149 sectors", "it inflates to 2560 bytes"},
	} {
		dir := t.TempDir()
		image := randomImage(seeded(7), size)
		image[size-1] = 1
		raw, path := save(t, dir, "raw", image), dir+"/qemu.vmdk"
		run(t, qemu, "convert", "-f", "raw", "-O", "vmdk", "-o", "subformat=streamOptimized", raw, path)
		b, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		got, err := content(b)
		if err != nil || string(got) != string(image) {
			t.Errorf("%d bytes: content of qemu-img's file: %v", size, err)
		}
		found := texts(lint(b))
		for _, want := range wants {
			if !strings.Contains(found, want) {
				t.Errorf("%d bytes: no finding with %q:\n%s", size, want, found)
			}
		}
	}
}
