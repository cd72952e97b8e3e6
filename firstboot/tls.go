package firstboot

import (
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"net"
	"net/http"
	"path"
	"sync"
	"time"

	"slipway/firstboot/peer"
	"slipway/node"
)

// keyPair reads a certificate with its key; name is a constant of package config.
func keyPair(files FS, name string) (tls.Certificate, error) {
	crt, err := files.ReadFile(path.Join(node.PKIDir, name+".crt"))
	if err != nil {
		return tls.Certificate{}, fmt.Errorf("reading certificate: %w", err)
	}
	key, err := files.ReadFile(path.Join(node.PKIDir, name+".key"))
	if err != nil {
		return tls.Certificate{}, fmt.Errorf("reading key: %w", err)
	}
	pair, err := tls.X509KeyPair(crt, key)
	if err != nil {
		return tls.Certificate{}, fmt.Errorf("reading certificate %q: %w", name, err)
	}
	return pair, nil
}

// caPool reads a CA bundle.
func caPool(files FS, name string) (*x509.CertPool, error) {
	data, err := files.ReadFile(path.Join(node.PKIDir, name+".crt"))
	if err != nil {
		return nil, fmt.Errorf("reading CA: %w", err)
	}
	pool := x509.NewCertPool()
	if !pool.AppendCertsFromPEM(data) {
		return nil, fmt.Errorf("reading CA %q: there is no certificate in it", name)
	}
	return pool, nil
}

// identity is how the node shows who it is to other nodes, and what it knows them by.
type identity struct {
	pair tls.Certificate
	ca   *x509.CertPool
}

func readIdentity(files FS) (identity, error) {
	pair, err := keyPair(files, node.CertPeer)
	if err != nil {
		return identity{}, err
	}
	ca, err := caPool(files, node.CAPeer)
	return identity{pair, ca}, err
}

// isOf demands that the certificate is that of this node's config: with another's it would speak in the other's name.
func (i identity) isOf(self node.Node) error {
	const whole = "\nhint: give each machine the config of one node, whole, as slipway ignition made it"
	if name := i.pair.Leaf.Subject.CommonName; name != self.Name {
		return fmt.Errorf("reading certificate %q: it is that of %q, and %s is that of %q%s", node.CertPeer, name, node.Path, self.Name, whole)
	}
	if peer.Fingerprint(i.pair.Leaf.RawSubjectPublicKeyInfo) != self.Fingerprint {
		return fmt.Errorf("reading certificate %q: its key is not the one that %s has for %q%s", node.CertPeer, node.Path, self.Name, whole)
	}
	return nil
}

// client is for calls to other nodes.
func (i identity) client(now func() time.Time) *tls.Config {
	return &tls.Config{RootCAs: i.ca, Certificates: []tls.Certificate{i.pair}, Time: now}
}

// pkiClients makes HTTP clients from the node's certificates, one an identity, and anew when its certificate is another one. Every call is
// bounded by its context.
type pkiClients struct {
	files FS
	now   func() time.Time

	mu   sync.Mutex
	made map[Identity]pkiClient
}

// pkiClient is a client and the certificate that it presents, PEM.
type pkiClient struct {
	*http.Client
	shows string
}

// Client is the Fetcher of an identity.
func (p *pkiClients) Client(id Identity) (Fetcher, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	var shows []byte
	if id.Cert != "" {
		var err error
		if shows, err = p.files.ReadFile(path.Join(node.PKIDir, id.Cert+".crt")); err != nil {
			return nil, fmt.Errorf("reading certificate: %w", err)
		}
	}
	if c, ok := p.made[id]; ok {
		if c.shows == string(shows) {
			return c, nil
		}
		c.CloseIdleConnections()
	}
	cfg, err := p.tls(id)
	if err != nil {
		return nil, err
	}
	c := pkiClient{shows: string(shows), Client: &http.Client{Transport: &http.Transport{
		TLSClientConfig: cfg, MaxIdleConnsPerHost: sideBySide, IdleConnTimeout: 90 * time.Second, ResponseHeaderTimeout: 20 * time.Second,
		DialContext: (&net.Dialer{Timeout: 5 * time.Second}).DialContext, TLSHandshakeTimeout: 10 * time.Second,
	}}}
	if p.made == nil {
		p.made = map[Identity]pkiClient{}
	}
	p.made[id] = c
	return c, nil
}

func (p *pkiClients) tls(id Identity) (*tls.Config, error) {
	if id == (Identity{}) { // the controllers make up their own serving certificates; see Identity
		return &tls.Config{InsecureSkipVerify: true, MinVersion: tls.VersionTLS12}, nil
	}
	pool, err := caPool(p.files, id.CA)
	if err != nil {
		return nil, err
	}
	cfg := &tls.Config{RootCAs: pool, MinVersion: tls.VersionTLS12, Time: p.now}
	if id.Cert == "" {
		return cfg, nil
	}
	pair, err := keyPair(p.files, id.Cert)
	cfg.Certificates = []tls.Certificate{pair}
	return cfg, err
}
