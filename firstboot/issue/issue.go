// Package issue is about the client certificates that a worker's programs get anew from a control plane (ADR 32): the request, what
// a node may have, and the certificate.
//
// Start with Decide and Signer. Requests are PKCS #10, and certificates X.509, both in DER. It talks to nobody and keeps nothing.
package issue

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"errors"
	"fmt"
	"math/big"
	"slices"
	"time"

	"slipway/node"
)

// NewRequest asks for a certificate of a key that the worker has already.
func NewRequest(c node.ClientCertificate, key crypto.Signer) ([]byte, error) {
	der, err := x509.CreateCertificateRequest(rand.Reader, &x509.CertificateRequest{Subject: subject(c)}, key)
	if err != nil {
		return nil, fmt.Errorf("making a request for certificate %q: %w", c.Name, err)
	}
	return der, nil
}

func subject(c node.ClientCertificate) pkix.Name {
	return pkix.Name{CommonName: c.User, Organization: c.Organization}
}

// Grant is a certificate that somebody may have.
type Grant struct {
	node.ClientCertificate
	Key crypto.PublicKey
}

// Decide grants a node the certificate that it asks for by name, or says why not. What the certificate will say comes from the inventory;
// of the request only the key is taken. One that asks for anything else is refused all the same: whoever sent it has something in mind.
func Decide(from node.Node, cni, name string, request []byte) (Grant, error) {
	all := node.ClientCertificates(from, cni)
	i := slices.IndexFunc(all, func(c node.ClientCertificate) bool { return c.Name == name })
	if i < 0 {
		return Grant{}, fmt.Errorf("node %q has no certificate %q to be given anew", from.Name, name)
	}
	r, err := x509.ParseCertificateRequest(request)
	if err != nil {
		return Grant{}, fmt.Errorf("parsing the request: %w", err)
	}
	if err := r.CheckSignature(); err != nil {
		return Grant{}, fmt.Errorf("checking the request's signature: %w", err)
	}
	if err := check(r, all[i]); err != nil {
		return Grant{}, err
	}
	return Grant{all[i], r.PublicKey}, nil
}

func check(r *x509.CertificateRequest, c node.ClientCertificate) error {
	if r.Subject.CommonName != c.User {
		return fmt.Errorf("common name %q is not %q", r.Subject.CommonName, c.User)
	}
	if !slices.Equal(r.Subject.Organization, c.Organization) {
		return fmt.Errorf("organization %q is not %q", r.Subject.Organization, c.Organization)
	}
	if len(r.Subject.Names) != 1+len(c.Organization) {
		return fmt.Errorf("subject %q says more than common name and organization", r.Subject)
	}
	if len(r.Extensions) > 0 { // names of hosts, usages, to be a CA
		return fmt.Errorf("extension %s is not allowed: a client has no other names", r.Extensions[0].Id)
	}
	if key, ok := r.PublicKey.(*ecdsa.PublicKey); !ok || key.Curve != elliptic.P256() {
		return errors.New("its key is not an ECDSA key on P-256")
	}
	return nil
}

// mostBackdate bounds how long before its issue a certificate begins, for clocks that lag: a tenth of its life, and a day at most,
// as with those that come with a config.
const mostBackdate = 24 * time.Hour

// Signer is the intermediate CA for clients that control planes have.
type Signer struct {
	Certificate *x509.Certificate
	Key         crypto.Signer
}

// Sign makes the certificate. None outlives its signer.
func (s Signer) Sign(g Grant, life time.Duration, now time.Time) (*x509.Certificate, error) {
	if !now.Before(s.Certificate.NotAfter) {
		return nil, fmt.Errorf("signing certificate %q: the signer itself ended on %s", g.Name, s.Certificate.NotAfter.Format(time.DateOnly))
	}
	serial, err := rand.Int(rand.Reader, new(big.Int).Lsh(big.NewInt(1), 127))
	if err != nil {
		return nil, fmt.Errorf("making a serial number: %w", err)
	}
	template := &x509.Certificate{
		SerialNumber: serial, Subject: subject(g.ClientCertificate), BasicConstraintsValid: true,
		NotBefore: now.Add(-min(life/10, mostBackdate)), NotAfter: now.Add(life),
		KeyUsage: x509.KeyUsageDigitalSignature, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth},
	}
	if template.NotAfter.After(s.Certificate.NotAfter) {
		template.NotAfter = s.Certificate.NotAfter
	}
	der, err := x509.CreateCertificate(rand.Reader, template, s.Certificate, g.Key, s.Key)
	if err != nil {
		return nil, fmt.Errorf("signing certificate %q: %w", g.Name, err)
	}
	return x509.ParseCertificate(der)
}

// Check demands that a certificate is the one that a worker asked for, and of use to it now.
func Check(got *x509.Certificate, c node.ClientCertificate, key crypto.PublicKey, cas *x509.CertPool, now time.Time) error {
	if own, ok := key.(*ecdsa.PublicKey); !ok || !own.Equal(got.PublicKey) {
		return errors.New("it is of another key")
	}
	if got.Subject.CommonName != c.User {
		return fmt.Errorf("it is that of %q", got.Subject.CommonName)
	}
	if now.Before(got.NotBefore) || now.After(got.NotAfter) {
		return fmt.Errorf("it lasts from %s to %s, and here it is %s: one of the two clocks is wrong",
			got.NotBefore.UTC().Format(time.RFC3339), got.NotAfter.UTC().Format(time.RFC3339), now.UTC().Format(time.RFC3339))
	}
	_, err := got.Verify(x509.VerifyOptions{Roots: cas, CurrentTime: now, KeyUsages: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth}})
	return err
}
