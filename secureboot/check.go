package secureboot

import (
	"bytes"
	"crypto/sha256"
	"crypto/x509"
	"encoding/binary"
	"errors"
	"fmt"
	"slices"

	"github.com/foxboron/go-uefi/authenticode"
	"github.com/foxboron/go-uefi/pkcs7"
	"golang.org/x/crypto/cryptobyte"
	"golang.org/x/crypto/cryptobyte/asn1"
)

// ErrUnsigned says that a program has no signature at all.
var ErrUnsigned = errors.New("it is not signed")

// maxSignatures of one program are looked at.
const maxSignatures = 16

// Check says what is wrong with the signature of program: it must have one by cert's key over all that it is now. Without a
// certificate one by the key that it names itself will do, which shows only that nothing changed since.
func Check(program []byte, cert *x509.Certificate) error {
	l, err := parseLayout(program)
	if err != nil {
		return err
	}
	signatures, err := l.signatures(program)
	if err != nil {
		return err
	}
	digest, err := l.digest(program), ErrUnsigned
	for _, s := range signatures {
		if err = s.check(digest, cert); err == nil {
			return nil
		}
	}
	return err
}

// Signers are the certificates that the signatures of program name, whether they are right or not.
func Signers(program []byte) ([]*x509.Certificate, error) {
	l, err := parseLayout(program)
	if err != nil {
		return nil, err
	}
	signatures, err := l.signatures(program)
	var certs []*x509.Certificate
	for _, s := range signatures {
		certs = append(certs, s.signers()...)
	}
	return certs, err
}

// signature is one entry of the table of certificates.
type signature struct{ *authenticode.Authenticode }

// signatures reads the table of certificates: WIN_CERTIFICATEs, each aligned to 8 bytes (UEFI 2.10, 32.2.4).
func (l layout) signatures(program []byte) ([]signature, error) {
	var all []signature
	for table := program[l.table:]; len(table) > 0; {
		var head struct {
			Length         uint32
			Revision, Type uint16
		}
		if !decode(table, 0, &head) || head.Length < 8 || int64(head.Length) > int64(len(table)) || len(all) == maxSignatures {
			return nil, fmt.Errorf("its table of certificates is malformed %d bytes before its end", len(table))
		}
		if head.Revision != 0x0200 || head.Type != 0x0002 {
			return nil, fmt.Errorf("its signature is of revision %#x and type %#x, and firmware takes 0x200 and 0x2", head.Revision, head.Type)
		}
		s, err := parseSignature(table[binary.Size(head):head.Length])
		if err != nil {
			return nil, fmt.Errorf("reading its signature: %w", err)
		}
		all = append(all, s)
		table = table[min(len(table), (int(head.Length)+7)/8*8):]
	}
	return all, nil
}

// parseSignature also refuses what go-uefi reads and cannot have been made for firmware.
func parseSignature(der []byte) (s signature, err error) {
	err = guarded(func() error {
		a, err := authenticode.ParseAuthenticode(der)
		if err != nil {
			return err
		}
		for _, signer := range a.Pkcs.SignerInfo {
			if signer.DigestAlgorithm == nil || !signer.DigestAlgorithm.Algorithm.Equal(pkcs7.OIDDigestAlgorithmSHA256) ||
				signer.IssuerAndSerialnumber == nil {
				return errors.New("its digest is not SHA-256")
			}
		}
		if !a.Algid.Algorithm.Equal(pkcs7.OIDDigestAlgorithmSHA256) || len(a.Digest) != sha256.Size {
			return errors.New("the digest in it is not SHA-256")
		}
		s.Authenticode = a
		return nil
	})
	return s, err
}

// signers are the certificates in the signature that a signature was made by.
func (s signature) signers() []*x509.Certificate {
	return slices.DeleteFunc(slices.Clone(s.Pkcs.Certs), func(c *x509.Certificate) bool { return !s.Pkcs.HasCertificate(c) })
}

func (s signature) check(digest [sha256.Size]byte, cert *x509.Certificate) error {
	if !bytes.Equal(s.Digest, digest[:]) {
		return fmt.Errorf("it changed after it was signed: its digest is %x, and %x is signed", digest, s.Digest)
	}
	by := s.signers()
	if cert == nil {
		if len(by) == 0 {
			return errors.New("its signature does not carry the certificate of its signer")
		}
		cert = by[0]
	}
	if !s.Pkcs.HasCertificate(cert) {
		who := "a key whose certificate it does not carry"
		if len(by) > 0 {
			who = fmt.Sprintf("%q", by[0].Subject.CommonName)
		}
		return fmt.Errorf("it is signed by %s and not by %q", who, cert.Subject.CommonName)
	}
	return s.checkKey(cert)
}

// checkKey checks the signature itself. go-uefi's own check believes the attributes without holding them against the content.
func (s signature) checkKey(cert *x509.Certificate) error {
	body, content := cryptobyte.String(s.Pkcs.ContentInfo), cryptobyte.String(nil)
	if !body.ReadASN1(&content, asn1.SEQUENCE) || !body.Empty() {
		return errors.New("its signature has no content")
	}
	sum := sha256.Sum256(content)
	for _, signer := range s.Pkcs.SignerInfo {
		if signer.IssuerAndSerialnumber.SerialNumber.Cmp(cert.SerialNumber) != 0 || !bytes.Equal(signer.IssuerAndSerialnumber.RawIssuer, cert.RawIssuer) {
			continue
		}
		signed := []byte(content)
		if a := signer.AuthenticatedAttributes; a != nil {
			if !bytes.Equal(a.MessageDigest, sum[:]) || !a.ContentType.Equal(s.Pkcs.OID) {
				return errors.New("its signature is of other content than it carries")
			}
			signed = a.RawBytes
		}
		if err := cert.CheckSignature(x509.SHA256WithRSA, signed, signer.EncryptedDigest); err != nil {
			return fmt.Errorf("its signature is not by the key of %q: %w", cert.Subject.CommonName, err)
		}
		return nil
	}
	return fmt.Errorf("it is not signed by %q", cert.Subject.CommonName)
}
