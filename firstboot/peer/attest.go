package peer

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/rand"
	"crypto/sha256"
	"crypto/x509"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"regexp"
	"time"
)

// Attestation is a node's answer to "has this cluster ever formed?", and what else it knows.
type Attestation struct {
	Node      string `json:"node"`
	Cluster   string `json:"cluster"` // id
	Epoch     int    `json:"epoch"`
	Testimony        // its keys stand beside the others
	HasData   bool   `json:"hasData"`        // there is an etcd database on the node
	Unsure    bool   `json:"unsure"`         // it lost what it knew, so Formed does not count when it is false
	Twin      *Twin  `json:"twin,omitempty"` // another machine that calls by the name and key of who asked
	Nonce     string `json:"nonce"`          // of who asked

	// Beside what is signed:
	Again time.Duration `json:"-"` // when the caller is expected again, if it was told
	List  string        `json:"-"` // the tag of the list of nodes that the node gives, if it gives one
}

// Twin is another instance of the one who asks that was heard a moment ago: two machines have one name and key.
type Twin struct {
	Instance string `json:"instance"`
	Address  string `json:"address"` // that it called from
}

// HasStarted says whether the node has started its member, or is about to.
func (a Attestation) HasStarted() bool { return a.Has(a.Node, a.Instance) }

// Signed is an attestation with its proof. Body is signed as it stands, so that nobody must encode it alike.
type Signed struct {
	Body      []byte `json:"body"`      // an Attestation as JSON
	PublicKey []byte `json:"publicKey"` // SubjectPublicKeyInfo, DER: its SHA-256 is the node's fingerprint
	Signature []byte `json:"signature"` // ECDSA, ASN.1, over the SHA-256 of context and body
}

// signingContext keeps a signature of an attestation from ever being one of something else.
const signingContext = "slipway attestation v1\n"

var nonceShape = regexp.MustCompile(`^[0-9a-f]{32,128}$`)

// Sign signs an attestation with the node's peer key.
func Sign(key crypto.Signer, a Attestation) (Signed, error) {
	body, err := json.Marshal(a)
	if err != nil {
		return Signed{}, fmt.Errorf("encoding attestation: %w", err)
	}
	public, err := x509.MarshalPKIXPublicKey(key.Public())
	if err != nil {
		return Signed{}, fmt.Errorf("encoding public key: %w", err)
	}
	sum := digest(body)
	signature, err := key.Sign(rand.Reader, sum[:], crypto.SHA256)
	if err != nil {
		return Signed{}, fmt.Errorf("signing attestation: %w", err)
	}
	return Signed{Body: body, PublicKey: public, Signature: signature}, nil
}

// Verify checks that data is a Signed made by the key of this fingerprint for this node and nonce.
func Verify(data []byte, node, fingerprint, nonce string) (Attestation, error) {
	a, err := verify(data, fingerprint)
	if err != nil {
		return Attestation{}, fmt.Errorf("verifying attestation of %q: %w", node, err)
	}
	if a.Node != node {
		return Attestation{}, fmt.Errorf("verifying attestation of %q: it is about %q", node, a.Node)
	}
	if a.Nonce != nonce {
		return Attestation{}, fmt.Errorf("verifying attestation of %q: it answers another question", node)
	}
	return a, nil
}

func verify(data []byte, fingerprint string) (Attestation, error) {
	var s Signed
	if err := decodeStrict(data, &s); err != nil {
		return Attestation{}, err
	}
	if Fingerprint(s.PublicKey) != fingerprint {
		return Attestation{}, errors.New("its key is not the one in the inventory")
	}
	public, err := x509.ParsePKIXPublicKey(s.PublicKey)
	if err != nil {
		return Attestation{}, fmt.Errorf("reading public key: %w", err)
	}
	key, ok := public.(*ecdsa.PublicKey)
	if !ok {
		return Attestation{}, errors.New("its key is not an ECDSA key")
	}
	if sum := digest(s.Body); !ecdsa.VerifyASN1(key, sum[:], s.Signature) {
		return Attestation{}, errors.New("its signature is wrong")
	}
	var a Attestation
	if err := decodeStrict(s.Body, &a); err != nil {
		return Attestation{}, err
	}
	return a, a.check()
}

// Fingerprint is how the inventory names a key: the SHA-256 of its SubjectPublicKeyInfo, in hex.
func Fingerprint(spki []byte) string {
	sum := sha256.Sum256(spki)
	return hex.EncodeToString(sum[:])
}

func digest(body []byte) [sha256.Size]byte {
	return sha256.Sum256(append([]byte(signingContext), body...))
}

func decodeStrict(data []byte, into any) error {
	dec := json.NewDecoder(bytes.NewReader(data))
	dec.DisallowUnknownFields()
	if err := dec.Decode(into); err != nil {
		return fmt.Errorf("parsing: %w", err)
	}
	if _, err := dec.Token(); !errors.Is(err, io.EOF) {
		return errors.New("parsing: data after the document")
	}
	return nil
}
