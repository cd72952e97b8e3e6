package ova

import (
	"crypto"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
)

// ParseSigner reads a private key, PKCS #8 or PKCS #1, and the certificates of its chain, its own first, all in PEM.
// That they belong together is checked when something is signed.
func ParseSigner(key, chain []byte) (*Signer, error) {
	block, _ := pem.Decode(key)
	if block == nil {
		return nil, errors.New("reading the signing key: there is no PEM in it")
	}
	var parsed any
	var err error
	switch block.Type {
	case "PRIVATE KEY":
		parsed, err = x509.ParsePKCS8PrivateKey(block.Bytes)
	case "RSA PRIVATE KEY":
		parsed, err = x509.ParsePKCS1PrivateKey(block.Bytes)
	default:
		err = fmt.Errorf("a %q is not an unencrypted private key", block.Type)
	}
	if err != nil {
		return nil, fmt.Errorf("reading the signing key: %w", err)
	}
	signer, ok := parsed.(crypto.Signer)
	if !ok {
		return nil, fmt.Errorf("reading the signing key: a %T cannot sign", parsed)
	}
	certs, err := parseChain(string(chain))
	if err != nil {
		return nil, fmt.Errorf("reading the signer's certificates: %w", err)
	}
	return &Signer{Key: signer, Chain: certs}, nil
}
