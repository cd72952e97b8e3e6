package ova

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"reflect"
	"strings"
	"testing"
	"time"

	"slipway/internal/golden"
)

// listing is an archive as text: offset, size, type and name of each file, then the digest of all bytes.
func listing(t testing.TB, b []byte) string {
	t.Helper()
	var out strings.Builder
	a := mustOpen(t, b)
	for _, m := range a.Members {
		fmt.Fprintf(&out, "%6d %6d %c %s\n", m.Offset, m.Size, m.Type, m.Name)
	}
	fmt.Fprintf(&out, "%6d end\n%6d size\nsha256 %x\n", a.End, a.Size, sha256.Sum256(b))
	return out.String()
}

func TestGoldens(t *testing.T) {
	for name, p := range map[string]Package{"plain": testPackage(), "rich": rich()} {
		b := mustWrite(t, p)
		golden.Check(t, "testdata/"+name+".txt", listing(t, b))
		descriptor, err := p.Descriptor()
		if err != nil {
			t.Fatal(err)
		}
		golden.Check(t, "testdata/"+name+".ovf", descriptor)
	}
}

func TestManifestLines(t *testing.T) {
	b := mustWrite(t, testPackage())
	m, _ := mustOpen(t, b).Member("node.mf")
	got, err := io.ReadAll(m.Content())
	if err != nil {
		t.Fatal(err)
	}
	descriptor, _ := testPackage().Descriptor()
	want := fmt.Sprintf("SHA256(node.ovf)= %x\nSHA256(node.vmdk)= %x\n", sha256.Sum256(descriptor), testPackage().Disks[0].SHA256)
	if string(got) != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
}

// TestWriteThenCheck reads back what was written: no finding, and the same machine.
func TestWriteThenCheck(t *testing.T) {
	bare := testPackage()
	bare.Hardware.SecureBoot = false
	signed := testPackage()
	signed.Signer = testSigner(t)
	for name, p := range map[string]Package{"plain": testPackage(), "rich": rich(), "bare": bare, "signed": signed} {
		b := mustWrite(t, p)
		if size, err := p.Size(); err != nil || size != int64(len(b)) {
			t.Errorf("%s: size %d (%v), wrote %d", name, size, err, len(b))
		}
		r := mustCheck(t, b)
		if len(r.Findings) > 0 {
			t.Errorf("%s: %s", name, lines(r.Findings))
		}
		if want := p.Hardware.withDefaults(); !reflect.DeepEqual(r.Hardware, want) || r.Product != p.Product || r.Name != p.Name {
			t.Errorf("%s: read %+v, want %+v", name, r, want)
		}
		if (r.Signer == "CN=packages") != (p.Signer != nil) {
			t.Errorf("%s: signed by %q", name, r.Signer)
		}
		checkDisks(t, name, r.Disks, p.Disks)
	}
}

func checkDisks(t *testing.T, name string, got []AttachedDisk, want []Disk) {
	t.Helper()
	if len(got) != len(want) {
		t.Fatalf("%s: %d disks, want %d", name, len(got), len(want))
	}
	for i, d := range want {
		content, err := io.ReadAll(got[i].File.Content())
		if err != nil || got[i].Capacity != d.Capacity || got[i].File.Name != d.File || sha256.Sum256(content) != d.SHA256 {
			t.Errorf("%s: disk %d is %q of %d bytes (%v)", name, i, got[i].File.Name, got[i].Capacity, err)
		}
	}
}

func TestWriteTwiceIsTheSame(t *testing.T) {
	p := rich()
	p.Signer = testSigner(t)
	if !bytes.Equal(mustWrite(t, p), mustWrite(t, p)) {
		t.Error("two packages differ")
	}
	p.Time = p.Time.In(time.FixedZone("elsewhere", 3600)).Add(-500)
	q := rich()
	q.Signer = p.Signer
	if !bytes.Equal(mustWrite(t, p), mustWrite(t, q)) {
		t.Error("the time zone changes the package")
	}
}

func TestRefusals(t *testing.T) {
	for want, change := range map[string]func(*Package){
		`name "" is not a plain`:              func(p *Package) { p.Name = "" },
		`name "a/b" is not a plain`:           func(p *Package) { p.Name = "a/b" },
		`name ".a" is not a plain`:            func(p *Package) { p.Name = ".a" },
		"up to 80 characters":                 func(p *Package) { p.Name = strings.Repeat("n", 81) },
		`product "a\x00"`:                     func(p *Package) { p.Product.Name = "a\x00" },
		`vendor "\xff"`:                       func(p *Package) { p.Product.Vendor = "\xff" },
		`version "1\n2"`:                      func(p *Package) { p.Product.Version = "1\n2" },
		"does not fit into a tar header":      func(p *Package) { p.Time = time.Time{} },
		"version 12 is not one of [13 14 15 ": func(p *Package) { p.Hardware.Version = 12 },
		"version 16 is not":                   func(p *Package) { p.Hardware.Version = 16 },
		`"otherLinuxGuest" is not one of a`:   func(p *Package) { p.Hardware.GuestOS = "otherLinuxGuest" },
		"0 CPUs":                              func(p *Package) { p.Hardware.CPUs = 0 },
		"257 CPUs":                            func(p *Package) { p.Hardware.CPUs = 257 },
		"memory of 4095 MiB":                  func(p *Package) { p.Hardware.MemoryMiB-- },
		"memory of -4 MiB":                    func(p *Package) { p.Hardware.MemoryMiB = -4 },
		"0 networks":                          func(p *Package) { p.Hardware.Networks = nil },
		"11 networks":                         func(p *Package) { p.Hardware.Networks = make([]string, 11) },
		`network name ""`:                     func(p *Package) { p.Hardware.Networks = []string{""} },
		"0 disks":                             func(p *Package) { p.Disks = nil },
		"16 disks":                            func(p *Package) { p.Disks = make([]Disk, 16) },
		`"a b.vmdk" is not a plain`:           func(p *Package) { p.Disks[0].File = "a b.vmdk" },
		`"disk.raw" is not a plain`:           func(p *Package) { p.Disks[0].File = "disk.raw" },
		`"NODE.vmdk" is there twice`:          func(p *Package) { p.Disks = append(p.Disks, p.Disks[0]); p.Disks[1].File = "NODE.vmdk" },
		"capacity of 1048575 bytes":           func(p *Package) { p.Disks[0].Capacity = mib - 1 },
		"capacity of 0 bytes":                 func(p *Package) { p.Disks[0].Capacity = 0 },
		"size of 0 bytes":                     func(p *Package) { p.Disks[0].Size = 0 },
		"nothing to read it with":             func(p *Package) { p.Disks[0].Open = nil },
		"needs a key and its certificate":     func(p *Package) { p.Signer = &Signer{} },
		"this is a *ecdsa.PublicKey": func(p *Package) {
			key, _ := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
			p.Signer = &Signer{key, testSigner(t).Chain}
		},
		`certificate of "CN=authority"`: func(p *Package) { p.Signer = &Signer{testSigner(t).Key, testSigner(t).Chain[1:]} },
	} {
		p := testPackage()
		change(&p)
		err := Write(t.Context(), failing{}, p)
		if err == nil || !strings.HasPrefix(err.Error(), "rendering OVF descriptor: ") || !strings.Contains(err.Error(), want) {
			t.Errorf("%v, want %q", err, want)
		}
	}
}

func TestAllRefusalsAtOnce(t *testing.T) {
	err := Write(t.Context(), failing{}, Package{})
	if err == nil || strings.Count(err.Error(), "\n") < 6 {
		t.Errorf("%v", err)
	}
}

// failing is a full disk.
type failing struct{}

func (failing) Write([]byte) (int, error) { return 0, errors.New("no space left on device") }

// TestWriteErrors has a disk that is not what the package says, and an output that fails.
func TestWriteErrors(t *testing.T) {
	open := func(content string) func() (io.ReadCloser, error) {
		return func() (io.ReadCloser, error) { return io.NopCloser(strings.NewReader(content)), nil }
	}
	stopped, stop := context.WithCancel(t.Context())
	stop()
	good := strings.Repeat("disk", 250)
	for name, c := range map[string]struct {
		ctx  context.Context
		w    io.Writer
		open func() (io.ReadCloser, error)
		want string
	}{
		"short":     {t.Context(), io.Discard, open(good[1:]), `writing "node.vmdk": unexpected EOF after 999 of 1000 bytes`},
		"long":      {t.Context(), io.Discard, open(good + "x"), `writing "node.vmdk": it is longer than 1000 bytes`},
		"changed":   {t.Context(), io.Discard, open("D" + good[1:]), "hint: it was changed since it was made"},
		"gone":      {t.Context(), io.Discard, func() (io.ReadCloser, error) { return nil, errors.New("gone") }, `writing "node.vmdk": gone`},
		"full disk": {t.Context(), failing{}, open(good), `writing tar header of "node.ovf": no space left on device`},
		"stopped":   {stopped, io.Discard, open(good), "context canceled"},
	} {
		p := testPackage()
		p.Disks[0].Open = c.open
		if err := Write(c.ctx, c.w, p); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v, want %q", name, err, c.want)
		}
	}
}

func TestDiskIsClosed(t *testing.T) {
	p := testPackage()
	var opened, closed int
	content := strings.Repeat("disk", 250)
	p.Disks[0].Open = func() (io.ReadCloser, error) {
		opened++
		return closer{strings.NewReader(content), &closed}, nil
	}
	mustWrite(t, p)
	if opened != 1 || closed != 1 {
		t.Errorf("opened %d times, closed %d times", opened, closed)
	}
}

type closer struct {
	io.Reader
	n *int
}

func (c closer) Close() error { *c.n++; return nil }

func BenchmarkWrite(b *testing.B) {
	p := testPackage()
	content := strings.Repeat("disk", 16<<20)
	p.Disks[0] = testDisk("node.vmdk", content, 2048*mib)
	b.SetBytes(int64(len(content)))
	for b.Loop() {
		if err := Write(b.Context(), io.Discard, p); err != nil {
			b.Fatal(err)
		}
	}
}
