package qemu

import (
	"context"
	"fmt"
	"os/exec"
	"strings"
)

// ToolVars is the program that puts keys into the variables of UEFI firmware.
const ToolVars = "virt-fw-vars"

// SecureBoot is firmware that starts only what is signed. Without keys it is in setup mode: it starts anything until somebody
// has enrolled some, and then no longer.
type SecureBoot struct {
	Keys *FirmwareKeys // put into the variables of new machines; nil: setup mode
}

// FirmwareKeys are certificates in PEM files.
type FirmwareKeys struct {
	Tool        string // the path of virt-fw-vars
	Owner       string // the GUID under which they stand in the variables
	PK, KEK, DB string // absolute paths
}

// secureFirmwares are like firmwares, built with Secure Boot and System Management Mode: the guest's own kernel cannot write its
// variables then.
var secureFirmwares = [...][2]string{
	{"/usr/share/OVMF/OVMF_CODE_4M.secboot.fd", "/usr/share/OVMF/OVMF_VARS_4M.fd"},
	{"/usr/share/edk2/x64/OVMF_CODE.secboot.4m.fd", "/usr/share/edk2/x64/OVMF_VARS.4m.fd"},
	{"/usr/share/edk2/ovmf/OVMF_CODE.secboot.fd", "/usr/share/edk2/ovmf/OVMF_VARS.fd"},
}

// machineArgs is the board. Only System Management Mode may write the flash in which variables are, and it does not survive
// suspending to memory.
func machineArgs(s *SecureBoot) []string {
	if s == nil {
		return []string{"-machine", "q35,vmport=off"}
	}
	return []string{
		"-machine", "q35,vmport=off,smm=on",
		"-global", "driver=cfi.pflash01,property=secure,value=on",
		"-global", "ICH9-LPC.disable_s3=1",
	}
}

// varsCommand puts keys into a new machine's variables; none if there are none to put.
func varsCommand(s *SecureBoot) []string {
	if s == nil || s.Keys == nil {
		return nil
	}
	k := s.Keys
	return []string{k.Tool, "--inplace", fileVars, "--set-pk", k.Owner, k.PK, "--add-kek", k.Owner, k.KEK, "--add-db", k.Owner, k.DB, "--sb"}
}

// putKeys runs that command in a node's folder.
func putKeys(ctx context.Context, dir string, argv []string) error {
	if len(argv) == 0 {
		return nil
	}
	cmd := exec.CommandContext(ctx, argv[0], argv[1:]...)
	cmd.Dir = dir
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("putting Secure Boot keys into its firmware: %w\n%s said: %s", err, ToolVars, strings.TrimSpace(string(out)))
	}
	return nil
}
