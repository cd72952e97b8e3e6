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
	Name     string // of a node in the inventory, or node.OperatorName
	Operator bool
	Address  string // that the connection came from, without the port
}

// Clock judges the dates of callers' certificates. Before From and after Until it is certainly wrong, and no dates are
// asked for: keys alone must do then, so that a node can tell what it waits for.
type Clock struct {
	Now   func() time.Time
	From  time.Time
	Until time.Time // zero: never
}

// moment is the time by which a certificate is judged.
func (c Clock) moment(cert *x509.Certificate) time.Time {
	now := c.Now()
	if now.Before(c.From) || !c.Until.IsZero() && now.After(c.Until) {
		return cert.NotBefore
	}
	return now
}

// admit lets in whom the contract knows, by name and by key.
func (o ServerOptions) admit(s tls.ConnectionState) (Caller, error) {
	if len(s.PeerCertificates) == 0 {
		return Caller{}, errors.New("no certificate")
	}
	cert := s.PeerCertificates[0]
	_, err := cert.Verify(x509.VerifyOptions{Roots: o.CA, CurrentTime: o.Clock.moment(cert), KeyUsages: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth}})
	if err != nil {
		return Caller{}, fmt.Errorf("%q: %w", cert.Subject.CommonName, plain(err))
	}
	return identify(cert, o.Config)
}

func identify(cert *x509.Certificate, cfg *node.Config) (Caller, error) {
	name, print := cert.Subject.CommonName, Fingerprint(cert.RawSubjectPublicKeyInfo)
	if name == node.OperatorName {
		if print != cfg.Operator {
			return Caller{}, fmt.Errorf("%q: its key is not the operator's in this node's config", name)
		}
		return Caller{Name: name, Operator: true}, nil
	}
	n, known := cfg.Lookup(name)
	if !known {
		return Caller{}, fmt.Errorf("%q is not in the inventory", name)
	}
	if print != n.Fingerprint {
		return Caller{}, fmt.Errorf("%q: its key is not the one in the inventory", name)
	}
	return Caller{Name: name}, nil
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
