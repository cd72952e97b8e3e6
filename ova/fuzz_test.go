package ova

import (
	"bytes"
	"os"
	"strings"
	"testing"
)

// FuzzOpen puts a patch into a good archive, cuts it off, and checks what is left.
func FuzzOpen(f *testing.F) {
	p := testPackage()
	p.Signer = testSigner(f)
	good := mustWrite(f, p)
	f.Add(uint32(124), uint32(0), []byte("77777777777"))                      // size of the descriptor
	f.Add(uint32(124), uint32(0), []byte("\x80\x7f\xff\xff\xff\xff\xff\xff")) // the same in binary
	f.Add(uint32(156), uint32(0), []byte("x"))
	f.Add(uint32(700), uint32(1000), []byte("<!ENTITY"))
	f.Add(uint32(5632), uint32(0), []byte("SHA256()= \n"))
	f.Add(uint32(257), uint32(0), []byte("ustar  \x00"))
	f.Fuzz(func(t *testing.T, at, cut uint32, patch []byte) {
		b := bytes.Clone(good)
		n := copy(b[int(at)%len(b):], patch)
		b = b[:len(b)-int(cut)%len(b)]
		a, err := Open(bytes.NewReader(b), int64(len(b)))
		if err != nil {
			return
		}
		r, err := a.Check(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if len(r.Findings) == 0 && !bytes.Equal(b, good) {
			t.Errorf("%d bytes at %d and a cut of %d are not found", n, at, cut)
		}
	})
}

// FuzzDescriptor checks any descriptor in an archive that fits it otherwise.
func FuzzDescriptor(f *testing.F) {
	all := entries(f, same)
	f.Add([]byte(all[0].content))
	rich, err := os.ReadFile("testdata/rich.ovf")
	if err != nil {
		f.Fatal(err)
	}
	f.Add(rich)
	f.Add([]byte(`<Envelope xmlns="` + nsOVF + `"><VirtualSystem/></Envelope>`))
	f.Add([]byte(strings.Repeat(`<a xmlns="`+nsOVF+`">`, 50)))
	f.Fuzz(func(t *testing.T, descriptor []byte) {
		manifest := testPackage().manifest(descriptor)
		mustCheck(t, pack(t, []entry{{"node.ovf", string(descriptor)}, {"node.mf", string(manifest)}, all[2]}, asIs))
	})
}

// FuzzSignature checks any manifest and signature.
func FuzzSignature(f *testing.F) {
	all := entries(f, same)
	s := testSigner(f)
	signature, err := s.sign("node.mf", []byte(all[1].content))
	if err != nil {
		f.Fatal(err)
	}
	f.Add([]byte(all[1].content), signature)
	f.Add([]byte("SHA256 (node.ovf) = 00\n"), []byte("SHA256(node.mf)= 00\n-----BEGIN CERTIFICATE-----\n-----END CERTIFICATE-----\n"))
	f.Fuzz(func(t *testing.T, manifest, signature []byte) {
		r := mustCheck(t, pack(t, []entry{all[0], {"node.mf", string(manifest)}, {"node.cert", string(signature)}, all[2]}, asIs))
		if r.Signer != "" && string(manifest) != all[1].content {
			t.Errorf("%q is signed by %s", manifest, r.Signer)
		}
	})
}
