// Package pki is the cluster's certificate authority: it makes the CAs once, issues every node's certificates and keeps
// all of it in a store that never leaves the operator.
//
// Start with Init (the CAs, signers and keys) and (*PKI).Issue (all nodes' certificates from the inventory). Signing is
// cfssl's. The clock comes in as a value; randomness does not, because cfssl and Go's ECDSA both draw from the system.
// The package knows nothing of Ignition: it gives file names, modes and bytes.
//
// # What goes where
//
// Root CA keys never reach a node. A control plane gets two intermediates instead, one for each signer of the
// controller manager; slipwayd signs with that for clients as well (ADR 32). Those issue bare leafs (a kubelet presents no chain), so a verifier must hold the intermediate
// itself: ca.crt on the nodes is root + both intermediates. Their extended key usages keep them apart: a certificate
// from the serving signer is no client, one from the client signer is no server.
package pki

import (
	"crypto/x509"
	"errors"
	"fmt"
	"io/fs"
	"sync"
	"time"

	"slipway/node"
)

// Lifetimes. Everything starts Backdate early, so that a node whose clock lags can begin.
const (
	Backdate = 24 * time.Hour
	CALife   = 3652 * 24 * time.Hour // ten years
	LeafLife = 730 * 24 * time.Hour  // re-issued by Issue when less than a third is left
)

// Names in the store that never go to a node.
const (
	certAdmin    = "admin"           // for the admin kubeconfig
	certOperator = node.OperatorName // for the peer API; node.InventoryName beside it, for entries
)

// authority is one CA: its name in the store, what its subject says and who signs it.
type authority struct {
	name, title string
	parent      string // empty: itself
	usages      []string
}

// authorities lists the CAs, parents first.
func authorities() []authority {
	return []authority{
		{name: node.CACluster, title: "cluster CA"},
		{name: node.CAEtcd, title: "etcd CA"},
		{name: node.CAEtcdPeer, title: "etcd peer CA"},
		{name: node.CAFrontProxy, title: "front-proxy CA"},
		{name: node.CAPeer, title: "peer CA"},
		{name: node.SignerClient, title: "kubelet client signer", parent: node.CACluster, usages: []string{usageClient}},
		{name: node.SignerServing, title: "kubelet serving signer", parent: node.CACluster, usages: []string{usageServer}},
	}
}

// subject is the CA's common name in the cluster called id.
func (a authority) subject(id string) string { return id + " " + a.title }

// PKI is an opened store: the CAs and the moment for which certificates are judged and made.
type PKI struct {
	store Store
	now   time.Time
	cas   map[string]*Pair
	mu    sync.Mutex // over the keys of pairs, which are read when they are needed
}

// Report says what Init did, by store name.
type Report struct {
	Created, Kept []string
}

// Init makes the CAs, the signers, the service-account key and the operator's own certificates for the cluster
// called id. What exists is kept, never overwritten, so an interrupted Init is completed by the next.
func Init(store Store, id string, now time.Time) (Report, error) {
	p := &PKI{store: store, now: now, cas: map[string]*Pair{}}
	var r Report
	note := func(name string, made bool) {
		if made {
			r.Created = append(r.Created, name)
		} else {
			r.Kept = append(r.Kept, name)
		}
	}
	for _, a := range authorities() {
		made, err := p.ensureCA(a, id)
		if err != nil {
			return r, fmt.Errorf("making %s %q: %w", a.title, a.name, err)
		}
		note(a.name, made)
	}
	made, err := p.ensureServiceAccount()
	if err != nil {
		return r, fmt.Errorf("making the service-account key: %w", err)
	}
	note(node.SAKey, made)
	for _, l := range operatorLeafs() {
		_, made, err := p.ensureLeaf("", l)
		if err != nil {
			return r, err
		}
		if err := p.save(made); err != nil {
			return r, err
		}
		note(l.name, made != nil)
	}
	return r, nil
}

// Open reads the CAs of a store that Init filled. Keys are read only when they are needed, so Open works on an
// encrypted store without an identity.
func Open(store Store, now time.Time) (*PKI, error) {
	p := &PKI{store: store, now: now, cas: map[string]*Pair{}}
	for _, a := range authorities() {
		pair, err := p.load(a.name)
		if errors.Is(err, fs.ErrNotExist) {
			return nil, inputError{fmt.Errorf("opening the secrets: no %s in %s\nhint: run `slipway pki init` first", a.title, store)}
		}
		if err != nil {
			return nil, err
		}
		if now.After(pair.Cert.NotAfter) {
			return nil, inputError{fmt.Errorf("opening the secrets: the %s expired on %s", a.title, pair.Cert.NotAfter.Format(time.DateOnly))}
		}
		p.cas[a.name] = pair
	}
	return p, nil
}

// ensureCA loads the CA or makes it, and says whether it made it.
func (p *PKI) ensureCA(a authority, id string) (bool, error) {
	pair, err := p.load(a.name)
	if err == nil {
		p.cas[a.name] = pair
		return false, p.belongs(a, id)
	}
	if !errors.Is(err, fs.ErrNotExist) {
		return false, err
	}
	req := request{cn: a.subject(id), usages: append([]string{usageCertSign, usageCRLSign}, a.usages...), ca: true, notAfter: p.now.Add(CALife - Backdate)}
	var issuer *Pair
	if a.parent != "" {
		issuer, req.leafsOnly = p.cas[a.parent], true
	}
	pair, err = p.issue(a.name, issuer, req)
	if err != nil {
		return false, err
	}
	p.cas[a.name] = pair
	return true, p.save(pair)
}

// Check refuses a store that Init filled for another cluster than id.
func (p *PKI) Check(id string) error {
	for _, a := range authorities() {
		if err := p.belongs(a, id); err != nil {
			return err
		}
	}
	return nil
}

// belongs refuses the CA of another cluster: nodes of two clusters must never trust each other.
func (p *PKI) belongs(a authority, id string) error {
	if cn := p.cas[a.name].Cert.Subject.CommonName; cn != a.subject(id) {
		return inputError{fmt.Errorf("opening the secrets: %s holds the %q, which is not that of cluster %q\nhint: choose this cluster's own folder with --secrets", p.store, cn, id)}
	}
	return nil
}

// ensureServiceAccount loads or makes the key that signs service-account tokens, and its public half.
func (p *PKI) ensureServiceAccount() (bool, error) {
	_, err := p.store.Get(node.SAKey + ".pub")
	if !errors.Is(err, fs.ErrNotExist) {
		return false, err
	}
	key, keyPEM, err := p.keyFor(node.SAKey)
	if err != nil {
		return false, err
	}
	pub, err := x509.MarshalPKIXPublicKey(key.Public())
	if err != nil {
		return false, fmt.Errorf("encoding the public key: %w", err)
	}
	if err := p.putKey(node.SAKey, keyPEM); err != nil {
		return false, err
	}
	return true, p.store.Put(node.SAKey+".pub", encodePEM("PUBLIC KEY", pub))
}

// inputError is the user's to mend; nothing was written.
type inputError struct{ error }

func (e inputError) Unwrap() error { return e.error }

// ExitCode makes the command exit with 2.
func (inputError) ExitCode() int { return 2 }
