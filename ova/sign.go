package ova

import (
	"bytes"
	"crypto"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"strings"
)

const pemType = "CERTIFICATE"

// sign is the content of the signature file: the signature over the manifest as a digest line, then the certificates.
func (s *Signer) sign(manifestName string, manifest []byte) ([]byte, error) {
	sum := sha256.Sum256(manifest)
	// PKCS #1 v1.5 needs no randomness.
	signature, err := s.Key.Sign(nil, sum[:], crypto.SHA256)
	if err != nil {
		return nil, fmt.Errorf("signing %s: %w", manifestName, err)
	}
	var out bytes.Buffer
	out.WriteString(digestLine(manifestName, signature))
	for _, c := range s.Chain {
		if err := pem.Encode(&out, &pem.Block{Type: pemType, Bytes: c.Raw}); err != nil {
			return nil, fmt.Errorf("encoding certificate of %q: %w", c.Subject, err)
		}
	}
	if err := verifySignature(s.Chain[0], manifest, signature); err != nil {
		return nil, fmt.Errorf("signing %s: %w", manifestName, err)
	}
	return out.Bytes(), nil
}

// verifySignature says whether cert's key made signature over manifest.
func verifySignature(cert *x509.Certificate, manifest, signature []byte) error {
	pub, ok := cert.PublicKey.(*rsa.PublicKey)
	if !ok {
		return fmt.Errorf("the key of %q is a %T, not RSA", cert.Subject, cert.PublicKey)
	}
	if pub.N.BitLen() > maxKeyBits {
		return fmt.Errorf("the key of %q has %d bits, more than %d", cert.Subject, pub.N.BitLen(), maxKeyBits)
	}
	sum := sha256.Sum256(manifest)
	if err := rsa.VerifyPKCS1v15(pub, crypto.SHA256, sum[:], signature); err != nil {
		return fmt.Errorf("the signature is not one of %q over the manifest: %w", cert.Subject, err)
	}
	return nil
}

// Limits of what is read from a signature file.
const (
	maxKeyBits      = 16384
	maxCertificates = 8
)

// parseChain reads PEM certificates with nothing between or after them.
func parseChain(text string) ([]*x509.Certificate, error) {
	var chain []*x509.Certificate
	for rest := []byte(text); len(rest) > 0; {
		if !bytes.HasPrefix(rest, []byte("-----BEGIN "+pemType+"-----")) {
			return chain, fmt.Errorf("%q is no PEM certificate", short(strings.TrimSpace(string(rest[:min(len(rest), 81)]))))
		}
		block, after := pem.Decode(rest)
		if block == nil || block.Type != pemType || len(block.Headers) > 0 {
			return chain, errors.New("a PEM certificate is damaged")
		}
		if len(chain) == maxCertificates {
			return chain, fmt.Errorf("there are more than %d certificates", maxCertificates)
		}
		cert, err := x509.ParseCertificate(block.Bytes)
		if err != nil {
			return chain, fmt.Errorf("certificate %d: %w", len(chain)+1, err)
		}
		chain, rest = append(chain, cert), after
	}
	if len(chain) == 0 {
		return nil, errors.New("there is no certificate")
	}
	return chain, nil
}

// checkIssuers says whether each certificate is signed by the next one.
func checkIssuers(chain []*x509.Certificate) error {
	for i := range len(chain) - 1 {
		cert, issuer := chain[i], chain[i+1]
		if pub, ok := issuer.PublicKey.(*rsa.PublicKey); ok && pub.N.BitLen() > maxKeyBits {
			return fmt.Errorf("the key of %q has %d bits, more than %d", issuer.Subject, pub.N.BitLen(), maxKeyBits)
		}
		if err := cert.CheckSignatureFrom(issuer); err != nil {
			return fmt.Errorf("the certificate of %q is not signed by that of %q: %w", cert.Subject, issuer.Subject, err)
		}
	}
	return nil
}
