package main

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"

	"slipway/cluster"
	"slipway/qemu"
	"slipway/secureboot"
)

// firmware is what --secure-boot asks for. An image that enrols its keys starts on firmware in setup mode, so that this is seen,
// too; for any other new machines get the keys at once.
func (o qemuUpOptions) firmware(s streams) (*qemu.SecureBoot, error) {
	loaded, err := s.load(o.spec)
	if err != nil {
		return nil, err
	}
	switch loaded.Spec.Image.SecureBoot.Enroll {
	case "":
		return nil, usageError{fmt.Errorf("reading --secure-boot: the image of %q is not signed\nhint: set `image.secureBoot.enroll` and build it again", o.spec)}
	case cluster.EnrollIfSafe, cluster.EnrollForce:
		return &qemu.SecureBoot{}, nil
	}
	keys := &qemu.FirmwareKeys{Owner: secureboot.OwnerOf(loaded.Spec.Cluster.ID).String()}
	if keys.Tool, err = exec.LookPath(qemu.ToolVars); err != nil {
		return nil, usageError{fmt.Errorf("looking for %q, which puts keys into firmware: not installed\nhint: apt install python3-virt-firmware (on Debian 12 from bookworm-backports), or `image.secureBoot.enroll: if-safe`", qemu.ToolVars)}
	}
	secrets := clusterOptions{spec: o.spec, secrets: o.secrets}
	for name, path := range map[string]*string{secureboot.PK: &keys.PK, secureboot.KEK: &keys.KEK, secureboot.DB: &keys.DB} {
		if *path, err = filepath.Abs(filepath.Join(secrets.secretsDir(), "secureboot", name+".crt")); err != nil {
			return nil, fmt.Errorf("finding the Secure Boot keys: %w", err)
		}
		if _, err := os.Stat(*path); err != nil {
			return nil, usageError{fmt.Errorf("looking for the Secure Boot keys: %w\nhint: run `slipway secureboot init` first", err)}
		}
	}
	return &qemu.SecureBoot{Keys: keys}, nil
}
