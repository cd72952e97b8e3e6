package pki

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"io/fs"
	"sync"
	"time"

	cfconfig "github.com/cloudflare/cfssl/config"
	"github.com/cloudflare/cfssl/csr"
	"github.com/cloudflare/cfssl/helpers"
	cflog "github.com/cloudflare/cfssl/log"
	"github.com/cloudflare/cfssl/signer"
	"github.com/cloudflare/cfssl/signer/local"
)

// Usages by cfssl's names.
const (
	usageSign     = "digital signature"
	usageCertSign = "cert sign"
	usageCRLSign  = "crl sign"
	usageServer   = "server auth"
	usageClient   = "client auth"
	usageEntries  = "code signing" // there is none for inventories, and this one no TLS takes
)

// Pair is a certificate and, once it was needed, its private key.
type Pair struct {
	Name    string            // in the store, without extension
	Cert    *x509.Certificate // nil in a Set of nodes, of which there may be thousands: see parsed
	CertPEM []byte
	KeyPEM  []byte // nil until asked for
}

// parsed is the certificate.
func (pair *Pair) parsed() (*x509.Certificate, error) {
	if pair.Cert != nil {
		return pair.Cert, nil
	}
	return helpers.ParseCertificatePEM(pair.CertPEM)
}

// request says what a certificate must be.
type request struct {
	cn        string
	orgs      []string
	hosts     []string // DNS names and addresses
	usages    []string
	notAfter  time.Time
	ca        bool
	leafsOnly bool // a CA that may not sign further CAs
}

// silenceCFSSL keeps cfssl from writing to stderr: every error that it logs it returns as well.
var silenceCFSSL = sync.OnceFunc(func() { cflog.Level = cflog.LevelFatal })

// issue makes the certificate called name, signed by issuer (nil: by itself), with the key in the store or a new one.
func (p *PKI) issue(name string, issuer *Pair, r request) (*Pair, error) {
	silenceCFSSL()
	key, keyPEM, err := p.keyFor(name)
	if err != nil {
		return nil, err
	}
	csrPEM, err := csr.Generate(key, r.csr())
	if err != nil {
		return nil, fmt.Errorf("making the signing request: %w", err)
	}
	s, err := p.signer(key, issuer, r)
	if err != nil {
		return nil, err
	}
	if issuer != nil && r.notAfter.After(issuer.Cert.NotAfter) {
		r.notAfter = issuer.Cert.NotAfter
	}
	certPEM, err := s.Sign(signer.SignRequest{
		Request:   string(csrPEM),
		NotBefore: p.now.Add(-Backdate).Truncate(time.Second),
		NotAfter:  r.notAfter.Truncate(time.Second),
	})
	if err != nil {
		return nil, fmt.Errorf("signing: %w", err)
	}
	cert, err := helpers.ParseCertificatePEM(certPEM)
	if err != nil {
		return nil, fmt.Errorf("reading what was signed: %w", err)
	}
	return &Pair{Name: name, Cert: cert, CertPEM: certPEM, KeyPEM: keyPEM}, nil
}

// csr is the request in cfssl's words.
func (r request) csr() *csr.CertificateRequest {
	c := &csr.CertificateRequest{CN: r.cn, Hosts: r.hosts}
	for _, o := range r.orgs {
		c.Names = append(c.Names, csr.Name{O: o})
	}
	if r.ca {
		c.CA = &csr.CAConfig{PathLenZero: r.leafsOnly}
	}
	return c
}

// signer is cfssl's signer with the one profile that r needs.
func (p *PKI) signer(key crypto.Signer, issuer *Pair, r request) (*local.Signer, error) {
	profile := &cfconfig.SigningProfile{Usage: r.usages, Expiry: LeafLife, ExpiryString: LeafLife.String()}
	if r.ca {
		profile.CAConstraint = cfconfig.CAConstraint{IsCA: true, MaxPathLenZero: r.leafsOnly}
	}
	var parent *x509.Certificate
	if issuer != nil {
		keyPEM, err := p.key(issuer)
		if err != nil {
			return nil, err
		}
		if key, err = helpers.ParsePrivateKeyPEM(keyPEM); err != nil {
			return nil, fmt.Errorf("reading the key of %q: %w", issuer.Name, err)
		}
		parent = issuer.Cert
	}
	s, err := local.NewSigner(key, parent, signer.DefaultSigAlgo(key), &cfconfig.Signing{Default: profile})
	if err != nil {
		return nil, fmt.Errorf("making the signer: %w", err)
	}
	return s, nil
}

// keyFor gives the key called name: the one in the store, else a new one that is not stored yet. A certificate that
// is issued anew thus keeps its key, and peers keep knowing it by its fingerprint.
func (p *PKI) keyFor(name string) (crypto.Signer, []byte, error) {
	keyPEM, err := p.store.Get(name + ".key")
	if errors.Is(err, fs.ErrNotExist) {
		return newKey()
	}
	if err != nil {
		return nil, nil, err
	}
	key, err := helpers.ParsePrivateKeyPEM(keyPEM)
	if err != nil {
		return nil, nil, inputError{fmt.Errorf("reading key %q of %s: %w", name, p.store, err)}
	}
	return key, keyPEM, nil
}

// newKey makes an ECDSA P-256 key.
func newKey() (crypto.Signer, []byte, error) {
	silenceCFSSL()
	generated, err := csr.NewKeyRequest().Generate()
	if err != nil {
		return nil, nil, fmt.Errorf("generating a key: %w", err)
	}
	key, ok := generated.(*ecdsa.PrivateKey)
	if !ok {
		return nil, nil, fmt.Errorf("generating a key: got a %T, want ECDSA", generated)
	}
	der, err := x509.MarshalECPrivateKey(key)
	if err != nil {
		return nil, nil, fmt.Errorf("encoding a key: %w", err)
	}
	return key, encodePEM("EC PRIVATE KEY", der), nil
}

func encodePEM(kind string, der []byte) []byte {
	return pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der})
}

// load reads a certificate; fs.ErrNotExist says that there is none.
func (p *PKI) load(name string) (*Pair, error) {
	certPEM, err := p.store.Get(name + ".crt")
	if err != nil {
		return nil, err
	}
	cert, err := helpers.ParseCertificatePEM(certPEM)
	if err != nil {
		return nil, inputError{fmt.Errorf("reading certificate %q of %s: %w", name, p.store, err)}
	}
	return &Pair{Name: name, Cert: cert, CertPEM: certPEM}, nil
}

// key gives the pair's private key, read once and checked against the certificate.
func (p *PKI) key(pair *Pair) ([]byte, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if pair.KeyPEM != nil {
		return pair.KeyPEM, nil
	}
	keyPEM, err := p.store.Get(pair.Name + ".key")
	if errors.Is(err, fs.ErrNotExist) {
		return nil, inputError{fmt.Errorf("reading key %q of %s: the certificate is there, its key is not\nhint: restore the key from your backup", pair.Name, p.store)}
	}
	if err != nil {
		return nil, err
	}
	key, err := helpers.ParsePrivateKeyPEM(keyPEM)
	if err != nil {
		return nil, inputError{fmt.Errorf("reading key %q of %s: %w", pair.Name, p.store, err)}
	}
	cert, err := pair.parsed()
	if err != nil {
		return nil, err
	}
	if !samePublicKey(key, cert) {
		return nil, inputError{fmt.Errorf("reading key %q of %s: it belongs to another certificate", pair.Name, p.store)}
	}
	pair.KeyPEM = keyPEM
	return keyPEM, nil
}

func samePublicKey(key crypto.Signer, cert *x509.Certificate) bool {
	der, err := x509.MarshalPKIXPublicKey(key.Public())
	return err == nil && bytes.Equal(der, cert.RawSubjectPublicKeyInfo)
}

// save stores the pair, the key first: a key without a certificate is completed later, the reverse could not be.
func (p *PKI) save(pair *Pair) error {
	if pair == nil {
		return nil
	}
	if err := p.putKey(pair.Name, pair.KeyPEM); err != nil {
		return err
	}
	return p.store.Put(pair.Name+".crt", pair.CertPEM)
}

// putKey stores a key unless it is there: keys are never replaced.
func (p *PKI) putKey(name string, keyPEM []byte) error {
	if _, err := p.store.Get(name + ".key"); !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return p.store.Put(name+".key", keyPEM)
}
