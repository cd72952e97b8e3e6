package ova

import (
	"archive/tar"
	"bytes"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"crypto/x509/pkix"
	"io"
	"math/big"
	"strings"
	"sync"
	"testing"
	"time"

	"slipway/internal/finding"
)

const testTime = 1780000000

// testDisk is a disk of some content; nothing here looks inside.
func testDisk(name string, content string, capacity int64) Disk {
	return Disk{
		File: name, Capacity: capacity, Size: int64(len(content)), SHA256: sha256.Sum256([]byte(content)),
		Open: func() (io.ReadCloser, error) { return io.NopCloser(strings.NewReader(content)), nil },
	}
}

func testPackage() Package {
	return Package{
		Name:     "node",
		Product:  Product{"Slipway node", "Slipway", "1.36.3"},
		Hardware: Hardware{CPUs: 2, MemoryMiB: 4096, Networks: []string{"VM Network"}, SecureBoot: true},
		Disks:    []Disk{testDisk("node.vmdk", strings.Repeat("disk", 250), 2048*mib)},
		Time:     time.Unix(testTime, 999),
	}
}

// rich is a package with more than one of everything, and text that XML must escape.
func rich() Package {
	p := testPackage()
	p.Name = "node-2.0_b"
	p.Product = Product{`<a href="x">'&'</a>`, "Ünïcode & Söhne", "]]>"}
	p.Hardware = Hardware{Version: 19, GuestOS: "debian12_64Guest", CPUs: 16, MemoryMiB: 65536, Networks: []string{`a "b" & <c>`, "storage", "storage"}}
	for i := range 9 {
		p.Disks = append(p.Disks, testDisk("data"+string(rune('1'+i))+".vmdk", strings.Repeat("x", 511+i), int64(i+1)*mib))
	}
	return p
}

// testChain is a leaf with its key, and the authority that issued it.
var testChain = sync.OnceValues(func() (*Signer, error) {
	var chain []*x509.Certificate
	var keys []*rsa.PrivateKey
	for i, name := range []string{"authority", "packages"} {
		key, err := rsa.GenerateKey(rand.Reader, 2048)
		if err != nil {
			return nil, err
		}
		cert := &x509.Certificate{
			SerialNumber: big.NewInt(int64(i) + 1), Subject: pkix.Name{CommonName: name}, NotBefore: time.Unix(testTime, 0),
			NotAfter: time.Unix(testTime+1e8, 0), IsCA: i == 0, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign | x509.KeyUsageDigitalSignature,
		}
		keys = append(keys, key)
		parent := cert
		if i > 0 {
			parent = chain[0]
		}
		der, err := x509.CreateCertificate(rand.Reader, cert, parent, &key.PublicKey, keys[0])
		if err != nil {
			return nil, err
		}
		parsed, err := x509.ParseCertificate(der)
		if err != nil {
			return nil, err
		}
		chain = append([]*x509.Certificate{parsed}, chain...)
	}
	return &Signer{keys[1], chain}, nil
})

func testSigner(t testing.TB) *Signer {
	t.Helper()
	s, err := testChain()
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func mustWrite(t testing.TB, p Package) []byte {
	t.Helper()
	var out bytes.Buffer
	if err := Write(t.Context(), &out, p); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

func mustOpen(t testing.TB, b []byte) *Archive {
	t.Helper()
	a, err := Open(bytes.NewReader(b), int64(len(b)))
	if err != nil {
		t.Fatal(err)
	}
	return a
}

func mustCheck(t testing.TB, b []byte) Report {
	t.Helper()
	report, err := mustOpen(t, b).Check(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return report
}

// lines is the findings, one a line.
func lines(findings []finding.Finding) string {
	var out []string
	for _, f := range findings {
		out = append(out, f.String())
	}
	return strings.Join(out, "\n")
}

// entry is one file of an archive that a test makes by hand.
type entry struct {
	name, content string
}

// pack makes an archive of what Write would never write; change may spoil each header.
func pack(t testing.TB, entries []entry, change func(*tar.Header)) []byte {
	t.Helper()
	var out bytes.Buffer
	w := tar.NewWriter(&out)
	for _, e := range entries {
		h := member{name: e.name, size: int64(len(e.content))}.header(time.Unix(testTime, 0))
		change(h)
		if err := w.WriteHeader(h); err != nil {
			t.Fatal(err)
		}
		if _, err := io.WriteString(w, e.content); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

func asIs(*tar.Header) {}

// entries is what testPackage consists of, with the manifest made anew for a changed descriptor.
func entries(t testing.TB, change func(descriptor string) string) []entry {
	t.Helper()
	p := testPackage()
	b, err := p.Descriptor()
	if err != nil {
		t.Fatal(err)
	}
	descriptor := change(string(b))
	return []entry{{"node.ovf", descriptor}, {"node.mf", string(p.manifest([]byte(descriptor)))}, {"node.vmdk", strings.Repeat("disk", 250)}}
}

func same(s string) string { return s }
