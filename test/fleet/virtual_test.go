//go:build fleet

package fleet_test

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"time"
)

// isVirtual says whether a machine is one of QEMU's: its spec names the card that QEMU gives.
func (n *node) isVirtual() bool { return n.card == "enp0s3" }

// pause is between two looks at the nodes. Emulated machines are asked less often: each answer costs them a part of a second.
func (f *fleet) pause() time.Duration {
	for _, n := range f.nodes {
		if n.isVirtual() {
			return 5 * time.Second
		}
	}
	return 200 * time.Millisecond
}

// plugVirtual gives the switch a port for the machine's card.
func (f *fleet) plugVirtual(n *node) {
	f.t.Helper()
	must(f.t, "ip", "tuntap", "add", "mode", "tap", "name", n.port())
	must(f.t, "ip", "link", "set", n.port(), "master", bridge)
}

// bootVirtual starts QEMU with the image that everybody has, with one processor, so that several of them get on beside containers.
func (f *fleet) bootVirtual(n *node) error {
	disk := filepath.Join(n.dir, "disk.qcow2")
	if _, err := os.Stat(disk); errors.Is(err, os.ErrNotExist) {
		if err := n.blank(filepath.Join(f.image.out(), "fleet.raw"), disk); err != nil {
			return err
		}
	}
	if err := command("ip", "link", "set", n.port(), "up"); err != nil {
		return err
	}
	cmd := exec.Command("qemu-system-x86_64", "-no-user-config", "-nodefaults", "-display", "none", "-machine", "q35,vmport=off",
		"-accel", "tcg,thread=multi", "-cpu", "max", "-smp", "1", "-m", "2048M", "-device", "virtio-rng-pci",
		"-drive", "if=pflash,unit=0,format=raw,readonly=on,file="+firmware+"CODE_4M.fd", "-drive", "if=pflash,unit=1,format=raw,file=vars.fd",
		"-drive", "if=none,id=disk,format=qcow2,file=disk.qcow2", "-device", "virtio-blk-pci,drive=disk,addr=0x2,bootindex=0",
		"-netdev", "tap,id=lan,script=no,downscript=no,ifname="+n.port(), "-device", "virtio-net-pci,netdev=lan,addr=0x3,romfile=,mac="+n.mac(),
		"-chardev", "file,id=console,append=on,path=console.log", "-serial", "chardev:console",
		"-fw_cfg", "name=opt/com.coreos/config,file="+filepath.Join(f.dir, fmt.Sprintf("%s.%s.ign", f.cluster(), n.name)))
	cmd.Dir = n.dir
	cmd.Stderr = os.Stderr
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	if err := cmd.Start(); err != nil {
		return err
	}
	n.init, n.off = cmd.Process.Pid, make(chan struct{})
	go func() {
		cmd.Wait()
		close(n.off)
	}()
	return nil
}

// firmware is where Debian keeps that of virtual machines.
const firmware = "/usr/share/OVMF/OVMF_"

// blank gives the machine a new disk and new firmware variables.
func (n *node) blank(image, disk string) error {
	if err := os.MkdirAll(n.dir, 0o755); err != nil {
		return err
	}
	return errors.Join(copyFile(firmware+"VARS_4M.fd", filepath.Join(n.dir, "vars.fd")),
		command("qemu-img", "create", "-q", "-f", "qcow2", "-F", "raw", "-b", image, disk, "8G"))
}
