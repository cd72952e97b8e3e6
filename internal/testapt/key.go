// Package testapt makes signed apt archives for tests: packages, their indexes with by-hash, and InRelease, with the layout of
// Debian's and Ubuntu's. Start with NewKey and Archive. It reads and writes .deb files itself, so that a package can be given
// another name, other fields and other files; it resolves and checks nothing.
//
// Formats: deb(5), deb822(5), https://wiki.debian.org/DebianRepository/Format, RFC 9580.
package testapt

import (
	"bytes"
	"crypto"
	"fmt"
	"strings"
	"time"

	"golang.org/x/crypto/openpgp"
	"golang.org/x/crypto/openpgp/armor"
	"golang.org/x/crypto/openpgp/clearsign"
	"golang.org/x/crypto/openpgp/packet"
)

// Key signs indexes.
type Key struct {
	Fingerprint string // hex, upper case
	Public      []byte // armored

	entity *openpgp.Entity
	config *packet.Config
}

// NewKey makes a key at a time; with a life it expires after that.
func NewKey(name string, now time.Time, life time.Duration) (*Key, error) {
	k := &Key{config: &packet.Config{DefaultHash: crypto.SHA256, RSABits: 2048, Time: func() time.Time { return now }}}
	var err error
	if k.entity, err = openpgp.NewEntity(name, "", "test@slipway.invalid", k.config); err != nil {
		return nil, fmt.Errorf("making a signing key: %w", err)
	}
	if life > 0 {
		seconds := uint32(life / time.Second)
		for _, id := range k.entity.Identities {
			id.SelfSignature.KeyLifetimeSecs = &seconds
			if err := id.SelfSignature.SignUserId(id.UserId.Id, k.entity.PrimaryKey, k.entity.PrivateKey, k.config); err != nil {
				return nil, fmt.Errorf("signing a key: %w", err)
			}
		}
	}
	k.Fingerprint = strings.ToUpper(fmt.Sprintf("%x", k.entity.PrimaryKey.Fingerprint))
	var out bytes.Buffer
	w, err := armor.Encode(&out, openpgp.PublicKeyType, nil)
	if err == nil {
		err = k.entity.Serialize(w)
	}
	if err == nil {
		err = w.Close()
	}
	if err != nil {
		return nil, fmt.Errorf("writing a public key: %w", err)
	}
	k.Public = out.Bytes()
	return k, nil
}

// clearsign wraps a text in its signature, as InRelease is.
func (k *Key) clearsign(text []byte) ([]byte, error) {
	var out bytes.Buffer
	w, err := clearsign.Encode(&out, k.entity.PrivateKey, k.config)
	if err == nil {
		_, err = w.Write(text)
	}
	if err == nil {
		err = w.Close()
	}
	if err != nil {
		return nil, fmt.Errorf("signing: %w", err)
	}
	return append(out.Bytes(), '\n'), nil
}
