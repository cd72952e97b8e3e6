package node

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/sha256"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"io"
)

// InventoryName is the common name of the certificate that vouches for entries; no node may have it.
const InventoryName = "slipway-inventory"

// MaxEntry is the most bytes that a signed entry has as JSON: a node with many labels takes a tenth of it.
const MaxEntry = 16 << 10

// Entry is what the operator says of one node, and how that node shows others that it belongs.
type Entry struct {
	Cluster string `json:"cluster"` // id
	Epoch   int    `json:"epoch"`
	Serial  int    `json:"serial"` // from 1; of two entries that claim the same name, address or pods, the higher one counts
	Node    Node   `json:"node"`   // as Public gives it
}

// SignedEntry is an entry with its proof. Body is signed as it stands, so that nobody must encode it alike.
type SignedEntry struct {
	Body        string `json:"body"`        // an Entry as JSON
	Signature   []byte `json:"signature"`   // ECDSA, ASN.1, over the SHA-256 of entryContext and body
	Certificate []byte `json:"certificate"` // of InventoryName, under the peer CA, DER
}

// entryContext keeps a signature of an entry from ever being one of something else.
const entryContext = "slipway entry v1\n"

// IsZero says whether there is no entry.
func (s SignedEntry) IsZero() bool {
	return s.Body == "" && len(s.Signature) == 0 && len(s.Certificate) == 0
}

// Public is what others need to know of a node: all but how it finds its own card.
func (n Node) Public() Node {
	n.Interface, n.MAC = "", ""
	return n
}

// SignEntry signs with the key of a certificate, DER.
func SignEntry(e Entry, key crypto.Signer, certificate []byte, random io.Reader) (SignedEntry, error) {
	body, err := json.Marshal(e)
	if err != nil {
		return SignedEntry{}, fmt.Errorf("encoding the entry of %q: %w", e.Node.Name, err)
	}
	sum := entryDigest(string(body))
	signature, err := key.Sign(random, sum[:], crypto.SHA256)
	if err != nil {
		return SignedEntry{}, fmt.Errorf("signing the entry of %q: %w", e.Node.Name, err)
	}
	return SignedEntry{Body: string(body), Signature: signature, Certificate: certificate}, nil
}

// ParseEntry reads a signed entry strictly; nothing of it is proved yet.
func ParseEntry(data []byte) (SignedEntry, error) {
	var s SignedEntry
	if len(data) > MaxEntry {
		return s, fmt.Errorf("parsing entry: %d bytes are above %d", len(data), MaxEntry)
	}
	if err := decodeStrict(data, &s); err != nil {
		return SignedEntry{}, fmt.Errorf("parsing entry: %w", err)
	}
	return s, nil
}

// VerifyEntry proves a signed entry against the peer CA and gives what it says, if that is about this config's cluster
// and epoch and could be a node of it. First it finds out who speaks, then what is said. No date is asked for: an entry holds
// as long as its CA and epoch do, also for a node that was off for a year, and on one whose clock is wrong.
func (c *Config) VerifyEntry(s SignedEntry, ca *x509.CertPool) (Entry, error) {
	if err := s.prove(ca); err != nil {
		return Entry{}, fmt.Errorf("verifying entry: %w", err)
	}
	e, err := s.Read()
	if err != nil {
		return Entry{}, fmt.Errorf("verifying entry: %w", err)
	}
	if e.Cluster != c.Cluster.ID || e.Epoch != c.Cluster.Epoch {
		return Entry{}, fmt.Errorf("verifying entry of %q: it is of %s/%d, and this cluster is %s", e.Node.Name, e.Cluster, e.Epoch, c.EtcdToken())
	}
	if err := e.Node.validate(c.Network); err != nil {
		return Entry{}, fmt.Errorf("verifying entry of %q: %w", e.Node.Name, err)
	}
	return e, nil
}

// Read is what an entry says, proved or not.
func (s SignedEntry) Read() (Entry, error) {
	var e Entry
	if err := decodeStrict([]byte(s.Body), &e); err != nil {
		return Entry{}, fmt.Errorf("parsing entry: %w", err)
	}
	if e.Serial < 1 {
		return Entry{}, fmt.Errorf("parsing entry of %q: serial %d is below 1", e.Node.Name, e.Serial)
	}
	return e, nil
}

// prove checks chain, name and signature.
func (s SignedEntry) prove(ca *x509.CertPool) error {
	if ca == nil { // which would be the machine's own trust
		return errors.New("there is no peer CA")
	}
	cert, err := x509.ParseCertificate(s.Certificate)
	if err != nil {
		return fmt.Errorf("reading its certificate: %w", err)
	}
	// The usage keeps the certificates of nodes and of the operator from signing entries, and this one from calling nodes.
	_, err = cert.Verify(x509.VerifyOptions{Roots: ca, CurrentTime: cert.NotBefore, KeyUsages: []x509.ExtKeyUsage{x509.ExtKeyUsageCodeSigning}})
	if err != nil {
		return fmt.Errorf("it is not signed by the inventory's key: %w", err)
	}
	if name := cert.Subject.CommonName; name != InventoryName {
		return fmt.Errorf("it is not signed by the inventory's key: its certificate is that of %q", name)
	}
	key, ok := cert.PublicKey.(*ecdsa.PublicKey)
	if !ok {
		return errors.New("the inventory's key is not an ECDSA key")
	}
	if sum := entryDigest(s.Body); !ecdsa.VerifyASN1(key, sum[:], s.Signature) {
		return errors.New("its signature is wrong")
	}
	return nil
}

func entryDigest(body string) [sha256.Size]byte { return sha256.Sum256([]byte(entryContext + body)) }

// validateEntry holds the config's own entry against what the config says of this node. A config of a node that every other
// one's config names needs none.
func (c *Config) validateEntry() error {
	if c.Entry.IsZero() {
		return nil
	}
	text, err := json.Marshal(c.Entry)
	if err == nil && len(text) > MaxEntry {
		err = fmt.Errorf("%d bytes are above %d: the node has too many labels", len(text), MaxEntry)
	}
	if err != nil {
		return fmt.Errorf("entry: %w", err)
	}
	e, err := c.Entry.Read()
	if err != nil {
		return fmt.Errorf("entry: %w", err)
	}
	if same, err := e.says(c); err != nil || !same {
		return errors.Join(err, fmt.Errorf("entry: it does not say what the config says of node %q", c.Node))
	}
	return nil
}

// says is whether an entry and a config agree on the config's node.
func (e Entry) says(c *Config) (bool, error) {
	want := Entry{Cluster: c.Cluster.ID, Epoch: c.Cluster.Epoch, Serial: e.Serial, Node: c.Self().Public()}
	have, err := json.Marshal(e)
	if err != nil {
		return false, err
	}
	text, err := json.Marshal(want)
	return string(have) == string(text), err
}
