package kmod

import (
	"bytes"
	"compress/gzip"
	"encoding/binary"
	"errors"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"slipway/kernel"

	"github.com/klauspost/compress/zstd"
	"github.com/ulikunitz/xz"
)

const vmlinux = "\x7fELF\x00\x00net/ipv4\x00arp_filter\x00net/ipv4/conf\x00ip_forward\x00vm\x00swappiness\x00kernel/keys\x00root_maxkeys\x00sem\x00cut_of"

// compressors by name; each returns data compressed as the kernel's build does, with its trailer.
func compressors() map[string]func([]byte) []byte {
	sized := func(b []byte, n int) []byte { return binary.LittleEndian.AppendUint32(b, uint32(n)) }
	return map[string]func([]byte) []byte{
		"zstd": func(b []byte) []byte { w, _ := zstd.NewWriter(nil); return sized(w.EncodeAll(b, nil), len(b)) },
		"xz": func(b []byte) []byte {
			var out bytes.Buffer
			w, _ := xz.NewWriter(&out)
			w.Write(b)
			w.Close()
			return sized(out.Bytes(), len(b))
		},
		"gzip": func(b []byte) []byte {
			var out bytes.Buffer
			w := gzip.NewWriter(&out)
			w.Write(b)
			w.Close()
			return out.Bytes()
		},
	}
}

// bzImage wraps a payload as boot.rst says, with two setup sectors and a gap.
func bzImage(payload []byte) []byte {
	b := make([]byte, 3*512+100)
	b[0x1f1] = 2
	copy(b[0x202:], "HdrS\x0f\x02")
	binary.LittleEndian.PutUint32(b[0x248:], 100)
	binary.LittleEndian.PutUint32(b[0x24c:], uint32(len(payload)))
	return append(append(b, payload...), "appended signature"...)
}

// testKernel writes a small module folder and kernel.
func testKernel(t *testing.T, image []byte) *Kernel {
	t.Helper()
	dir := t.TempDir()
	pack := compressors()["xz"]([]byte("\x7fELF\x00net/netfilter\x00nf_conntrack_max\x00"))
	for name, content := range map[string]string{
		"modules.dep":        "kernel/net/nf_conntrack.ko.xz: kernel/net/nf-defrag.ko.xz\nkernel/net/nf-defrag.ko.xz:\nkernel/raw.ko:\n",
		"modules.builtin":    "kernel/fs/ext4/ext4.ko\n",
		"modules.alias":      "# Aliases\nalias fs-ext4 ext4\nalias pci:v*d* raw\nalias gone not_there\n",
		"vmlinuz":            string(image),
		"kernel/raw.ko":      "\x7fELF\x00net/raw\x00raw_key\x00",
		"kernel/net/nope.ko": "",
	} {
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.WriteFile(filepath.Join(dir, "kernel/net/nf_conntrack.ko.xz"), pack[:len(pack)-4], 0o600); err != nil {
		t.Fatal(err)
	}
	k, err := Open(dir, filepath.Join(dir, "vmlinuz"))
	if err != nil {
		t.Fatal(err)
	}
	return k
}

func TestMissingModules(t *testing.T) {
	k := testKernel(t, nil)
	got := k.MissingModules([]string{"nf_conntrack", "nf-conntrack", "nf_defrag", "ext4", "fs-ext4", "raw", "ip_vs", "gone", "pci:v*d*", "", "nf_conntrack.ko"})
	if want := []string{"ip_vs", "gone", "pci:v*d*", "", "nf_conntrack.ko"}; !slices.Equal(got, want) {
		t.Errorf("%q, want %q", got, want)
	}
}

func TestMissingSysctls(t *testing.T) {
	keys := func(names ...string) (out []kernel.Sysctl) {
		for _, name := range names {
			key, module, _ := strings.Cut(name, "@")
			out = append(out, kernel.Sysctl{Key: key, Module: module})
		}
		return out
	}
	there := keys("net.ipv4.ip_forward", "net/ipv4/ip_forward", "-vm.swappiness", "kernel.keys.root_maxkeys", "kernel.sem", "net.ipv4.conf.all.rp_filter",
		"net/ipv4/conf/eth0.1/rp_filter", "net.netfilter.nf_conntrack_max@nf_conntrack", "net.raw.raw_key@raw", "vm.swappiness@ext4")
	missing := keys("net.ipv5.ip_forward", "net.ipv4.ip_forwar", "net.netfilter.nf_conntrack_max", "net.ipv4.ip_forward@nf_conntrack",
		"net.raw.other@raw", "swappiness", "vm.", "kernel.cut_of")
	for name, compress := range compressors() {
		k := testKernel(t, bzImage(compress([]byte(vmlinux))))
		got, err := k.MissingSysctls(slices.Concat(there, missing))
		if err != nil {
			t.Errorf("%s: %v", name, err)
		}
		if !slices.Equal(got, missing) {
			t.Errorf("%s: %v, want %v", name, got, missing)
		}
	}
}

func TestCheckNamesAll(t *testing.T) {
	k := testKernel(t, bzImage(compressors()["gzip"]([]byte(vmlinux))))
	err := k.Check([]kernel.Module{{Name: "ext4"}, {Name: "ip_vs", Why: "services"}, {Name: "vxlan", Why: "overlay"}},
		[]kernel.Module{{Name: "fs-ext4"}, {Name: "nvm", Why: "NVMe disk"}}, []kernel.Sysctl{{Key: "vm.swappiness"}, {Key: "vm.max", Why: "maps"}, {Key: "net.x.y", Module: "raw", Why: "z"}})
	want := `checking the kernel: it lacks 2 modules, 1 drivers and 2 sysctl keys
  module "ip_vs" (services)
  module "vxlan" (overlay)
  driver "nvm" (NVMe disk)
  sysctl "vm.max": no such name in the kernel (maps)
  sysctl "net.x.y": no such name in module "raw" (z)
hint: correct the names, or take them out with kernel.modules.remove and an empty value in kernel.sysctl
hint: drivers are this slipway's own list, for its kernel streams; take another kernel with image.kernelStream`
	var missing *MissingError
	if !errors.As(err, &missing) || err.Error() != want {
		t.Errorf("got\n%v\nwant\n%s", err, want)
	}
	if err := k.Check([]kernel.Module{{Name: "ext4"}}, []kernel.Module{{Name: "raw"}}, nil); err != nil {
		t.Error(err)
	}
}

func TestBrokenInputs(t *testing.T) {
	good := bzImage(compressors()["zstd"]([]byte(vmlinux)))
	lz4 := bytes.Clone(good)
	copy(lz4[3*512+100:], "\x02\x21\x4c\x18")
	cut := bzImage(compressors()["xz"]([]byte(strings.Repeat(vmlinux, 100))))
	binary.LittleEndian.PutUint32(cut[0x24c:], 60)
	for name, c := range map[string]struct {
		image []byte
		want  string
	}{
		"empty":               {nil, "reading setup header"},
		"not a kernel":        {make([]byte, 1024), "not a bzImage"},
		"unknown compression": {lz4, "compression 02214c18"},
		"cut":                 {cut, "unpacking"},
	} {
		_, err := testKernel(t, c.image).MissingSysctls([]kernel.Sysctl{{Key: "vm.swappiness"}})
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v, want %q", name, err, c.want)
		}
	}
	if _, err := Open(t.TempDir(), ""); err == nil || !strings.Contains(err.Error(), "modules.dep") {
		t.Errorf("empty folder: %v", err)
	}
}

// TestMarkerAcrossReads checks words that straddle the reader's pieces, whatever their sizes.
func TestMarkerAcrossReads(t *testing.T) {
	data := strings.Repeat("x", 3000) + "arp_filter\x00" + strings.Repeat("\x00", 5) + "net/ipv4/conf\x00vm\x00"
	for seed := range uint64(20) {
		m := marker{need: map[string]bool{"rp_filter": false, "net": false, "conf": false, "vm": false, "arp": false}}
		src := rand.New(rand.NewPCG(seed, 1))
		if err := m.read(pieces{strings.NewReader(data), src}); err != nil {
			t.Fatal(err)
		}
		for w, found := range m.need {
			if found != (w != "arp") {
				t.Errorf("seed %d: %s is %v", seed, w, found)
			}
		}
	}
}

// pieces reads at most nine bytes at a time.
type pieces struct {
	r   io.Reader
	src *rand.Rand
}

func (p pieces) Read(b []byte) (int, error) { return p.r.Read(b[:min(len(b), 1+p.src.IntN(9))]) }

func FuzzUnpackKernel(f *testing.F) {
	for _, compress := range compressors() {
		f.Add(bzImage(compress([]byte(vmlinux))))
	}
	f.Fuzz(func(_ *testing.T, b []byte) {
		r, err := unpackKernel(bytes.NewReader(b))
		if err != nil {
			return
		}
		defer r.Close()
		_, _ = io.Copy(io.Discard, io.LimitReader(r, 1<<20))
	})
}
