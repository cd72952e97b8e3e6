// Package ova writes and checks OVA packages: a tar archive of an OVF descriptor, a manifest, an optional signature and
// the virtual disks.
//
// Start with [Write], which streams a [Package], and [Open] with [Archive.Check], which re-read one from scratch and
// name everything that a vSphere importer, or the guest, could stumble over. The package does not look inside the
// disks: it is told their size, digest and capacity, and gives them back. It knows one virtual machine a package.
//
// Formats: DMTF DSP0243 1.1 (OVF), DSP8023 (its schema), POSIX.1-1988 (ustar).
package ova

import (
	"crypto"
	"crypto/sha256"
	"crypto/x509"
	"io"
	"time"
)

// Defaults of [Hardware].
const (
	DefaultVersion = 15                    // of the virtual hardware: ESXi 6.7 U2 and newer run it
	DefaultGuestOS = "other4xLinux64Guest" // known since vSphere API 6.7; an unknown one makes the importer guess
)

// Keys of the properties by which a guest gets its Ignition config.
const (
	KeyData     = "guestinfo.ignition.config.data"
	KeyEncoding = "guestinfo.ignition.config.data.encoding"
)

// Package is everything that goes into an OVA. The same package makes the same bytes.
type Package struct {
	Name     string    // of the machine, and of the descriptor, manifest and signature without their suffixes
	Product  Product   // shown by the importer
	Hardware Hardware  // that the machine starts with
	Disks    []Disk    // in the order in which the guest sees them
	Time     time.Time // of every file in the archive, to the second
	Signer   *Signer   // nil: no signature
}

// Product names the software in the package.
type Product struct {
	Name, Vendor, Version string
}

// Hardware is the virtual machine. Firmware is always EFI, disks are on a paravirtual SCSI controller, and network
// adapters are VMXNET3.
type Hardware struct {
	Version    int      // as in vmx-15; 0 for DefaultVersion
	GuestOS    string   // vSphere's guest identifier; "" for DefaultGuestOS
	CPUs       int      // virtual
	MemoryMiB  int64    // a multiple of 4
	Networks   []string // one adapter each; the importer maps the names to its own networks
	SecureBoot bool
}

// Disk is a finished streamOptimized VMDK file.
type Disk struct {
	File     string            // its name in the archive
	Capacity int64             // of the virtual disk, bytes: a multiple of 1 MiB, as the VMDK's own header has it
	Size     int64             // of the file, bytes
	SHA256   [sha256.Size]byte // of the file
	Open     func() (io.ReadCloser, error)
}

// Signer signs the manifest.
type Signer struct {
	Key   crypto.Signer       // RSA
	Chain []*x509.Certificate // the key's own first, then each one's issuer
}

func (h Hardware) withDefaults() Hardware {
	if h.Version == 0 {
		h.Version = DefaultVersion
	}
	if h.GuestOS == "" {
		h.GuestOS = DefaultGuestOS
	}
	return h
}

func (p Package) descriptorName() string { return p.Name + ".ovf" }
func (p Package) manifestName() string   { return p.Name + ".mf" }
func (p Package) signatureName() string  { return p.Name + ".cert" }
