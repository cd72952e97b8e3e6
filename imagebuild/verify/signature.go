package verify

import (
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"path"
	"slices"
	"strings"

	"slipway/imagebuild/esp"
	"slipway/secureboot"
)

// Want is what an image must be beside whole.
type Want struct {
	// Signer is the certificate whose key must have signed what firmware starts. Without one signatures need not be there;
	// those that are must be right all the same, each by the certificate that it carries.
	Signer *x509.Certificate
}

const (
	maxProgram = 256 << 20 // bytes of one to be checked; all of an EFI system partition of ours
	maxUpdate  = 64 << 10  // bytes of a signed variable
	keysFolder = "loader/keys/auto/"
)

// signatures checks those of the programs of the EFI system partition, and the keys that are there to be enrolled.
func (c *checker) signatures(start int64, programs, files []esp.Entry) {
	var signers []*x509.Certificate
	unsigned := ""
	for _, p := range programs {
		by, err := c.signature(p)
		switch {
		case errors.Is(err, secureboot.ErrUnsigned) && c.want.Signer == nil:
			unsigned = p.Path
		case err != nil:
			c.find(start+p.Offset, "signature", "%s: %v", p.Path, err)
		default:
			signers = append(signers, by)
		}
	}
	if len(signers) > 0 && unsigned != "" {
		c.find(start, "signature", "%s is not signed, and others are", unsigned)
	}
	if len(signers) == len(programs) && len(signers) > 0 {
		c.report.SecureBoot = signers[0].Subject.CommonName
	}
	c.keys(start, slices.CompactFunc(signers, (*x509.Certificate).Equal), files)
}

// signature is the certificate by whose key a program is signed.
func (c *checker) signature(f esp.Entry) (*x509.Certificate, error) {
	program, err := readAll(f, maxProgram)
	if err != nil {
		return nil, err
	}
	if err := secureboot.Check(program, c.want.Signer); err != nil || c.want.Signer != nil {
		return c.want.Signer, err
	}
	by, err := secureboot.Signers(program)
	if err != nil || len(by) == 0 {
		return nil, fmt.Errorf("its signature names no certificate")
	}
	return by[0], nil
}

func readAll(f esp.Entry, most int64) ([]byte, error) {
	if f.Size > most {
		return nil, fmt.Errorf("%d bytes are more than the %d that are looked at", f.Size, most)
	}
	return io.ReadAll(io.NewSectionReader(f, 0, f.Size))
}

// keys checks what systemd-boot would enrol: all three variables, and a db that knows who signed.
func (c *checker) keys(start int64, signers []*x509.Certificate, files []esp.Entry) {
	var there []string
	for _, f := range files {
		name, ok := strings.CutPrefix(f.Path, keysFolder)
		if !ok {
			continue
		}
		there = append(there, name)
		update, err := readAll(f, maxUpdate)
		var certs []*x509.Certificate
		if err == nil {
			certs, err = secureboot.Certificates(update)
		}
		if err != nil {
			c.find(start+f.Offset, "signature", "%s: %v", f.Path, err)
			continue
		}
		for _, s := range signers {
			if name == secureboot.DB+".auth" && !slices.ContainsFunc(certs, s.Equal) {
				c.find(start+f.Offset, "signature", "%s: the certificate %q is not in it: firmware that enrols it would not start this image", f.Path, s.Subject.CommonName)
			}
		}
	}
	if len(there) == 0 && !c.enrols(files) {
		return
	}
	for _, name := range secureboot.Names() {
		if !slices.Contains(there, name+".auth") {
			c.find(start, "signature", "%s is missing: keys are enrolled together or not at all", path.Join(keysFolder, name+".auth"))
		}
	}
}

// enrols says whether the boot loader is told to.
func (c *checker) enrols(files []esp.Entry) bool {
	i := slices.IndexFunc(files, func(f esp.Entry) bool { return f.Path == "loader/loader.conf" })
	if i < 0 {
		return false
	}
	text, err := readAll(files[i], maxUpdate)
	if err != nil {
		return false
	}
	for line := range strings.Lines(string(text)) {
		if f := strings.Fields(line); len(f) == 2 && f[0] == "secure-boot-enroll" {
			return f[1] == "if-safe" || f[1] == "force"
		}
	}
	return false
}
