package blockdev

import (
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"slipway/internal/testtool"
)

// disk makes an empty one of 40 MiB and has tools work on it; a line's first word is the tool, DISK is the file.
func disk(t *testing.T, commands ...string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "disk")
	if err := os.WriteFile(path, nil, 0o644); err != nil {
		t.Fatal(err)
	}
	if err := os.Truncate(path, 40<<20); err != nil {
		t.Fatal(err)
	}
	for _, c := range commands {
		args := strings.Split(strings.ReplaceAll(c, "DISK", path), "|")
		tool := testtool.Find(t, args[0])
		if out, err := exec.Command(tool, args[1:]...).CombinedOutput(); err != nil {
			t.Fatalf("%v: %v\n%s", args, err, out)
		}
	}
	return path
}

const uuid = "11111111-2222-3333-4444-555555555555"

func TestSignatures(t *testing.T) {
	for name, c := range map[string]struct {
		commands []string
		want     []Signature
	}{
		"empty": {nil, nil},
		"ext4":  {[]string{`mkfs.ext4|-q|-L|lä "b\|-U|` + uuid + "|DISK"}, []Signature{{Type: "ext4", UUID: uuid, Label: `lä "b\`}}},
		"vfat":  {[]string{"mkfs.vfat|-i|A1B2C3D4|-n|BOOT|DISK"}, []Signature{{Type: "vfat", UUID: "A1B2-C3D4", Label: "BOOT"}}},
		"swap":  {[]string{"mkswap|-q|-U|" + uuid + "|DISK"}, []Signature{{Type: "swap", UUID: uuid}}},
		"GPT":   {[]string{"sgdisk|-n|1:0:0|DISK"}, nil},
	} {
		got, err := Signatures("wipefs", disk(t, c.commands...))
		if err != nil || !reflect.DeepEqual(got, c.want) {
			t.Errorf("%s: %+v %v", name, got, err)
		}
	}
	if _, err := Signatures("wipefs", "/nonexistent"); err == nil || !strings.Contains(err.Error(), "No such file") {
		t.Errorf("got %v", err)
	}
}

func TestPartitions(t *testing.T) {
	const linux = "0fc63daf-8483-4772-8e79-3d69d8477de4"
	two := disk(t, `sgdisk|-n|1:2048:4095|-c|1:a "b\ ü|-t|1:8300|-u|1:`+uuid+"|-n|3:4096:8191|-t|3:8300|-u|3:"+uuid[:35]+"6|DISK")
	want := []Partition{
		{Number: 1, Start: 2048, Sectors: 2048, Name: `a "b\ ü`, UUID: uuid, Type: linux},
		{Number: 3, Start: 4096, Sectors: 4096, UUID: uuid[:35] + "6", Type: linux},
	}
	if got, err := Partitions("partx", two); err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("%+v %v", got, err)
	}
	for name, commands := range map[string][]string{"nothing": nil, "an empty GPT": {"sgdisk|-o|DISK"}, "a file system": {"mkfs.ext4|-q|DISK"}} {
		if got, err := Partitions("partx", disk(t, commands...)); got != nil || err != nil {
			t.Errorf("%s: %+v %v", name, got, err)
		}
	}
	if _, err := Partitions("partx", disk(t, "sgdisk|-n|1:0:0|-m|1|DISK")); !errors.Is(err, ErrNoGPT) {
		t.Errorf("a DOS table: %v", err)
	}
	if _, err := Partitions("partx", "/nonexistent"); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("got %v", err)
	}
	if _, err := Partitions("/nonexistent/partx", two); err == nil {
		t.Error("no partx, no error")
	}
}

func TestSectorSizeOfNoDevice(t *testing.T) {
	if _, err := SectorSize(disk(t)); err == nil || !strings.Contains(err.Error(), "sector size") {
		t.Errorf("got %v", err)
	}
}
