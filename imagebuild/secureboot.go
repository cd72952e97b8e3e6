package imagebuild

import (
	"bytes"
	"crypto/sha256"
	"fmt"
	"time"

	"slipway/cluster"
	"slipway/imagebuild/esp"
	"slipway/secureboot"
)

// SecureBoot is what an image is signed with.
type SecureBoot struct {
	Key     secureboot.Key    // of db: it signs the boot loader and the boot file
	Updates map[string][]byte // signed content of PK, KEK and db, which the boot loader enrols
}

// keysFolder is the only one from which systemd-boot enrols by itself: loader.conf(5), secure-boot-enroll.
const keysFolder = "loader/keys/auto/"

// loaderConf is the boot loader's configuration: no menu, no editor.
func (p *Plan) loaderConf() []byte {
	text := "timeout 0\neditor no\n"
	if p.SecureBoot != "" {
		text += "secure-boot-enroll " + p.SecureBoot + "\n"
	}
	return []byte(text)
}

// enrols says whether the boot loader may enrol keys, so that they must be there.
func (p *Plan) enrols() bool { return p.SecureBoot != "" && p.SecureBoot != cluster.EnrollOff }

// checkSecureBoot refuses to begin without what the image is to be signed with.
func (b *builder) checkSecureBoot() error {
	if b.plan.SecureBoot == "" {
		return nil
	}
	if b.opt.SecureBoot == nil {
		return inputError{fmt.Errorf("signing the image: there are no keys for `image.secureBoot`\nhint: run `slipway secureboot init` first")}
	}
	if err := b.opt.SecureBoot.Key.Check(); err != nil {
		return inputError{fmt.Errorf("signing the image: %w", err)}
	}
	return nil
}

// signed is a program as it goes to the EFI system partition. The time in the signature is that of the lock, so that two builds of one
// lock are equal.
func (b *builder) signed(name string, program []byte) ([]byte, error) {
	if b.plan.SecureBoot == "" {
		return program, nil
	}
	out, err := secureboot.Sign(program, b.opt.SecureBoot.Key, time.Unix(b.lock.Epoch, 0))
	if err != nil {
		return nil, fmt.Errorf("signing %s: %w", name, err)
	}
	return out, nil
}

// updates are the files that the boot loader enrols keys from.
func (b *builder) updates() ([]esp.File, error) {
	if !b.plan.enrols() {
		return nil, nil
	}
	var files []esp.File
	for _, name := range secureboot.Names() {
		update := b.opt.SecureBoot.Updates[name]
		if _, err := secureboot.Certificates(update); err != nil {
			return nil, fmt.Errorf("putting %s.auth into the image: %w", name, err)
		}
		files = append(files, esp.File{Path: keysFolder + name + ".auth", Data: bytes.NewReader(update), Size: int64(len(update))})
	}
	return files, nil
}

// secureBootKey is what signatures and keys in the image depend on.
func (b *builder) secureBootKey() string {
	if b.plan.SecureBoot == "" {
		return ""
	}
	h := sha256.New()
	h.Write(b.opt.SecureBoot.Key.Cert.Raw)
	for _, name := range secureboot.Names() {
		fmt.Fprintf(h, "%x", sha256.Sum256(b.opt.SecureBoot.Updates[name]))
	}
	return fmt.Sprintf("%s %x", b.plan.SecureBoot, h.Sum(nil))
}
