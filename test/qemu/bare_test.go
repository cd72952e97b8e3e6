//go:build qemu

package qemu_test

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"
)

// bare is a machine for a look at the initrd: one processor, little memory, whatever disks and config a test wants, and
// no formation. A machine that starts again is switched off instead, so that a boot that fails has an end.
type bare struct {
	disks  []string          // the first is booted from
	behind bool              // the disk that is booted from comes last on the bus
	config string            // path of a config; "" for none
	fwcfg  map[string]string // more of QEMU's fw_cfg
	extra  string            // added to the kernel command line, which an unsigned image takes from SMBIOS
	quit   string            // a pattern on the console that ends the look
}

// ovmf are where distributions keep UEFI firmware: code and variables.
var ovmf = [][2]string{
	{"/usr/share/OVMF/OVMF_CODE_4M.fd", "/usr/share/OVMF/OVMF_VARS_4M.fd"},
	{"/usr/share/edk2/x64/OVMF_CODE.4m.fd", "/usr/share/edk2/x64/OVMF_VARS.4m.fd"},
}

// newDisk is a disk on top of the lab's image, in a folder of the test's own.
func newDisk(t *testing.T, l *lab, dir, name string) string {
	t.Helper()
	path := filepath.Join(dir, name)
	image := filepath.Join(l.dir, l.out, "single.raw")
	if out, err := exec.Command("qemu-img", "create", "-q", "-f", "qcow2", "-F", "raw", "-b", image, path, "8G").CombinedOutput(); err != nil {
		t.Fatalf("making a disk: %v: %s", err, out)
	}
	return path
}

// run switches the machine on, waits until it is off or has said what ends the look, and returns its serial console.
func (b bare) run(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	serial := filepath.Join(dir, "serial.log")
	cmd := exec.Command("qemu-system-x86_64", b.argv(t, dir)...)
	cmd.Dir = dir
	var out strings.Builder
	cmd.Stdout, cmd.Stderr = &out, &out
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	off := make(chan error, 1)
	go func() { off <- cmd.Wait() }()
	defer cmd.Process.Kill()
	quit := regexp.MustCompile(b.quit)
	for end := time.Now().Add(bootLimit); time.Now().Before(end); time.Sleep(200 * time.Millisecond) {
		text, _ := os.ReadFile(serial)
		select {
		case err := <-off:
			if err != nil {
				t.Fatalf("qemu: %v\n%s", err, out.String())
			}
			text, _ := os.ReadFile(serial)
			return string(text)
		default:
		}
		if b.quit != "" && quit.Match(text) {
			cmd.Process.Kill()
			<-off
			return string(text)
		}
	}
	text, _ := os.ReadFile(serial)
	t.Fatalf("the machine is still on after %v:\n%s", bootLimit, tail(string(text), 40))
	return ""
}

func (b bare) argv(t *testing.T, dir string) []string {
	t.Helper()
	argv := []string{"-no-user-config", "-nodefaults", "-display", "none", "-no-reboot", "-machine", "q35", "-accel", "tcg,thread=multi", "-cpu", "max",
		"-smp", "1", "-m", "1024M", "-serial", "file:serial.log", "-device", "virtio-rng-pci",
		"-netdev", "user,id=net0,restrict=on", "-device", "virtio-net-pci,netdev=net0,addr=0x10"}
	argv = append(argv, firmware(t, dir)...)
	for i, disk := range b.disks {
		at := i
		if b.behind {
			at = len(b.disks) - 1 - i
		}
		argv = append(argv, "-drive", fmt.Sprintf("if=none,id=disk%d,format=qcow2,file=%s", i, disk),
			"-device", fmt.Sprintf("virtio-blk-pci,drive=disk%d,addr=%#x,bootindex=%d", i, 4+at, i))
	}
	if b.config != "" {
		argv = append(argv, "-fw_cfg", "name=opt/com.coreos/config,file="+b.config)
	}
	for name, text := range b.fwcfg {
		argv = append(argv, "-fw_cfg", "name="+name+",string="+text)
	}
	if b.extra != "" {
		argv = append(argv, "-smbios", "type=11,value=io.systemd.stub.kernel-cmdline-extra="+b.extra)
	}
	return argv
}

func firmware(t *testing.T, dir string) []string {
	t.Helper()
	for _, f := range ovmf {
		vars, err := os.ReadFile(f[1])
		if err != nil {
			continue
		}
		if err := os.WriteFile(filepath.Join(dir, "vars.fd"), vars, 0o600); err != nil {
			t.Fatal(err)
		}
		return []string{"-drive", "if=pflash,unit=0,format=raw,readonly=on,file=" + f[0], "-drive", "if=pflash,unit=1,format=raw,file=vars.fd"}
	}
	t.Fatal("no UEFI firmware for QEMU: install ovmf")
	return nil
}
