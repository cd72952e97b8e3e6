package pki

import (
	"bytes"
	"crypto/sha256"
	"crypto/x509"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"path"
	"slices"
	"time"

	"slipway/node"
)

// Set holds every node's certificates.
type Set struct {
	pki          *PKI
	nodes        map[string][]*Pair
	prints       map[string]string    // of the nodes' peer keys
	youngest     map[string]time.Time // NotBefore of the youngest certificate, by node
	operator     *Pair
	inventory    *Pair // vouches for entries
	fresh        []*Pair
	ledger       ledger
	freshEntries bool
}

// File is one file of a node's PKI.
type File struct {
	Path    string // absolute, on the node
	Mode    fs.FileMode
	Content []byte
}

// Issue gives all nodes of cfg, which here is the whole inventory, their certificates and entries: those in the store as long as
// they fit, else new ones.
// apiHosts are all names and addresses under which a client may call an API server. Nothing is stored before
// (*Set).Save. Fingerprints and NotBefore in cfg are not looked at: they come from the Set.
func (p *PKI) Issue(cfg *node.Config, apiHosts []string) (*Set, error) {
	if err := p.Check(cfg.Cluster.ID); err != nil {
		return nil, err
	}
	s := &Set{pki: p, nodes: map[string][]*Pair{}, prints: map[string]string{}, youngest: map[string]time.Time{}}
	var err error
	if s.operator, err = s.ensure("", operatorPeer()); err != nil {
		return nil, err
	}
	if s.inventory, err = s.ensure("", inventorySigner()); err != nil {
		return nil, err
	}
	for _, n := range cfg.Nodes {
		for _, l := range nodeLeafs(n, cfg.Network.CNI, apiHosts) {
			pair, err := s.ensure("nodes/"+n.Name+"/", l)
			if err != nil {
				return nil, err
			}
			s.add(n.Name, pair)
		}
	}
	return s, s.signEntries(cfg.Cluster, cfg.Nodes)
}

// add notes a node's certificate, and what will be asked of it.
func (s *Set) add(name string, pair *Pair) {
	if path.Base(pair.Name) == node.CertPeer {
		s.prints[name] = Fingerprint(pair.Cert)
	}
	if pair.Cert.NotBefore.After(s.youngest[name]) {
		s.youngest[name] = pair.Cert.NotBefore
	}
	pair.Cert = nil
	s.nodes[name] = append(s.nodes[name], pair)
}

// ensure gives a leaf, and notes what Save must keep.
func (s *Set) ensure(dir string, l leaf) (*Pair, error) {
	pair, fresh, err := s.pki.ensureLeaf(dir, l)
	if fresh != nil {
		s.fresh = append(s.fresh, fresh)
	}
	return pair, err
}

// Fresh names the certificates that Save will store.
func (s *Set) Fresh() []string {
	names := make([]string, len(s.fresh))
	for i, pair := range s.fresh {
		names[i] = pair.Name
	}
	return names
}

// Save stores the new certificates, keys and entries. The keys come before the entries that name them.
func (s *Set) Save() error {
	keys, certs := map[string][]byte{}, map[string][]byte{}
	for _, pair := range s.fresh {
		certs[pair.Name+".crt"] = pair.CertPEM
		if _, err := s.pki.store.Get(pair.Name + ".key"); errors.Is(err, fs.ErrNotExist) { // keys are never replaced
			keys[pair.Name+".key"] = pair.KeyPEM
		} else if err != nil {
			return fmt.Errorf("keeping certificate %q: %w", pair.Name, err)
		}
	}
	for _, some := range []map[string][]byte{keys, certs} { // a key without a certificate is completed later, the reverse could not be
		if err := s.pki.store.PutAll(some); err != nil {
			return fmt.Errorf("keeping certificates: %w", err)
		}
	}
	s.fresh = nil
	return s.saveEntries()
}

// Fingerprints maps each node to the SHA-256, in hex, of its peer certificate's SubjectPublicKeyInfo.
func (s *Set) Fingerprints() map[string]string { return s.prints }

// Operator is the fingerprint of the operator's certificate for the peer API.
func (s *Set) Operator() string { return Fingerprint(s.operator.Cert) }

// Fingerprint is how the inventory names a key: SHA-256, in hex, of the certificate's SubjectPublicKeyInfo.
func Fingerprint(c *x509.Certificate) string {
	sum := sha256.Sum256(c.RawSubjectPublicKeyInfo)
	return hex.EncodeToString(sum[:])
}

// NotBefore is that of the youngest certificate of these nodes and of the CAs, so Backdate before its issue: a clock that lags by
// less is good enough for all of them, and a clock before it is good for none that meets the youngest.
func (s *Set) NotBefore(nodes ...node.Node) time.Time {
	var youngest time.Time
	for _, n := range nodes {
		if at := s.youngest[n.Name]; at.After(youngest) {
			youngest = at
		}
	}
	for _, pair := range s.pki.cas {
		if pair.Cert.NotBefore.After(youngest) {
			youngest = pair.Cert.NotBefore
		}
	}
	return youngest.UTC()
}

// Files are the certificates and keys of one node, by path. CA certificates come without keys, but for the two
// signers of the controller manager on control planes.
func (s *Set) Files(n node.Node) ([]File, error) {
	etcd, cp := n.Has(node.Etcd), n.Has(node.ControlPlane)
	cas := s.pki.cas
	files := []File{
		certFile(node.CACluster, cas[node.CACluster].CertPEM, cas[node.SignerClient].CertPEM, cas[node.SignerServing].CertPEM),
		certFile(node.CAPeer, cas[node.CAPeer].CertPEM),
	}
	pairs := slices.Clone(s.nodes[n.Name])
	if etcd || cp {
		files = append(files, certFile(node.CAEtcd, cas[node.CAEtcd].CertPEM))
	}
	if etcd {
		files = append(files, certFile(node.CAEtcdPeer, cas[node.CAEtcdPeer].CertPEM))
	}
	if cp {
		files = append(files, certFile(node.CAFrontProxy, cas[node.CAFrontProxy].CertPEM))
		pairs = append(pairs, cas[node.SignerClient], cas[node.SignerServing])
		sa, err := s.serviceAccount()
		if err != nil {
			return nil, err
		}
		files = append(files, sa...)
	}
	for _, pair := range pairs {
		key, err := s.pki.key(pair)
		if err != nil {
			return nil, err
		}
		name := path.Base(pair.Name)
		files = append(files, certFile(name, pair.CertPEM), keyFile(name, key))
	}
	slices.SortFunc(files, func(a, b File) int { return bytes.Compare([]byte(a.Path), []byte(b.Path)) })
	return files, nil
}

func (s *Set) serviceAccount() ([]File, error) {
	key, err := s.pki.store.Get(node.SAKey + ".key")
	if err != nil {
		return nil, fmt.Errorf("reading the service-account key: %w", err)
	}
	pub, err := s.pki.store.Get(node.SAKey + ".pub")
	if err != nil {
		return nil, fmt.Errorf("reading the service-account key: %w", err)
	}
	return []File{keyFile(node.SAKey, key), {Path: node.PKIDir + "/" + node.SAKey + ".pub", Mode: 0o644, Content: pub}}, nil
}

func certFile(name string, parts ...[]byte) File {
	return File{Path: node.PKIDir + "/" + name + ".crt", Mode: 0o644, Content: bytes.Join(parts, nil)}
}

func keyFile(name string, key []byte) File {
	return File{Path: node.PKIDir + "/" + name + ".key", Mode: 0o600, Content: key}
}
