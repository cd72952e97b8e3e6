package testyum

import (
	"bytes"
	"crypto"
	"fmt"
	"strings"
	"time"

	"golang.org/x/crypto/openpgp"
	"golang.org/x/crypto/openpgp/armor"
	"golang.org/x/crypto/openpgp/packet"
)

// Key signs packages and metadata.
type Key struct {
	Fingerprint string // hex, upper case
	Public      []byte // armored, as gpgkey= wants it

	entity *openpgp.Entity
	config *packet.Config
}

// NewKey makes an RSA key: rpmpack writes the signature tags of that algorithm.
func NewKey(name string, now time.Time) (*Key, error) {
	k := &Key{config: &packet.Config{
		DefaultHash: crypto.SHA256, RSABits: 2048,
		Time: func() time.Time { return now },
	}}
	var err error
	if k.entity, err = openpgp.NewEntity(name, "", "test@slipway.invalid", k.config); err != nil {
		return nil, fmt.Errorf("making a signing key: %w", err)
	}
	k.Fingerprint = strings.ToUpper(fmt.Sprintf("%x", k.entity.PrimaryKey.Fingerprint))
	var out bytes.Buffer
	w, err := armor.Encode(&out, openpgp.PublicKeyType, nil)
	if err != nil {
		return nil, fmt.Errorf("writing a public key: %w", err)
	}
	if err := k.entity.Serialize(w); err != nil {
		return nil, fmt.Errorf("writing a public key: %w", err)
	}
	if err := w.Close(); err != nil {
		return nil, fmt.Errorf("writing a public key: %w", err)
	}
	k.Public = out.Bytes()
	return k, nil
}

// sign makes the binary signature that a package's header carries.
func (k *Key) sign(data []byte) ([]byte, error) {
	var out bytes.Buffer
	err := openpgp.DetachSign(&out, k.entity, bytes.NewReader(data), k.config)
	return out.Bytes(), err
}

// Armored makes the signature that lies beside repomd.xml.
func (k *Key) Armored(data []byte) ([]byte, error) {
	var out bytes.Buffer
	err := openpgp.ArmoredDetachSign(&out, k.entity, bytes.NewReader(data), k.config)
	return out.Bytes(), err
}
