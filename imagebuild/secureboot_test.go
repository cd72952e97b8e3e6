package imagebuild

import (
	"bytes"
	"crypto/rand"
	"crypto/rsa"
	"errors"
	"io"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"slipway/imagebuild/esp"
	"slipway/imagebuild/uki"
	"slipway/imagebuild/verify/verifytest"
	"slipway/secureboot"
)

func testSecureBoot(t *testing.T) *SecureBoot {
	t.Helper()
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	from := time.Unix(1_780_000_000, 0)
	cert, err := secureboot.NewCertificate(key, "demo Secure Boot db", from, from.AddDate(10, 0, 0))
	if err != nil {
		t.Fatal(err)
	}
	sb := &SecureBoot{Key: secureboot.Key{Signer: key, Cert: cert}, Updates: map[string][]byte{}}
	for _, name := range secureboot.Names() {
		if sb.Updates[name], err = secureboot.Update(name, secureboot.List(secureboot.OwnerOf("demo"), cert), sb.Key, from); err != nil {
			t.Fatal(err)
		}
	}
	return sb
}

// signedFiles are the files of an EFI system partition whose loader and boot file are programs without content.
func signedFiles(t *testing.T, enroll string, sb *SecureBoot) map[string][]byte {
	t.Helper()
	b := testBuilder(t, func(o *Options) { o.SecureBoot = sb })
	b.plan, b.lock = plan(t, "\nimage: {secureBoot: {enroll: "+enroll+"}}\n"), &Lock{Epoch: 1_780_000_000}
	dir := t.TempDir()
	for name, text := range map[string]string{"root.squashfs": "root", "root.hash": strings.Repeat("0f", 32) + "\n"} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	var err error
	if b.root, err = openRoot(dir, "k"); err != nil {
		t.Fatal(err)
	}
	program, err := verifytest.PE()
	if err != nil {
		t.Fatal(err)
	}
	var image bytes.Buffer
	if _, err := uki.Write(&image, uki.Parts{
		Stub: program, OSRelease: []byte("ID=x\n"), Cmdline: "ro roothash=" + b.root.hash(), Uname: "7", Kernel: make([]byte, 600), Initrd: []byte("initrd"),
	}); err != nil {
		t.Fatal(err)
	}
	files, err := b.espFiles(program, image.Bytes())
	if err != nil {
		t.Fatal(err)
	}
	return contents(t, files)
}

func contents(t *testing.T, files []esp.File) map[string][]byte {
	t.Helper()
	all := map[string][]byte{}
	for _, f := range files {
		data, err := io.ReadAll(io.NewSectionReader(f.Data, 0, f.Size))
		if err != nil {
			t.Fatal(err)
		}
		all[f.Path] = data
	}
	return all
}

func TestSignedESP(t *testing.T) {
	sb := testSecureBoot(t)
	const keys = "loader/keys/auto/KEK.auth loader/keys/auto/PK.auth loader/keys/auto/db.auth"
	for enroll, want := range map[string]string{"if-safe": keys, "force": keys, "off": ""} {
		files := signedFiles(t, enroll, sb)
		if again := signedFiles(t, enroll, sb); !maps.EqualFunc(files, again, bytes.Equal) {
			t.Errorf("%s: two builds differ", enroll)
		}
		if conf, want := string(files["loader/loader.conf"]), "timeout 0\neditor no\nsecure-boot-enroll "+enroll+"\n"; conf != want {
			t.Errorf("%s: loader.conf is %q", enroll, conf)
		}
		var auth []string
		for path, data := range files {
			switch {
			case strings.HasSuffix(path, ".efi"), strings.HasSuffix(path, ".EFI"):
				if err := secureboot.Check(data, sb.Key.Cert); err != nil {
					t.Errorf("%s: %s: %v", enroll, path, err)
				}
			case strings.HasSuffix(path, ".auth"):
				auth = append(auth, path)
			}
		}
		slices.Sort(auth)
		if got := strings.Join(auth, " "); got != want {
			t.Errorf("%s: %s", enroll, got)
		}
	}
}

// TestSignatureCoversCommandLine: the command line with the root hash in the boot file cannot change without the signature knowing.
func TestSignatureCoversCommandLine(t *testing.T) {
	sb := testSecureBoot(t)
	for path, data := range signedFiles(t, "off", sb) {
		if !strings.HasPrefix(path, "EFI/Linux/") {
			continue
		}
		sections, err := uki.Read(bytes.NewReader(data))
		if err != nil {
			t.Fatal(err)
		}
		for _, s := range sections {
			changed := bytes.Clone(data)
			changed[s.Offset] ^= 1
			if err := secureboot.Check(changed, sb.Key.Cert); err == nil || !strings.Contains(err.Error(), "it changed after it was signed") {
				t.Errorf("a byte of section %s: %v", s.Name, err)
			}
		}
	}
}

func TestSecureBootKeys(t *testing.T) {
	sb := testSecureBoot(t)
	b := testBuilder(t, func(o *Options) { o.SecureBoot = sb })
	keyOf := func(enroll string) string {
		b.plan.SecureBoot = enroll
		b.lock = &Lock{}
		return b.diskKey("x")
	}
	unsigned, safe := keyOf(""), keyOf("if-safe")
	b.opt.SecureBoot = testSecureBoot(t)
	if other := keyOf("if-safe"); unsigned == safe || safe == other || safe == keyOf("off") {
		t.Error("the disk's key knows nothing of its signatures")
	}
}

func TestSigningNeedsKeys(t *testing.T) {
	sb := testSecureBoot(t)
	sb.Key.Cert = testSecureBoot(t).Key.Cert
	for want, keys := range map[string]*SecureBoot{"`slipway secureboot init` first": nil, "not that of certificate": sb} {
		p := plan(t, "\nimage: {secureBoot: {enroll: force}}\n")
		opt := testBuilder(t, func(*Options) {}).opt
		opt.SecureBoot, opt.Out = keys, filepath.Join(t.TempDir(), "out")
		_, err := Build(t.Context(), p, opt)
		var coded interface{ ExitCode() int }
		if err == nil || !strings.Contains(err.Error(), want) || !errors.As(err, &coded) || coded.ExitCode() != 2 {
			t.Errorf("got %v, want %q", err, want)
		}
	}
}
