package pki

import (
	"bytes"
	"crypto"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"filippo.io/age"

	"slipway/secureboot"
)

func noTokens(uri string) (crypto.Signer, error) { return nil, fmt.Errorf("there is no token %q", uri) }

func mustInitSecureBoot(t *testing.T, store Store) *SecureBoot {
	t.Helper()
	if _, err := InitSecureBoot(store, "demo", epoch, noTokens, nil, nil); err != nil {
		t.Fatal(err)
	}
	s, err := OpenSecureBoot(store, "demo", noTokens)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func TestSecureBoot(t *testing.T) {
	store := Memory{}
	s := mustInitSecureBoot(t, store)
	want := []string{
		"secureboot/KEK.auth", "secureboot/KEK.crt", "secureboot/KEK.key", "secureboot/PK.auth", "secureboot/PK.crt", "secureboot/PK.key",
		"secureboot/db.auth", "secureboot/db.crt", "secureboot/db.key",
	}
	if got := slices.Sorted(maps.Keys(store)); !slices.Equal(got, want) {
		t.Errorf("the store has %q", got)
	}
	for _, name := range secureboot.Names() {
		cert := s.Certificate(name)
		if cert.Subject.CommonName != "demo Secure Boot "+name || cert.NotAfter.Sub(epoch) < 3650*24*time.Hour || cert.NotBefore.After(epoch.Add(-23*time.Hour)) {
			t.Errorf("%s: %v", name, cert.Subject)
		}
		key, err := s.Key(name)
		if err != nil || key.Public().(*rsa.PublicKey).N.BitLen() != 2048 {
			t.Errorf("%s: %v", name, err)
		}
		update, err := s.Update(name)
		if err != nil {
			t.Fatal(err)
		}
		if certs, err := secureboot.Certificates(update); err != nil || len(certs) != 1 || !certs[0].Equal(cert) {
			t.Errorf("%s.auth: %v %v", name, certs, err)
		}
	}
	before := maps.Clone(store)
	r, err := InitSecureBoot(store, "demo", epoch.AddDate(1, 0, 0), noTokens, nil, nil)
	if err != nil || len(r.Created) > 0 || len(r.Kept) != 6 {
		t.Errorf("again: %+v %v", r, err)
	}
	if !maps.EqualFunc(before, store, bytes.Equal) {
		t.Error("a second run changed the store")
	}
}

// TestSecureBootInterrupted: what an earlier run left is completed with the same key.
func TestSecureBootInterrupted(t *testing.T) {
	store := Memory{}
	mustInitSecureBoot(t, store)
	whole := maps.Clone(store)
	delete(store, "secureboot/db.crt")
	delete(store, "secureboot/PK.auth")
	r, err := InitSecureBoot(store, "demo", epoch, noTokens, nil, nil)
	if err != nil || !slices.Equal(r.Created, []string{"secureboot/db", "secureboot/PK.auth"}) {
		t.Errorf("%+v %v", r, err)
	}
	if !maps.EqualFunc(whole, store, bytes.Equal) {
		t.Error("what was completed differs from what was there: the same keys and time must give the same files")
	}
}

func TestSecureBootToken(t *testing.T) {
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	const uri = "pkcs11:token=a;object=b?module-path=/x"
	asked := 0
	tokens := func(text string) (crypto.Signer, error) {
		asked++
		if text != uri {
			return nil, errors.New("another name")
		}
		return key, nil
	}
	store, uris := Memory{}, map[string]string{secureboot.DB: uri}
	other, err := secureboot.NewCertificate(key, "maker of cards", epoch, epoch.AddDate(10, 0, 0))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := InitSecureBoot(store, "demo", epoch, tokens, uris, []*x509.Certificate{other}); err != nil {
		t.Fatal(err)
	}
	if _, there := store["secureboot/db.key"]; there || string(store["secureboot/db.uri"]) != uri+"\n" {
		t.Errorf("the store has %q", slices.Sorted(maps.Keys(store)))
	}
	s, err := OpenSecureBoot(store, "demo", tokens)
	if err != nil {
		t.Fatal(err)
	}
	asked = 0
	if k, err := s.Key(secureboot.DB); err != nil || asked != 1 || !key.PublicKey.Equal(k.Public()) {
		t.Errorf("%v, asked %d times", err, asked)
	}
	update, err := s.Update(secureboot.DB)
	if err != nil {
		t.Fatal(err)
	}
	if certs, err := secureboot.Certificates(update); err != nil || len(certs) != 2 || !certs[1].Equal(other) {
		t.Errorf("db.auth: %v %v", certs, err)
	}
	if _, err := InitSecureBoot(store, "demo", epoch, tokens, map[string]string{secureboot.PK: uri}, nil); err == nil || !strings.Contains(err.Error(), "never replaced") {
		t.Errorf("a key of the store said to be in a token: %v", err)
	}
}

func TestSecureBootRefusals(t *testing.T) {
	good := Memory{}
	mustInitSecureBoot(t, good)
	for want, spoil := range map[string]func(Memory) error{
		"`slipway secureboot init` first": func(m Memory) error { delete(m, "secureboot/db.crt"); return nil },
		"it is no PEM":                    func(m Memory) error { return m.Put("secureboot/PK.crt", []byte("x")) },
		"not that of certificate":         func(m Memory) error { return m.Put("secureboot/db.key", m["secureboot/PK.key"]) },
		"restore it from your backup":     func(m Memory) error { delete(m, "secureboot/db.key"); return nil },
		"no token \"pkcs11:x\"":           func(m Memory) error { return m.Put("secureboot/db.uri", []byte("pkcs11:x\n")) },
		"completes what is missing":       func(m Memory) error { delete(m, "secureboot/db.auth"); return nil },
	} {
		store := maps.Clone(good)
		if err := spoil(store); err != nil {
			t.Fatal(err)
		}
		s, err := OpenSecureBoot(store, "demo", noTokens)
		if err == nil {
			_, err = s.Key(secureboot.DB)
		}
		if err == nil {
			_, err = s.Update(secureboot.DB)
		}
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("got %v, want %q", err, want)
		}
	}
	if _, err := OpenSecureBoot(good, "other", noTokens); err == nil || !strings.Contains(err.Error(), `not that of cluster "other"`) {
		t.Errorf("another cluster's: %v", err)
	}
}

// TestSecureBootSealed: keys are encrypted, what firmware gets is not, and recipients count for both kinds of keys.
func TestSecureBootSealed(t *testing.T) {
	id, err := age.GenerateX25519Identity()
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	d, err := CreateDir(dir, []string{id.Recipient().String()}, nil)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := mustInitSecureBoot(t, d).Key(secureboot.DB); err == nil || !strings.Contains(err.Error(), "--age-identity") {
		t.Errorf("an encrypted key without an identity: %v", err)
	}
	mustInitSecureBoot(t, d) // again: nothing is to be made, nothing to be opened
	d.Close()
	if d, err = OpenDir(dir, []age.Identity{id}); err != nil {
		t.Fatal(err)
	}
	s, err := OpenSecureBoot(d, "demo", noTokens)
	if err == nil {
		_, err = s.Key(secureboot.DB)
	}
	if err != nil {
		t.Error(err)
	}
	d.Close()
	plain := t.TempDir()
	if d, err = CreateDir(plain, nil, nil); err != nil {
		t.Fatal(err)
	}
	mustInitSecureBoot(t, d)
	d.Close()
	if _, err := CreateDir(plain, []string{id.Recipient().String()}, nil); err == nil || !strings.Contains(err.Error(), "not encrypted") {
		t.Errorf("recipients after plain keys: %v", err)
	}
}
