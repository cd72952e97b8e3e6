package pki

import (
	"bytes"
	"crypto"
	"crypto/rand"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"net/netip"

	"github.com/cloudflare/cfssl/helpers"

	"slipway/node"
)

// ledgerName is the store's list of entries that were signed.
const ledgerName = "entries.json"

// ledger is the last signed entry of every node that there ever was, so that one that did not change is the same again,
// and one that did counts for more than all before it: those of one run have one serial, the highest so far.
type ledger struct {
	Serial  int                         `json:"serial"` // the highest that was given
	Entries map[string]node.SignedEntry `json:"entries"`
}

func (p *PKI) readLedger() (ledger, error) {
	data, err := p.store.Get(ledgerName)
	if errors.Is(err, fs.ErrNotExist) {
		return ledger{Entries: map[string]node.SignedEntry{}}, nil
	}
	if err != nil {
		return ledger{}, err
	}
	var l ledger
	if err := json.Unmarshal(data, &l); err != nil {
		return ledger{}, inputError{fmt.Errorf("reading %s of %s: %w\nhint: restore it from your backup: new entries would count for less than those that nodes have", ledgerName, p.store, err)}
	}
	if l.Entries == nil {
		l.Entries = map[string]node.SignedEntry{}
	}
	return l, nil
}

// signEntries gives every node its entry: the one in the ledger if it says the same, else a new one.
func (s *Set) signEntries(cluster node.Cluster, nodes []node.Node) error {
	l, err := s.pki.readLedger()
	if err != nil {
		return err
	}
	prints, serial := s.Fingerprints(), l.Serial+1
	var key crypto.Signer
	for _, n := range nodes {
		n = n.Public()
		n.Fingerprint = prints[n.Name]
		e := node.Entry{Cluster: cluster.ID, Epoch: cluster.Epoch, Serial: serial, Node: n}
		kept, err := s.keeps(l.Entries[n.Name], e)
		if err != nil {
			return err
		}
		if kept {
			continue
		}
		if key == nil {
			if key, err = s.signer(s.inventory); err != nil {
				return err
			}
		}
		if l.Entries[n.Name], err = node.SignEntry(e, key, s.inventory.Cert.Raw, rand.Reader); err != nil {
			return err
		}
		l.Serial, s.freshEntries = serial, true
	}
	s.ledger = l
	return nil
}

// Pods is the pod network of every node that has had an entry, by name. Of two that had the same, which a node has that came for a
// former one, the one whose entry is newer.
func (p *PKI) Pods() (map[string]netip.Prefix, error) {
	l, err := p.readLedger()
	if err != nil {
		return nil, err
	}
	pods, owners := map[string]netip.Prefix{}, map[netip.Prefix]node.Entry{}
	for name, s := range l.Entries {
		e, err := s.Read()
		if err != nil || !e.Node.PodCIDR.IsValid() {
			continue
		}
		if rival, taken := owners[e.Node.PodCIDR]; taken {
			if rival.Serial > e.Serial {
				continue
			}
			delete(pods, rival.Node.Name)
		}
		pods[name], owners[e.Node.PodCIDR] = e.Node.PodCIDR, e
	}
	return pods, nil
}

// keeps says whether an entry that was signed before says all of e but its serial, and still convinces.
func (s *Set) keeps(old node.SignedEntry, e node.Entry) (bool, error) {
	have, err := old.Read()
	if err != nil || !s.vouches(old.Certificate) {
		return false, nil
	}
	e.Serial = have.Serial
	text, err := json.Marshal(e)
	return string(text) == old.Body, err
}

// vouches says whether a certificate is today's, or an earlier one of the same key and CA.
func (s *Set) vouches(der []byte) bool {
	if bytes.Equal(der, s.inventory.Cert.Raw) {
		return true
	}
	cert, err := x509.ParseCertificate(der)
	return err == nil && bytes.Equal(cert.RawSubjectPublicKeyInfo, s.inventory.Cert.RawSubjectPublicKeyInfo) &&
		cert.CheckSignatureFrom(s.pki.cas[node.CAPeer].Cert) == nil
}

// signer is the private key of a pair.
func (s *Set) signer(pair *Pair) (crypto.Signer, error) {
	text, err := s.pki.key(pair)
	if err != nil {
		return nil, err
	}
	key, err := helpers.ParsePrivateKeyPEM(text)
	if err != nil {
		return nil, fmt.Errorf("reading the key of %q: %w", pair.Name, err)
	}
	return key, nil
}

// Entries are the nodes' signed entries by name; those of nodes that were in earlier inventories are among them.
func (s *Set) Entries() map[string]node.SignedEntry { return s.ledger.Entries }

// saveEntries stores the ledger, if there is anything new in it.
func (s *Set) saveEntries() error {
	if !s.freshEntries {
		return nil
	}
	data, err := json.Marshal(s.ledger)
	if err == nil {
		err = s.pki.store.Put(ledgerName, append(data, '\n'))
	}
	if err != nil {
		return fmt.Errorf("keeping the entries: %w", err)
	}
	s.freshEntries = false
	return nil
}
