package qemu

import (
	"context"
	"fmt"
	"os"
	"os/exec"
)

// Tools are the programs to use, as found by the caller; an empty path was not found.
type Tools struct {
	QEMU, Img string
	Switch    []string // the command that calls lan.Serve; it is given `--uplink SOCKET` and the nodes' sockets
}

// The names of the programs.
const (
	ToolQEMU = "qemu-system-x86_64"
	ToolImg  = "qemu-img"
)

// firmwares are where distributions keep UEFI code and variables, in order of preference.
var firmwares = [...][2]string{
	{"/usr/share/OVMF/OVMF_CODE_4M.fd", "/usr/share/OVMF/OVMF_VARS_4M.fd"},
	{"/usr/share/edk2/x64/OVMF_CODE.4m.fd", "/usr/share/edk2/x64/OVMF_VARS.4m.fd"},
	{"/usr/share/edk2/ovmf/OVMF_CODE.fd", "/usr/share/edk2/ovmf/OVMF_VARS.fd"},
}

// Inspect looks at this computer: tools, firmware and, for accel Auto, whether KVM really runs a guest. probeFile
// remembers the answer to that for as long as the computer is on.
func Inspect(ctx context.Context, tools Tools, accel Accel, probeFile string) (Host, error) {
	if tools.QEMU == "" {
		return Host{}, errNoTool(ToolQEMU)
	}
	if tools.Img == "" {
		return Host{}, errNoTool(ToolImg)
	}
	h := Host{QEMU: tools.QEMU, Img: tools.Img, Switch: tools.Switch, Accel: accel}
	out, err := exec.CommandContext(ctx, tools.QEMU, "--version").Output()
	if err != nil {
		return Host{}, fmt.Errorf("asking %q for its version: %w", tools.QEMU, err)
	}
	if h.Version, err = ParseVersion(string(out)); err != nil {
		return Host{}, err
	}
	if h.Code, h.Vars, err = findFirmware(); err != nil {
		return Host{}, err
	}
	if accel == Auto {
		h.Accel, err = probeKVM(ctx, h, kvmDevice, probeFile)
	}
	return h, err
}

func findFirmware() (code, vars string, err error) {
	var tried []string
	for _, f := range firmwares {
		if isFile(f[0]) && isFile(f[1]) {
			return f[0], f[1], nil
		}
		tried = append(tried, f[0])
	}
	return "", "", errNoFirmware(tried)
}

func isFile(path string) bool {
	info, err := os.Stat(path)
	return err == nil && info.Mode().IsRegular()
}
