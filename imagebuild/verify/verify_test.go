package verify

import (
	"bytes"
	"io/fs"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/fstest"

	"slipway/imagebuild/disk"
	"slipway/imagebuild/esp"
	"slipway/imagebuild/verify/verifytest"
	"slipway/imagebuild/verity"
)

const mib = 1 << 20

func TestTree(t *testing.T) {
	put := func(name, text string) func(fstest.MapFS) {
		return func(m fstest.MapFS) { m[name] = &fstest.MapFile{Data: []byte(text), Mode: 0o644} }
	}
	for name, c := range map[string]struct {
		change func(fstest.MapFS)
		want   string // one line, "" for nothing wrong
	}{
		"good":             {func(fstest.MapFS) {}, ""},
		"two kernels":      {put("usr/lib/modules/6.12/modules.dep", ""), "2 kernels in /usr/lib/modules, want 1"},
		"no index":         {func(m fstest.MapFS) { delete(m, "usr/lib/modules/7.2.12/modules.builtin") }, "kernel 7.2.12: reading module index: open modules.builtin: file does not exist"},
		"missing module":   {put("usr/lib/modules-load.d/more.conf", "ip_vs_rr\n"), `module "ip_vs_rr" is loaded at boot, and kernel 7.2.12 does not have it`},
		"machine-id":       {put("etc/machine-id", "0123\n"), `/etc/machine-id is "0123\n", want "uninitialized\n"`},
		"host key":         {put("etc/ssh/ssh_host_rsa_key", "x"), "/etc/ssh/ssh_host_rsa_key must not be in an image"},
		"sshd":             {put("usr/sbin/sshd", "x"), "/usr/sbin/sshd must not be in an image"},
		"seed":             {put("var/lib/systemd/random-seed", "x"), "/var/lib/systemd/random-seed must not be in an image"},
		"node config":      {put("etc/slipway/node.json", "{}"), "/etc/slipway/node.json must not be in an image"},
		"password":         {put("etc/shadow", "root:$y$j9T$abc:1::::::\n"), `/etc/shadow: account "root" is not locked`},
		"no password":      {put("etc/shadow", "root::1::::::\n"), `/etc/shadow: account "root" is not locked`},
		"no facts":         {func(m fstest.MapFS) { delete(m, "usr/lib/slipway/image.json") }, "/usr/lib/slipway/image.json cannot be read: open usr/lib/slipway/image.json: file does not exist"},
		"bad facts":        {put("usr/lib/slipway/image.json", "{"), "/usr/lib/slipway/image.json is no JSON"},
		"private key":      {put("etc/ssl/private/snakeoil", "-----BEGIN EC PRIVATE KEY-----\n"), "/etc/ssl/private/snakeoil is a private key"},
		"factory seed":     {put(factory+"var/lib/systemd/random-seed", "x"), "/" + factory + "var/lib/systemd/random-seed must not be in an image"},
		"factory secret":   {put(factory+"var/lib/systemd/credential.secret", "x"), "/" + factory + "var/lib/systemd/credential.secret must not be in an image"},
		"factory identity": {put(factory+"var/lib/dbus/machine-id", "0123"), "/" + factory + "var/lib/dbus/machine-id must not be in an image"},
		"factory host key": {put(factory+"var/lib/ssh/ssh_host_rsa_key", "x"), "/" + factory + "var/lib/ssh/ssh_host_rsa_key must not be in an image"},
		"factory key":      {put(factory+"var/lib/x/y", "-----BEGIN PRIVATE KEY-----\n"), "/" + factory + "var/lib/x/y is a private key"},
		"etcd's data":      {put(factory+"var/lib/etcd/member/wal/0.wal", "x"), "/" + factory + "var/lib/etcd/member must not be in an image"},
		"login": {put("usr/lib/systemd/system/getty.target.wants/serial-getty@ttyS0.service", ""),
			"/usr/lib/systemd/system/getty.target.wants/serial-getty@ttyS0.service opens a login, and the image does not call itself a debug image"},
		"masked login": {func(m fstest.MapFS) {
			put("usr/lib/systemd/system/getty.target.wants/getty-static.service", "")(m)
			put("usr/lib/systemd/system/getty.target.wants/getty@tty1.service", "")(m)
			for _, unit := range []string{"getty-static.service", "getty@.service"} {
				m["etc/systemd/system/"+unit] = &fstest.MapFile{Data: []byte("/dev/null"), Mode: fs.ModeSymlink | 0o777}
			}
		}, ""},
		"another's mask": {func(m fstest.MapFS) {
			put("usr/lib/systemd/system/getty.target.wants/getty-static.service", "")(m)
			m["etc/systemd/system/getty-static.service"] = &fstest.MapFile{Data: []byte("/usr/lib/systemd/system/getty-static.service"), Mode: fs.ModeSymlink | 0o777}
		}, "/usr/lib/systemd/system/getty.target.wants/getty-static.service opens a login, and the image does not call itself a debug image"},
		"login of a debug image": {func(m fstest.MapFS) {
			put("etc/systemd/system/serial-getty@ttyS0.service.d/autologin.conf", "")(m)
			put("usr/lib/slipway/image.json", `{"debug":true}`)(m)
		}, ""},
	} {
		tree := verifytest.Tree()
		c.change(tree)
		files, wrong := Tree(tree)
		if got := strings.Join(wrong, "\n"); got != c.want || files == 0 {
			t.Errorf("%s: %d files, %q, want %q", name, files, got, c.want)
		}
	}
}

// build writes an image and returns its bytes and root hash.
func build(t *testing.T, change func(*verifytest.Recipe)) ([]byte, string) {
	t.Helper()
	recipe := verifytest.Good()
	change(&recipe)
	path := filepath.Join(t.TempDir(), "disk.raw")
	hash, err := recipe.Write(path)
	if err != nil {
		t.Fatal(err)
	}
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return b, hash
}

func findings(t *testing.T, b []byte) string {
	t.Helper()
	report, err := Raw(bytes.NewReader(b), int64(len(b)))
	if err != nil {
		t.Fatal(err)
	}
	var out []string
	for _, f := range report.Findings {
		out = append(out, f.String())
	}
	return strings.Join(out, "\n")
}

func TestGoodImage(t *testing.T) {
	b, hash := build(t, func(*verifytest.Recipe) {})
	report, err := Raw(bytes.NewReader(b), int64(len(b)))
	if err != nil || len(report.Findings) > 0 {
		t.Fatalf("%v %v", err, report.Findings)
	}
	if report.RootHash != hash || report.Kernel != "7.2.12" || report.RootFiles < 15 || len(report.Partitions) != 3 {
		t.Errorf("%+v", report)
	}
}

// TestDebugImage: a debug image is sound, and named.
func TestDebugImage(t *testing.T) {
	for name, c := range map[string]struct {
		change func(*verifytest.Recipe)
		debug  bool
	}{
		"by its facts":    {func(r *verifytest.Recipe) { r.Tree["usr/lib/slipway/image.json"].Data = []byte(`{"debug":true}`) }, true},
		"by its argument": {func(r *verifytest.Recipe) { r.Cmdline += " systemd.debug_shell" }, true},
		"no":              {func(r *verifytest.Recipe) { r.Cmdline += " systemd.firstboot=no console=tty0" }, false},
	} {
		b, _ := build(t, c.change)
		report, err := Raw(bytes.NewReader(b), int64(len(b)))
		if err != nil || len(report.Findings) > 0 || report.Debug != c.debug {
			t.Errorf("%s: %v, debug %v, %v", name, err, report.Debug, report.Findings)
		}
	}
}

// TestDamage flips one byte at a time in a finished image.
func TestDamage(t *testing.T) {
	good, _ := build(t, func(*verifytest.Recipe) {})
	at := func(text string) int { return bytes.Index(good, []byte(text)) }
	for name, c := range map[string]struct {
		at   int
		want string
	}{
		"root":        {verifytest.RootAt + 4096, "root at byte 36704256: block does not match its hash"},
		"hash tree":   {verifytest.TreeAt + 4096, "root at byte 36700160: block does not match its hash"},
		"superblock":  {verifytest.TreeAt, "verity at byte 38797312: decoding verity superblock"},
		"backup GPT":  {len(good) - 512, "gpt at byte 40893952: backup GPT: no header"},
		"boot sector": {1*mib + 3, "esp at byte 1048576: reading EFI system partition: boot sector and its backup"},
		"root hash":   {at("roothash="), "kernel command line has no root hash"},
		"kernel":      {at("HdrS"), "section .linux does not hold what it should"},
		"initrd":      {at(" initrd") + 2, "EFI/Linux/slipway.efi is not as EFI/slipway/SHA256SUMS has it"},
		"loader data": {bytes.Index(good[mib:], []byte("MZ")) + mib + 0x500, "EFI/BOOT/BOOTX64.EFI is not as"},
		"digests":     {at("  EFI/BOOT/BOOTX64.EFI") - 1, "EFI/BOOT/BOOTX64.EFI is not as"},
		"boot loader": {bytes.Index(good[mib:], []byte("MZ")) + mib, "EFI/BOOT/BOOTX64.EFI: reading unified kernel image"},
	} {
		b := bytes.Clone(good)
		b[c.at] ^= 1
		if got := findings(t, b); !strings.Contains(got, c.want) {
			t.Errorf("%s: %q, want %q", name, got, c.want)
		}
	}
}

// TestWrongParts makes images of sound parts that do not belong together.
func TestWrongParts(t *testing.T) {
	for name, c := range map[string]struct {
		change func(*verifytest.Recipe)
		want   []string
	}{
		"another hash": {func(r *verifytest.Recipe) { r.Cmdline = "roothash=" + strings.Repeat("ab", 32) }, []string{
			`gpt at byte 36700160: partition "root-a" has UUID`, `the second half of the root hash`, "verity at byte 38801408: block does not match the hash above it"}},
		"other UUIDs": {func(r *verifytest.Recipe) { r.Layout = func(l *disk.Layout) { l.RootHash[0] ^= 1 } }, []string{"the first half of the root hash"}},
		"no hash":     {func(r *verifytest.Recipe) { r.Cmdline = "ro" }, []string{"uki at byte", "no root hash of 64"}},
		"short hash":  {func(r *verifytest.Recipe) { r.Cmdline = "roothash=abcd" }, []string{"no root hash of 64"}},
		"root=":       {func(r *verifytest.Recipe) { r.Cmdline += " root=/dev/sda" }, []string{`kernel argument "root=/dev/sda" must not be`}},
		"ignition":    {func(r *verifytest.Recipe) { r.Cmdline += " ignition.firstboot" }, []string{`"ignition.firstboot" must not be`}},
		"initrd":      {func(r *verifytest.Recipe) { r.Initrd = "text" }, []string{"section .initrd does not hold"}},
		"no UKI":      {func(r *verifytest.Recipe) { r.Files = func(f []esp.File) []esp.File { return f[:1] } }, []string{"esp at byte 1048576: 0 unified kernel images in EFI/Linux/, want 1"}},
		"no loader":   {func(r *verifytest.Recipe) { r.Files = func(f []esp.File) []esp.File { return f[1:] } }, []string{"there is no EFI/BOOT/BOOTX64.EFI"}},
		"bad content": {func(r *verifytest.Recipe) { r.Tree["etc/shadow"].Data = []byte("root::1:\n") }, []string{`root at byte 36700160: /etc/shadow: account "root" is not locked`}},
		"plain binary": {func(r *verifytest.Recipe) {
			r.Files = func(f []esp.File) []esp.File { f[1].Data = strings.NewReader("x"); f[1].Size = 1; return f }
		}, []string{"uki at byte", "EFI/Linux/slipway.efi: reading unified"}},
	} {
		b, _ := build(t, c.change)
		got := findings(t, b)
		for _, want := range c.want {
			if !strings.Contains(got, want) {
				t.Errorf("%s: %q, want %q", name, got, want)
			}
		}
	}
}

func TestWipedRootIsShort(t *testing.T) {
	b, _ := build(t, func(r *verifytest.Recipe) {
		noise := make([]byte, 100*verity.BlockSize) // does not compress, so that there are many blocks
		rand.NewChaCha8([32]byte{1}).Read(noise)
		r.Tree["usr/bin/big"] = &fstest.MapFile{Data: noise}
	})
	for i := verifytest.RootAt; i < verifytest.TreeAt; i++ {
		b[i] ^= 0x55
	}
	got := strings.Split(findings(t, b), "\n")
	if len(got) != mostBlocks+1 || !strings.Contains(got[mostBlocks], "more blocks from here on do not match") {
		t.Errorf("%d lines:\n%s", len(got), strings.Join(got, "\n"))
	}
}

func TestNoImage(t *testing.T) {
	for _, b := range [][]byte{nil, make([]byte, 3*mib), []byte("QFI\xfb"), make([]byte, 3*mib+1)} {
		if _, err := Raw(bytes.NewReader(b), int64(len(b))); err == nil {
			t.Errorf("%d bytes were accepted", len(b))
		}
	}
}
