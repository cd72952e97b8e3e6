package secureboot

import (
	"bytes"
	"encoding/binary"
	"errors"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"crypto"
	"crypto/x509"
	"encoding/pem"

	"slipway/internal/testtool"
)

type failing struct{ Key }

func (failing) Sign(io.Reader, []byte, crypto.SignerOpts) ([]byte, error) {
	return nil, errors.New("the token is gone")
}

func keyFile(t testing.TB, k Key) string {
	t.Helper()
	der, err := x509.MarshalPKCS8PrivateKey(k.Signer)
	if err != nil {
		t.Fatal(err)
	}
	return write(t, "key.pem", pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der}))
}

func read(t testing.TB, path string) []byte {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// TestUpdate: OpenSSL takes the signature over what firmware hashes, and virt-fw-vars reads the content.
func TestUpdate(t *testing.T) {
	openssl := testtool.Find(t, "openssl")
	kek, db := testKey(t, 1, "demo KEK"), testKey(t, 2, "demo db")
	owner := OwnerOf("demo")
	content := List(owner, db.Cert, kek.Cert)
	update, err := Update(DB, content, kek, epoch)
	if err != nil {
		t.Fatal(err)
	}
	again, err := Update(DB, content, kek, epoch)
	if err != nil || !bytes.Equal(update, again) {
		t.Error("two updates of one content differ")
	}
	if !bytes.Equal(update[:16], []byte{0xea, 0x07, 11, 4, 17, 6, 8, 0, 0, 0, 0, 0, 0, 0, 0, 0}) {
		t.Errorf("time: % x", update[:16])
	}
	certs, err := Certificates(update)
	if err != nil || len(certs) != 2 || !certs[0].Equal(db.Cert) || !certs[1].Equal(kek.Cert) {
		t.Errorf("certificates: %v %v", certs, err)
	}
	// name in UTF-16, namespace, attributes, time, content
	data := []byte("d\x00b\x00\xcb\xb2\x19\xd7\x3a\x3d\x96\x45\xa3\xbc\xda\xd0\x0e\x67\x65\x6f\x27\x00\x00\x00")
	data = append(append(data, update[:16]...), content...)
	signature := update[16+24 : 16+binary.LittleEndian.Uint32(update[16:])]
	// OpenSSL wants the outer layer that variables leave out.
	outer := derOf(0x30, append([]byte("\x06\x09\x2a\x86\x48\x86\xf7\x0d\x01\x07\x02"), derOf(0xa0, signature)...))
	out, err := exec.Command(openssl, "smime", "-verify", "-binary", "-noverify", "-inform", "DER", "-in", write(t, "p7", outer),
		"-content", write(t, "data", data), "-out", "/dev/null").CombinedOutput()
	if err != nil {
		t.Errorf("openssl: %v\n%s", err, out)
	}
	data[len(data)-1] ^= 1
	if exec.Command(openssl, "smime", "-verify", "-binary", "-noverify", "-inform", "DER", "-in", write(t, "p7", outer),
		"-content", write(t, "data", data), "-out", "/dev/null").Run() == nil {
		t.Error("openssl takes other data")
	}
}

func derOf(tag byte, content []byte) []byte {
	return append([]byte{tag, 0x82, byte(len(content) >> 8), byte(len(content))}, content...)
}

// TestForeignReader: sbsigntool's and efitools' readers are not everywhere; virt-fw-vars is what sets variables in tests.
func TestForeignReader(t *testing.T) {
	tool := testtool.Find(t, "virt-fw-vars")
	template := "/usr/share/OVMF/OVMF_VARS_4M.fd"
	if _, err := os.Stat(template); err != nil {
		testtool.Missing(t, "there is no "+template)
	}
	dir, key := t.TempDir(), testKey(t, 0, "demo db")
	owner := OwnerOf("demo").String()
	vars := filepath.Join(dir, "vars.fd")
	out, err := exec.Command(tool, "--input", template, "--output", vars, "--set-pk", owner, certFile(t, key), "--add-kek", owner, certFile(t, key),
		"--add-db", owner, certFile(t, key), "--sb").CombinedOutput()
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	out, err = exec.Command(tool, "--input", vars, "--print", "--verbose").CombinedOutput()
	if err != nil || !strings.Contains(string(out), "demo db") {
		t.Errorf("%v\n%s", err, out)
	}
}

func TestRefusedUpdates(t *testing.T) {
	key := testKey(t, 0, "demo")
	good, err := Update(PK, List(OwnerOf("x"), key.Cert), key, epoch)
	if err != nil {
		t.Fatal(err)
	}
	spoil := func(at int) []byte {
		b := bytes.Clone(good)
		b[at] ^= 0x40
		return b
	}
	end := 16 + int(binary.LittleEndian.Uint32(good[16:]))
	for want, b := range map[string][]byte{
		"no signed update":       good[:30],
		"is no list":             spoil(end),
		"reading a certificate":  spoil(end + 28 + 16),
		"no list of certificate": good[:len(good)-1],
	} {
		if _, err := Certificates(b); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("got %v, want %q", err, want)
		}
	}
	if _, err := Certificates(spoil(18)); err == nil {
		t.Error("a signature longer than the file was accepted")
	}
}

func TestNewCertificate(t *testing.T) {
	key := testKey(t, 0, "demo Secure Boot PK")
	again := testKey(t, 0, "demo Secure Boot PK")
	if !key.Cert.Equal(again.Cert) || key.Cert.Subject.CommonName != "demo Secure Boot PK" {
		t.Errorf("%v", key.Cert.Subject)
	}
	if key.Cert.NotAfter.Sub(epoch) < 10*365*24*time.Hour || key.Cert.SerialNumber.Sign() <= 0 {
		t.Errorf("%v %v", key.Cert.NotAfter, key.Cert.SerialNumber)
	}
}
