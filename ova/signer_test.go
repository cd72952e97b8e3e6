package ova

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/pem"
	"math/big"
	"strings"
	"testing"
)

func TestParseSigner(t *testing.T) {
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	der, err := x509.CreateCertificate(rand.Reader, &x509.Certificate{SerialNumber: big.NewInt(1)}, &x509.Certificate{}, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	pkcs8, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	block := func(kind string, der []byte) string {
		return string(pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der}))
	}
	cert := block("CERTIFICATE", der)
	for _, text := range []string{block("PRIVATE KEY", pkcs8), block("RSA PRIVATE KEY", x509.MarshalPKCS1PrivateKey(key))} {
		s, err := ParseSigner([]byte(text), []byte(cert))
		if err != nil || !key.Equal(s.Key) || len(s.Chain) != 1 {
			t.Errorf("%+v, %v", s, err)
		}
	}
	for want, in := range map[string][2]string{
		"there is no PEM":                   {"x", cert},
		`a "ENCRYPTED PRIVATE KEY" is not`:  {block("ENCRYPTED PRIVATE KEY", pkcs8), cert},
		"reading the signing key: ":         {block("PRIVATE KEY", []byte("x")), cert},
		"reading the signer's certificates": {block("PRIVATE KEY", pkcs8), "x"},
	} {
		if _, err := ParseSigner([]byte(in[0]), []byte(in[1])); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("want %q, got %v", want, err)
		}
	}
}

// A key of another kind is found before anything is written.
func TestSignerOfAnotherKind(t *testing.T) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	var wrong []string
	(&Signer{Key: key, Chain: []*x509.Certificate{{}}}).validate(func(format string, _ ...any) { wrong = append(wrong, format) })
	if len(wrong) == 0 {
		t.Error("an ECDSA key may sign")
	}
}
