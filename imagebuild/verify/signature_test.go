package verify

import (
	"bytes"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"slices"
	"strings"
	"testing"
	"time"

	"slipway/imagebuild/esp"
	"slipway/imagebuild/verify/verifytest"
	"slipway/internal/finding"
	"slipway/secureboot"
)

var signedAt = time.Date(2026, 11, 4, 17, 6, 8, 0, time.UTC)

func bootKey(t *testing.T, name string) secureboot.Key {
	t.Helper()
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	cert, err := secureboot.NewCertificate(key, name, signedAt, signedAt.AddDate(10, 0, 0))
	if err != nil {
		t.Fatal(err)
	}
	return secureboot.Key{Signer: key, Cert: cert}
}

// signWith makes the recipe's image signed by key, with the certificates of trusted to be enrolled.
func signWith(t *testing.T, key secureboot.Key, trusted *x509.Certificate) func(*verifytest.Recipe) {
	return func(r *verifytest.Recipe) {
		r.Sign = func(program []byte) ([]byte, error) { return secureboot.Sign(program, key, signedAt) }
		r.Keys = map[string][]byte{}
		for _, name := range secureboot.Names() {
			var err error
			if r.Keys[name], err = secureboot.Update(name, secureboot.List(secureboot.OwnerOf("x"), trusted), key, signedAt); err != nil {
				t.Fatal(err)
			}
		}
	}
}

func TestSignatures(t *testing.T) {
	key, other := bootKey(t, "demo db"), bootKey(t, "other db")
	unsign := func(path string) func(*verifytest.Recipe) {
		return func(r *verifytest.Recipe) {
			sign, n := r.Sign, 0
			r.Sign = func(program []byte) ([]byte, error) {
				if n++; (n == 1) == (path == "loader") {
					return program, nil
				}
				return sign(program)
			}
		}
	}
	without := func(name string) func(*verifytest.Recipe) { return func(r *verifytest.Recipe) { delete(r.Keys, name) } }
	enrolling := func(r *verifytest.Recipe) {
		clear(r.Keys)
		r.Files = func(f []esp.File) []esp.File {
			return withFile(f, "loader/loader.conf", "timeout 0\nsecure-boot-enroll if-safe\n")
		}
	}
	const loader, boot = "EFI/BOOT/BOOTX64.EFI", "EFI/Linux/slipway.efi"
	for name, c := range map[string]struct {
		change []func(*verifytest.Recipe)
		want   *x509.Certificate
		found  []string // a line each, without what it begins with
	}{
		"right":              {nil, key.Cert, nil},
		"by anybody":         {nil, nil, nil},
		"another key":        {nil, other.Cert, []string{loader + `: it is signed by "demo db" and not by "other db"`, boot + `: it is signed by "demo db" and not by "other db"`}},
		"unsigned":           {[]func(*verifytest.Recipe){func(r *verifytest.Recipe) { r.Sign, r.Keys = nil, nil }}, nil, nil},
		"unsigned, wanted":   {[]func(*verifytest.Recipe){func(r *verifytest.Recipe) { r.Sign, r.Keys = nil, nil }}, key.Cert, []string{loader + ": it is not signed", boot + ": it is not signed"}},
		"loader unsigned":    {[]func(*verifytest.Recipe){unsign("loader")}, nil, []string{loader + " is not signed, and others are"}},
		"boot file unsigned": {[]func(*verifytest.Recipe){unsign("boot")}, key.Cert, []string{boot + ": it is not signed"}},
		"keys of others":     {[]func(*verifytest.Recipe){signWith(t, key, other.Cert)}, key.Cert, []string{`loader/keys/auto/db.auth: the certificate "demo db" is not in it`}},
		"a key missing":      {[]func(*verifytest.Recipe){without("KEK")}, key.Cert, []string{"loader/keys/auto/KEK.auth is missing"}},
		"no keys to enrol":   {[]func(*verifytest.Recipe){enrolling}, key.Cert, []string{"PK.auth is missing", "KEK.auth is missing", "db.auth is missing"}},
		"a damaged key":      {[]func(*verifytest.Recipe){func(r *verifytest.Recipe) { r.Keys["db"] = []byte("x") }}, key.Cert, []string{"db.auth: it is no signed update"}},
	} {
		b, _ := build(t, func(r *verifytest.Recipe) {
			signWith(t, key, key.Cert)(r)
			for _, change := range c.change {
				change(r)
			}
		})
		report, err := Raw(bytes.NewReader(b), int64(len(b)), Want{Signer: c.want})
		if err != nil {
			t.Fatal(err)
		}
		if len(report.Findings) != len(c.found) {
			t.Errorf("%s: %v, want %q", name, report.Findings, c.found)
		}
		for _, want := range c.found {
			if !slices.ContainsFunc(report.Findings, func(f finding.Finding) bool { return f.Part == "signature" && strings.Contains(f.Text, want) }) {
				t.Errorf("%s: %v, want %q", name, report.Findings, want)
			}
		}
	}
}

// TestFlippedByte: a byte of the boot file that changed is named as such, by its signature as well as by the list of digests.
func TestFlippedByte(t *testing.T) {
	key := bootKey(t, "demo db")
	b, _ := build(t, signWith(t, key, key.Cert))
	at := bytes.Index(b, []byte("\x28\xb5\x2f\xfd initrd"))
	b[at+8] ^= 1
	if got := findings(t, b); !strings.Contains(got, ": EFI/Linux/slipway.efi: it changed after it was signed") || !strings.Contains(got, "SHA256SUMS") {
		t.Errorf("got %s", got)
	}
}

// withFile adds a file to those of an EFI system partition, and its digest to the list.
func withFile(files []esp.File, path, text string) []esp.File {
	files = slices.DeleteFunc(files, func(f esp.File) bool { return f.Path == esp.SumsPath })
	files = append(files, esp.File{Path: path, Data: strings.NewReader(text), Size: int64(len(text))})
	sums, err := esp.Sums(files)
	if err != nil {
		panic(err)
	}
	return append(files, sums)
}
