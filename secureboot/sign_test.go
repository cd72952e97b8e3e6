package secureboot

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"encoding/binary"
	"errors"
	"fmt"
	"os/exec"
	"strings"
	"testing"

	"slipway/internal/testtool"
)

func mustSign(t testing.TB, b []byte, k Key) []byte {
	t.Helper()
	signed, err := Sign(b, k, epoch)
	if err != nil {
		t.Fatal(err)
	}
	return signed
}

// TestSignedTwice: the same key and program give the same bytes, and sbverify takes them; with another certificate it does not.
func TestSignedTwice(t *testing.T) {
	sbverify := testtool.Find(t, "sbverify")
	key, other := testKey(t, 0, "demo Secure Boot db"), testKey(t, 1, "another db")
	for _, tail := range []int{0, 1, 7, 8, 300} {
		plain := program(t, tail)
		signed := mustSign(t, plain, key)
		if !bytes.Equal(signed, mustSign(t, plain, key)) {
			t.Errorf("tail %d: two signatures differ", tail)
		}
		if err := Check(signed, key.Cert); err != nil {
			t.Errorf("tail %d: %v", tail, err)
		}
		path := write(t, "signed.efi", signed)
		if out, err := exec.Command(sbverify, "--cert", certFile(t, key), path).CombinedOutput(); err != nil {
			t.Errorf("tail %d: sbverify: %v\n%s", tail, err, out)
		}
		if out, err := exec.Command(sbverify, "--cert", certFile(t, other), path).CombinedOutput(); err == nil {
			t.Errorf("tail %d: sbverify takes another certificate: %s", tail, out)
		}
	}
}

// TestForeignSignature: what sbsign signs is right here, too.
func TestForeignSignature(t *testing.T) {
	sbsign := testtool.Find(t, "sbsign")
	key := testKey(t, 0, "demo")
	path := write(t, "plain.efi", program(t, 0))
	if out, err := exec.Command(sbsign, "--key", keyFile(t, key), "--cert", certFile(t, key), "--output", path, path).CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	signed := read(t, path)
	if err := Check(signed, key.Cert); err != nil {
		t.Error(err)
	}
	both := mustSign(t, signed, testKey(t, 1, "second"))
	for _, k := range []Key{key, testKey(t, 1, "second")} {
		if err := Check(both, k.Cert); err != nil {
			t.Errorf("of two signatures: %v", err)
		}
	}
}

func TestCheck(t *testing.T) {
	key, other := testKey(t, 0, "demo db"), testKey(t, 1, "other db")
	plain := program(t, 0)
	signed := mustSign(t, plain, key)
	flip := func(b []byte, at int) []byte {
		b = bytes.Clone(b)
		b[at] ^= 1
		return b
	}
	sameName, err := NewCertificate(other, "demo db", key.Cert.NotBefore, key.Cert.NotAfter)
	if err != nil {
		t.Fatal(err)
	}
	sameName.SerialNumber = key.Cert.SerialNumber
	for name, c := range map[string]struct {
		program []byte
		key     Key
		want    string // "" if it is right
	}{
		"right":               {signed, key, ""},
		"not signed":          {plain, key, "it is not signed"},
		"another key":         {mustSign(t, plain, other), key, `it is signed by "other db" and not by "demo db"`},
		"another of the name": {signed, Key{other, sameName}, "is not by the key of"},
		"a flipped byte":      {flip(signed, 0x608), key, "it changed after it was signed"},
		"in the headers":      {flip(signed, 0x50), key, "it changed after it was signed"},
		"in the checksum":     {flip(signed, 0x40+24+64), key, ""}, // no signature covers it, and no firmware looks at it
		"in the signature":    {flip(signed, len(signed)-20), key, "signature"},
		"something after it":  {append(bytes.Clone(signed), 1, 2, 3, 4, 5, 6, 7, 8), key, "does not end the file"},
		"cut off":             {signed[:len(signed)-8], key, "does not end the file"},
		"nothing":             {nil, key, "it is no EFI program"},
	} {
		if err := Check(c.program, c.key.Cert); (err == nil) != (c.want == "") || err != nil && !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: got %v, want %q", name, err, c.want)
		}
	}
	if err := Check(plain, nil); !errors.Is(err, ErrUnsigned) {
		t.Errorf("got %v", err)
	}
	if err := Check(signed, nil); err != nil {
		t.Errorf("by the certificate that it carries: %v", err)
	}
	if by, err := Signers(signed); err != nil || len(by) != 1 || !by[0].Equal(key.Cert) {
		t.Errorf("signers: %v %v", by, err)
	}
}

// TestSwappedContent gives a right signature the digest of another program: the attributes still have the right signature.
func TestSwappedContent(t *testing.T) {
	key := testKey(t, 0, "demo db")
	plain := program(t, 0)
	signed := mustSign(t, plain, key)
	evil := bytes.Clone(signed)
	copy(evil[0x600:], "init=/bin/bash")
	l, err := parseLayout(evil)
	if err != nil {
		t.Fatal(err)
	}
	was, is := l.digest(signed), l.digest(evil)
	if n := bytes.Count(evil, was[:]); n != 1 {
		t.Fatalf("the digest is there %d times", n)
	}
	evil = bytes.Replace(evil, was[:], is[:], 1)
	if err := Check(evil, key.Cert); err == nil || !strings.Contains(err.Error(), "of other content than it carries") {
		t.Errorf("got %v", err)
	}
}

// TestRefusedPrograms: nothing is signed of which a part would not be.
func TestRefusedPrograms(t *testing.T) {
	key := testKey(t, 0, "demo")
	put := func(at int, v any) func([]byte) []byte {
		return func(b []byte) []byte {
			if _, err := binary.Encode(b[at:], binary.LittleEndian, v); err != nil {
				t.Fatal(err)
			}
			return b
		}
	}
	const file, optional, first = 0x44, 0x40 + 24, 0x40 + 24 + 240
	for want, change := range map[string]func([]byte) []byte{
		"no EFI program":                     func(b []byte) []byte { return b[:0x30] },
		"no header of a 64-bit PE file":      put(optional, uint16(0x10b)),
		"its header has 0 sections":          put(file+2, uint16(0)),
		"its header has 500 sections":        put(file+2, uint16(500)),
		"a table of symbols":                 put(file+8, uint32(0x800)),
		"no room for a signature":            put(optional+108, uint32(4)),
		"are longer":                         put(optional+60, uint32(0x100)),
		"begins at byte 1024 and not at":     put(optional+60, uint32(0x600)),
		"has relocations":                    put(first+32, uint16(3)),
		"begins at byte 1792 and not at":     put(first+40+20, uint32(0x700)),
		"past the file's 2048":               put(first+40+16, uint32(0x4000)),
		"said to be 100 bytes at byte 16384": put(optional+144, [2]uint32{0x4000, 100}),
	} {
		if _, err := Sign(change(program(t, 0)), key, epoch); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("got %v, want %q", err, want)
		}
	}
}

func TestRefusedKeys(t *testing.T) {
	key := testKey(t, 0, "demo")
	curve, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	for want, k := range map[string]Key{
		"firmware takes RSA alone":     {curve, key.Cert},
		"not that of certificate":      {testKey(t, 1, "x").Signer, key.Cert},
		"asking for a signature by th": {failing{key}, key.Cert},
	} {
		if _, err := Sign(program(t, 0), k, epoch); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("got %v, want %q", err, want)
		}
	}
}

// FuzzCheck: whatever the bytes are, they have a verdict, and none with a changed byte under its signature is right.
func FuzzCheck(f *testing.F) {
	key := testKey(f, 0, "demo")
	signed := mustSign(f, program(f, 0), key)
	f.Add(signed)
	f.Add(program(f, 5))
	f.Add(mustSign(f, signed, testKey(f, 1, "second")))
	l, err := parseLayout(signed)
	if err != nil {
		f.Fatal(err)
	}
	want := l.digest(signed)
	f.Fuzz(func(t *testing.T, b []byte) {
		Signers(b)
		Sign(b, key, epoch)
		Certificates(b)
		if err := Check(b, key.Cert); err != nil {
			return
		}
		l, err := parseLayout(b)
		if err != nil {
			t.Fatal(err)
		}
		if got := l.digest(b); got != want {
			t.Fatal(fmt.Sprintf("%x was never signed", got))
		}
	})
}
