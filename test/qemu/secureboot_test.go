//go:build qemu && all

package qemu_test

import (
	"debug/pe"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"slipway/internal/testtool"
)

// What is seen of a machine: of one that starts the image the initrd's first words, of one that does not the firmware's, or the
// boot loader's.
const (
	started = `slipway: booted from /dev/`
	refused = `(?i)access denied|security violation|no bootable option`
	kernel  = "slipway: "
)

// secureLab is the lab's image once more, signed with the lab's keys and with another's. Only the disk is written anew.
type secureLab struct {
	*lab
	signed, other string // raw images
	vars          string // of firmware that has the lab's keys
}

func newSecureLab(t *testing.T) *secureLab {
	t.Helper()
	l := theLab(t)
	spec, err := os.ReadFile(filepath.Join(l.dir, l.spec))
	if err != nil {
		t.Fatal(err)
	}
	text := strings.Replace(string(spec), "outputs: [raw, qcow2, ova]", "secureBoot: {enroll: if-safe}", 1)
	if err := os.WriteFile(filepath.Join(l.dir, "signed.yaml"), []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
	s := &secureLab{lab: l, signed: filepath.Join(l.dir, "signed", "single.raw"), other: filepath.Join(l.dir, "other", "single.raw")}
	for _, keys := range []struct{ out, secrets string }{{"signed", "secrets"}, {"other", "othersecrets"}} {
		l.slipway(t, "secureboot", "init", "-f", "signed.yaml", "--secrets", keys.secrets)
		l.slipway(t, "build", "-f", "signed.yaml", "-o", keys.out, "--secrets", keys.secrets)
		l.slipway(t, "verify", filepath.Join(keys.out, "single.raw"), "-f", "signed.yaml", "--secrets", keys.secrets)
		t.Cleanup(func() { os.RemoveAll(filepath.Join(l.dir, keys.out)) })
	}
	s.vars = filepath.Join(t.TempDir(), "keys.fd")
	crt := func(name string) string { return filepath.Join(l.dir, "secrets", "secureboot", name+".crt") }
	const owner = "5ec0deb0-0701-8000-9000-000000000001"
	out, err := exec.Command(testtool.Find(t, "virt-fw-vars"), "--input", secureOVMF(t)[1], "--output", s.vars,
		"--set-pk", owner, crt("PK"), "--add-kek", owner, crt("KEK"), "--add-db", owner, crt("db"), "--sb").CombinedOutput()
	if err != nil {
		t.Fatalf("setting keys: %v\n%s", err, out)
	}
	return s
}

// secureOVMF is firmware with System Management Mode, and its variables without keys.
func secureOVMF(t *testing.T) [2]string {
	t.Helper()
	f := [2]string{secureCode, "/usr/share/OVMF/OVMF_VARS_4M.fd"}
	if _, err := os.Stat(f[0]); err != nil {
		testtool.Missing(t, "there is no "+f[0])
	}
	return f
}

// machine is one with its own copy of variables, and a disk on an image.
func (s *secureLab) machine(t *testing.T, vars, image string) bare {
	t.Helper()
	dir := t.TempDir()
	b := bare{secure: filepath.Join(dir, "vars.fd"), disks: []string{filepath.Join(dir, "disk.qcow2")}, quit: started + "|" + refused}
	data, err := os.ReadFile(vars)
	if err == nil {
		err = os.WriteFile(b.secure, data, 0o600)
	}
	if err != nil {
		t.Fatal(err)
	}
	b.use(t, image)
	return b
}

// use gives the machine a new disk on an image.
func (b bare) use(t *testing.T, image string) {
	t.Helper()
	if out, err := exec.Command("qemu-img", "create", "-q", "-f", "qcow2", "-F", "raw", "-b", image, b.disks[0], "8G").CombinedOutput(); err != nil {
		t.Fatalf("making a disk: %v: %s", err, out)
	}
}

// flip changes one byte of the machine's disk.
func (b bare) flip(t *testing.T, image string, at int64) {
	t.Helper()
	f, err := os.Open(image)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	one := make([]byte, 1)
	if _, err := f.ReadAt(one, at); err != nil {
		t.Fatal(err)
	}
	out, err := exec.Command("qemu-io", "-f", "qcow2", "-c", fmt.Sprintf("write -P %#x %d 1", one[0]^1, at), b.disks[0]).CombinedOutput()
	if err != nil {
		t.Fatalf("changing a byte: %v: %s", err, out)
	}
}

// section is where a section of the boot file begins on the disk, and how long it is. The boot file lies in one piece.
func section(t *testing.T, image, name string) (at, size int64) {
	t.Helper()
	f, err := os.Open(image)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	const first, last, cluster = 1 << 20, 257 << 20, 4 << 10 // the EFI system partition and how files are aligned in it, at least
	head := make([]byte, 2)
	for off := int64(first); off < last; off += cluster / 8 {
		if _, err := f.ReadAt(head, off); err != nil || string(head) != "MZ" {
			continue
		}
		p, err := pe.NewFile(io.NewSectionReader(f, off, last-off))
		if err != nil || p.Section(".linux") == nil {
			continue
		}
		s := p.Section(name)
		return off + int64(s.Offset), int64(s.VirtualSize)
	}
	t.Fatalf("no boot file in %s", image)
	return 0, 0
}

// TestSecureBoot: firmware with the cluster's keys starts its image, and no other.
func TestSecureBoot(t *testing.T) {
	s := newSecureLab(t)
	plain := filepath.Join(s.dir, s.out, "single.raw")
	for name, c := range map[string]struct {
		image string
		flip  string // the section of the boot file in which a byte changes
		extra string // what the host adds to the command line
		want  string
	}{
		"signed":                  {image: s.signed, want: started},
		"not signed":              {image: plain, want: refused},
		"signed by another":       {image: s.other, want: refused},
		"kernel changed":          {image: s.signed, flip: ".linux", want: refused},
		"initrd changed":          {image: s.signed, flip: ".initrd", want: refused},
		"command line changed":    {image: s.signed, flip: ".cmdline", want: refused},
		"argument added":          {image: s.signed, extra: "init=/bin/sh", want: `secure boot is on, and .*init=/bin/sh.* was added`},
		"another root hash added": {image: s.signed, extra: "roothash=" + strings.Repeat("0", 64), want: `secure boot is on, and .*roothash=0000`},
	} {
		t.Run(name, func(t *testing.T) {
			b := s.machine(t, s.vars, c.image)
			if c.flip != "" {
				at, size := section(t, c.image, c.flip)
				b.flip(t, c.image, at+size/2)
			}
			b.extra, b.quit = c.extra, b.quit+"|"+c.want
			b.demand(t, c.want)
		})
	}
}

func matches(pattern, text string) bool { return regexp.MustCompile(pattern).MatchString(text) }

// demand switches the machine on and wants to see something before anything else that ends the look.
func (b bare) demand(t *testing.T, want string) {
	t.Helper()
	console := b.run(t)
	if !matches(want, console) || want == refused && strings.Contains(console, kernel) {
		t.Errorf("no %q in\n%s", want, tail(console, 40))
	}
}

// TestSetupMode: on firmware without keys the image enrols its own by itself; from then on that firmware starts no other.
func TestSetupMode(t *testing.T) {
	s := newSecureLab(t)
	b := s.machine(t, secureOVMF(t)[1], s.signed)
	b.quit = started
	if console := b.run(t); !matches("(?i)enrolling secure boot keys", console) || strings.Contains(console, kernel) {
		t.Fatalf("nothing was enrolled:\n%s", tail(console, 40)) // the machine starts again after that, which here is off
	}
	b.quit = started + "|" + refused
	b.demand(t, started)
	for name, image := range map[string]string{"not signed": filepath.Join(s.dir, s.out, "single.raw"), "signed by another": s.other} {
		t.Run(name, func(t *testing.T) {
			b.use(t, image)
			b.demand(t, refused)
		})
	}
	b.use(t, s.signed)
	at, _ := section(t, s.signed, ".initrd")
	b.flip(t, s.signed, at+1<<20)
	b.demand(t, refused)
}

// TestQEMUSecureBoot: the same by `slipway qemu up`, which starts again after the keys are enrolled.
func TestQEMUSecureBoot(t *testing.T) {
	s := newSecureLab(t)
	l := *s.lab
	l.spec = "signed.yaml"
	l.slipway(t, "ignition", "-f", l.spec, "-o", "signed")
	n := newNode(t, &l, "signed")
	n.up(t, "--fresh", "--secure-boot", "--memory", "1GiB")
	n.waitSerial(t, bootLimit, `(?i)enrolling secure boot keys`)
	n.waitSerial(t, bootLimit, started)
}
