package peer

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net/http"
	"time"

	"slipway/node"
)

// Caller is who asks, as the certificate proves.
type Caller struct {
	Name        string // of a node, or node.OperatorName
	Operator    bool
	Configured  bool   // the config names it
	Stranger    bool   // its certificate is of the peer CA, and this node knows no such name and key yet
	Fingerprint string // of its key
	Address     string // that the connection came from, without the port

	Again time.Duration // when it is expected again, if it is told
}

// Clock judges the dates of the operator's certificate. Before From and after Until it is certainly wrong, and no dates are
// asked for: the key alone must do then, so that a node can tell what it waits for.
type Clock struct {
	Now   func() time.Time
	From  time.Time
	Until time.Time // zero: never
}

// moment is the time by which a certificate is judged. A node is known by its key, to config or entry, which have no date: that of its
// certificate keeps nobody out who was off for long (ADR 32).
func (c Clock) moment(cert *x509.Certificate) time.Time {
	now := c.Now()
	if cert.Subject.CommonName != node.OperatorName || now.Before(c.From) || !c.Until.IsZero() && now.After(c.Until) {
		return cert.NotBefore
	}
	return now
}

// admit lets in whom this node knows, by name and by key, and strangers.
func (o ServerOptions) admit(s tls.ConnectionState) (Caller, error) {
	if len(s.PeerCertificates) == 0 {
		return Caller{}, errors.New("no certificate")
	}
	cert := s.PeerCertificates[0]
	_, err := cert.Verify(x509.VerifyOptions{Roots: o.CA, CurrentTime: o.Clock.moment(cert), KeyUsages: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth}})
	if err != nil {
		return Caller{}, fmt.Errorf("%q: %w", cert.Subject.CommonName, plain(err))
	}
	return o.identify(cert)
}

// identify knows the operator and the nodes of the config by the config, others by their entries. What the config says of a name
// is final; for one that is known by its entry there may be a newer one.
func (o ServerOptions) identify(cert *x509.Certificate) (Caller, error) {
	c := Caller{Name: cert.Subject.CommonName, Fingerprint: Fingerprint(cert.RawSubjectPublicKeyInfo)}
	if c.Name == node.OperatorName {
		if c.Fingerprint != o.Config.Operator {
			return Caller{}, fmt.Errorf("%q: its key is not the operator's in this node's config", c.Name)
		}
		c.Operator = true
		return c, nil
	}
	if c.Name == node.InventoryName {
		return Caller{}, fmt.Errorf("%q: it signs entries, and calls nobody", c.Name)
	}
	if n, known := o.Config.Lookup(c.Name); known {
		if c.Fingerprint != n.Fingerprint {
			return Caller{}, fmt.Errorf("%q: its key is not the one in the inventory", c.Name)
		}
		c.Configured = true
		return c, nil
	}
	n, known := o.Node.Known(c.Name)
	c.Stranger = !known || n.Fingerprint != c.Fingerprint
	return c, nil
}

// token is how a request names a cluster.
func token(c node.Cluster) string { return fmt.Sprintf("%s/%d", c.ID, c.Epoch) }

// checkCluster refuses a caller of another cluster, and, unless any epoch will do, of another epoch.
func checkCluster(r *http.Request, caller Caller, own node.Cluster, anyEpoch bool) error {
	said := r.Header.Get(clusterHeader)
	var theirs node.Cluster
	if id, epoch, ok := parseToken(said); ok {
		theirs.ID, theirs.Epoch = id, epoch
	}
	if theirs.ID == own.ID && (anyEpoch && theirs.Epoch > 0 || theirs.Epoch == own.Epoch) {
		return nil
	}
	return fmt.Errorf("%q asks as one of cluster %q, and this node is of %q", caller.Name, said, token(own))
}
