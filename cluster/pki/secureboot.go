package pki

import (
	"crypto"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"io/fs"
	"strings"
	"time"

	"slipway/secureboot"
)

// secureBootDir is the folder of the store with the keys of Secure Boot: NAME.crt, NAME.auth, and NAME.key or, for a key in a
// token, NAME.uri. It is of use without the rest of the store, on a machine that builds images.
const secureBootDir = "secureboot/"

// Tokens opens keys that are not in the store, by the names that their owner gave.
type Tokens func(uri string) (crypto.Signer, error)

// SecureBoot is the opened keys of Secure Boot. Private ones are read when they are needed.
type SecureBoot struct {
	store  Store
	id     string
	tokens Tokens
	certs  map[string]*x509.Certificate
	made   map[string]crypto.Signer // just now: who encrypts them need not be able to decrypt them
}

func newSecureBoot(store Store, id string, tokens Tokens) *SecureBoot {
	return &SecureBoot{store: store, id: id, tokens: tokens, certs: map[string]*x509.Certificate{}, made: map[string]crypto.Signer{}}
}

// secureBootSubject is the name in a key's certificate.
func secureBootSubject(id, name string) string { return id + " Secure Boot " + name }

// InitSecureBoot makes the keys with which images of the cluster called id are signed, and what firmware needs to trust them:
// PK, KEK and db, RSA with 2048 bits, for ten years. uris name those of them that are in a token. trusted are further
// certificates for db, such as those of option ROMs. What exists is kept, never overwritten.
func InitSecureBoot(store Store, id string, now time.Time, tokens Tokens, uris map[string]string, trusted []*x509.Certificate) (Report, error) {
	s := newSecureBoot(store, id, tokens)
	var r Report
	for _, name := range secureboot.Names() {
		made, err := s.ensureKey(name, uris[name], now)
		if err != nil {
			return r, fmt.Errorf("making the Secure Boot key %s: %w", name, err)
		}
		r.note(secureBootDir+name, made)
	}
	signer := secureboot.PK
	for _, name := range secureboot.Names() {
		made, err := s.ensureUpdate(name, signer, trusted)
		if err != nil {
			return r, fmt.Errorf("making the Secure Boot variable %s: %w", name, err)
		}
		r.note(secureBootDir+name+".auth", made)
		signer = name
	}
	return r, nil
}

// OpenSecureBoot reads the certificates that InitSecureBoot left in the store.
func OpenSecureBoot(store Store, id string, tokens Tokens) (*SecureBoot, error) {
	s := newSecureBoot(store, id, tokens)
	for _, name := range secureboot.Names() {
		err := s.load(name)
		if errors.Is(err, fs.ErrNotExist) {
			return nil, inputError{fmt.Errorf("opening the Secure Boot keys: there is no %s%s.crt in %s\nhint: run `slipway secureboot init` first", secureBootDir, name, store)}
		}
		if err != nil {
			return nil, err
		}
	}
	return s, nil
}

// Certificate is that of a key: secureboot.PK, KEK or DB.
func (s *SecureBoot) Certificate(name string) *x509.Certificate { return s.certs[name] }

// Update is the content of NAME.auth.
func (s *SecureBoot) Update(name string) ([]byte, error) {
	b, err := s.store.Get(secureBootDir + name + ".auth")
	if errors.Is(err, fs.ErrNotExist) {
		err = inputError{fmt.Errorf("%w\nhint: run `slipway secureboot init` again, which completes what is missing", err)}
	}
	return b, err
}

// Key is a certificate with its private key.
func (s *SecureBoot) Key(name string) (secureboot.Key, error) {
	key := secureboot.Key{Signer: s.made[name], Cert: s.certs[name]}
	if key.Signer != nil {
		return key, nil
	}
	uri, err := s.store.Get(secureBootDir + name + ".uri")
	switch {
	case err == nil:
		key.Signer, err = s.tokens(strings.TrimSpace(string(uri)))
	case errors.Is(err, fs.ErrNotExist):
		key.Signer, err = s.stored(name)
	}
	if errors.Is(err, fs.ErrNotExist) {
		err = inputError{fmt.Errorf("%w\nhint: restore it from your backup", err)}
	}
	if err == nil {
		err = key.Check()
	}
	if err != nil {
		return key, fmt.Errorf("opening the Secure Boot key %s: %w", name, err)
	}
	return key, nil
}

// load reads a certificate; fs.ErrNotExist says that there is none.
func (s *SecureBoot) load(name string) error {
	text, err := s.store.Get(secureBootDir + name + ".crt")
	if err != nil {
		return err
	}
	block, _ := pem.Decode(text)
	if block == nil {
		return inputError{fmt.Errorf("reading %s%s.crt of %s: it is no PEM", secureBootDir, name, s.store)}
	}
	cert, err := x509.ParseCertificate(block.Bytes)
	if err != nil {
		return inputError{fmt.Errorf("reading %s%s.crt of %s: %w", secureBootDir, name, s.store, err)}
	}
	if cn := cert.Subject.CommonName; cn != secureBootSubject(s.id, name) {
		return inputError{fmt.Errorf("reading %s%s.crt of %s: it is the %q, which is not that of cluster %q\nhint: choose this cluster's own folder with --secrets", secureBootDir, name, s.store, cn, s.id)}
	}
	s.certs[name] = cert
	return nil
}

// ensureKey loads a key's certificate or makes it, and says whether it made it. The key is stored first.
func (s *SecureBoot) ensureKey(name, uri string, now time.Time) (bool, error) {
	err := s.load(name)
	if err == nil {
		return false, s.sameHome(name, uri)
	}
	if !errors.Is(err, fs.ErrNotExist) {
		return false, err
	}
	key, err := s.newKey(name, uri)
	if err != nil {
		return false, err
	}
	cert, err := secureboot.NewCertificate(key, secureBootSubject(s.id, name), now.Add(-Backdate), now.Add(CALife-Backdate))
	if err != nil {
		return false, err
	}
	s.certs[name], s.made[name] = cert, key
	return true, s.store.Put(secureBootDir+name+".crt", encodePEM("CERTIFICATE", cert.Raw))
}

// sameHome refuses to say that a key is in a token that it is not in.
func (s *SecureBoot) sameHome(name, uri string) error {
	if uri == "" {
		return nil
	}
	have, err := s.store.Get(secureBootDir + name + ".uri")
	if errors.Is(err, fs.ErrNotExist) || err == nil && strings.TrimSpace(string(have)) != uri {
		return inputError{fmt.Errorf("it is there already, and is not %q\nhint: keys are never replaced: choose another folder with --secrets", uri)}
	}
	return err
}

func (s *SecureBoot) newKey(name, uri string) (crypto.Signer, error) {
	if uri != "" {
		key, err := s.tokens(uri)
		if err != nil {
			return nil, err
		}
		return key, s.store.Put(secureBootDir+name+".uri", []byte(uri+"\n"))
	}
	if key, err := s.stored(name); !errors.Is(err, fs.ErrNotExist) {
		return key, err // an earlier run ended between key and certificate
	}
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		return nil, fmt.Errorf("generating a key: %w", err)
	}
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return nil, fmt.Errorf("encoding a key: %w", err)
	}
	return key, s.store.Put(secureBootDir+name+".key", encodePEM("PRIVATE KEY", der))
}

// stored reads a private key of the store.
func (s *SecureBoot) stored(name string) (crypto.Signer, error) {
	text, err := s.store.Get(secureBootDir + name + ".key")
	if err != nil {
		return nil, err
	}
	block, _ := pem.Decode(text)
	if block == nil {
		return nil, inputError{fmt.Errorf("reading %s%s.key of %s: it is no PEM", secureBootDir, name, s.store)}
	}
	key, err := x509.ParsePKCS8PrivateKey(block.Bytes)
	if err != nil {
		return nil, inputError{fmt.Errorf("reading %s%s.key of %s: %w", secureBootDir, name, s.store, err)}
	}
	signer, ok := key.(crypto.Signer)
	if !ok {
		return nil, inputError{fmt.Errorf("reading %s%s.key of %s: a %T cannot sign", secureBootDir, name, s.store, key)}
	}
	return signer, nil
}

// ensureUpdate makes NAME.auth unless it is there. Its time is that of the certificate, so the same keys make the same file.
func (s *SecureBoot) ensureUpdate(name, signer string, trusted []*x509.Certificate) (bool, error) {
	if _, err := s.store.Get(secureBootDir + name + ".auth"); !errors.Is(err, fs.ErrNotExist) {
		return false, err
	}
	by, err := s.Key(signer)
	if err != nil {
		return false, err
	}
	certs := []*x509.Certificate{s.certs[name]}
	if name == secureboot.DB {
		certs = append(certs, trusted...)
	}
	update, err := secureboot.Update(name, secureboot.List(secureboot.OwnerOf(s.id), certs...), by, s.certs[name].NotBefore)
	if err != nil {
		return false, err
	}
	return true, s.store.Put(secureBootDir+name+".auth", update)
}
