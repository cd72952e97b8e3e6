package secureboot

import (
	"bytes"
	"crypto"
	"crypto/rsa"
	"crypto/x509"
	"errors"
	"fmt"
	"time"

	"github.com/foxboron/go-uefi/authenticode"
)

// Key is a private key and the certificate of its public half, which firmware has.
type Key struct {
	crypto.Signer
	Cert *x509.Certificate
}

// Check refuses a key that firmware could not take, or that is not the certificate's.
func (k Key) Check() error {
	public, ok := k.Public().(*rsa.PublicKey)
	if !ok {
		return fmt.Errorf("the key is a %T, and firmware takes RSA alone", k.Public())
	}
	if bits := public.N.BitLen(); bits != 2048 && bits != 3072 && bits != 4096 {
		return fmt.Errorf("the key has %d bits, and firmware takes 2048, 3072 or 4096", bits)
	}
	if !public.Equal(k.Cert.PublicKey) {
		return fmt.Errorf("the key is not that of certificate %q", k.Cert.Subject.CommonName)
	}
	return nil
}

// Sign is program with a signature at its end, said to be made at a time. What is signed already gets another one.
func Sign(program []byte, key Key, at time.Time) (signed []byte, err error) {
	if err := key.Check(); err != nil {
		return nil, fmt.Errorf("signing an EFI program: %w", err)
	}
	l, err := parseLayout(program)
	if err != nil {
		return nil, fmt.Errorf("signing an EFI program: %w", err)
	}
	err = guarded(func() error {
		p, err := authenticode.Parse(bytes.NewReader(program))
		if err != nil {
			return err
		}
		digest := l.digest(program)
		if !bytes.Equal(p.Hash(crypto.SHA256), digest[:]) {
			return errors.New("two readings of the program differ")
		}
		content, err := authenticode.CreateSpcIndirectDataContent(digest[:], crypto.SHA256)
		if err != nil {
			return err
		}
		signature, err := signedData{kind: authenticode.OIDSpcIndirectDataContent, content: content, carried: true, at: at}.sign(key)
		if err != nil {
			return err
		}
		if err := p.AppendSignature(signature); err != nil {
			return err
		}
		signed = p.Bytes()
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("signing an EFI program: %w", err)
	}
	return signed, Check(signed, key.Cert)
}
