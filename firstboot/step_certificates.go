package firstboot

import (
	"context"
	"crypto"
	"crypto/x509"
	"errors"
	"fmt"
	"io/fs"
	"path"
	"slices"
	"time"

	"slipway/firstboot/issue"
	"slipway/firstboot/peer"
	"slipway/node"
)

// A worker's programs call the API with client certificates that came with its config. Control planes give new ones for the same keys:
// in good time while the node is on, and before anything starts when it was off for too long. The kubelet has, after some time, one that it
// renews by itself; when that has ended it can ask nobody, and looks no more at the one of the config, until slipwayd takes the
// ended one away.

// kubeletClient is the kubelet's own client certificate, with its key: a link to the newest.
const kubeletClient = "/var/lib/kubelet/pki/kubelet-client-current.pem"

// kubeletOwn are those that the kubelet gets by itself.
var kubeletOwn = []string{kubeletClient, kubeletServing}

// renewPause is how often a node looks whether one of its certificates nears its end.
const renewPause = 30 * time.Second

// clients are the client certificates that this node has.
func (n *machine) clients() []node.ClientCertificate {
	return node.ClientCertificates(n.self, n.cfg.Network.CNI)
}

// observeCertificates is done when no program would call the API with a certificate that has ended. A clock that is ahead can make it seem
// so: nothing is given up before there is a certificate that lasts by this clock.
func (n *machine) observeCertificates(context.Context) (Finding, error) {
	for _, c := range n.clients() {
		cert, err := n.certificate(c.Name)
		if err != nil {
			return Finding{}, err
		}
		if cert != nil && n.Clock.Now().After(cert.NotAfter) {
			return NeedTo(fmt.Sprintf("a new certificate %s from %s: the former ended on %s", c.Name, n.issuers(), cert.NotAfter.UTC().Format(time.DateOnly)), n.renewEnded), nil
		}
	}
	for _, file := range kubeletOwn {
		why, err := n.stuckAt(file)
		if err != nil {
			return Finding{}, err
		}
		if why != "" {
			return NeedTo(fmt.Sprintf("the kubelet to leave %s, which %s", path.Base(file), why), n.freeKubelet), nil
		}
	}
	return OK(), nil
}

// certificate reads one of the config's; nil if there is none, which the program misses and says so.
func (n *machine) certificate(name string) (*x509.Certificate, error) {
	cert, err := certificateIn(n.FS, path.Join(node.PKIDir, name+".crt"))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	return cert, err
}

// renewEnded gets what has ended anew, and then frees the kubelet.
func (n *machine) renewEnded(ctx context.Context) error {
	err := n.renewThose(ctx, func(c *x509.Certificate, now time.Time) bool { return now.After(c.NotAfter) })
	if err != nil {
		return err
	}
	return n.freeKubelet(ctx)
}

// keepCertificates renews what nears its end, until the context ends. What goes wrong with that is told, and stops nothing: there is a third
// of a life left for it.
func (n *machine) keepCertificates(ctx context.Context) {
	for ctx.Err() == nil {
		texts := map[string]string{}
		if err := n.renewThose(ctx, nearsEnd); err != nil {
			texts[n.self.Name] = err.Error()
		}
		n.notices.Replace("renewal", texts)
		n.Clock.Sleep(ctx, renewPause)
	}
}

// nearsEnd says whether less than a third of a certificate's life is left, but something is.
func nearsEnd(c *x509.Certificate, now time.Time) bool {
	return now.After(c.NotAfter.Add(-c.NotAfter.Sub(c.NotBefore)/3)) && !now.After(c.NotAfter)
}

// renewThose tries each, whatever becomes of the others.
func (n *machine) renewThose(ctx context.Context, wanting func(*x509.Certificate, time.Time) bool) error {
	var errs []error
	for _, c := range n.clients() {
		cert, err := n.certificate(c.Name)
		if err == nil && cert != nil && wanting(cert, n.Clock.Now()) {
			err = n.renewCertificate(ctx, c)
		}
		if err != nil && !slices.ContainsFunc(errs, func(e error) bool { return e.Error() == err.Error() }) { // one that does not answer, for all of them
			errs = append(errs, err)
		}
	}
	return errors.Join(errs...)
}

// renewCertificate gets a new certificate for the key that is here. One that this node could not use it does not take.
func (n *machine) renewCertificate(ctx context.Context, c node.ClientCertificate) error {
	pair, err := keyPair(n.FS, c.Name)
	if err != nil {
		return err
	}
	key, ok := pair.PrivateKey.(crypto.Signer)
	if !ok {
		return fmt.Errorf("the key of certificate %q cannot sign", c.Name)
	}
	request, err := issue.NewRequest(c, key)
	if err != nil {
		return err
	}
	cas, err := caPool(n.FS, node.CACluster)
	if err != nil {
		return err
	}
	der, by, err := n.askCertificate(ctx, peer.CertificateRequest{Name: c.Name, Request: request})
	if err != nil {
		return err
	}
	got, err := x509.ParseCertificate(der)
	if err == nil {
		err = issue.Check(got, c, key.Public(), cas, n.Clock.Now())
	}
	if err != nil {
		return fmt.Errorf("taking the new certificate %q from %s: %w", c.Name, by, err)
	}
	if err := n.write(path.Join(node.PKIDir, c.Name+".crt"), encodeCertificate(got), 0o644); err != nil {
		return fmt.Errorf("keeping the new certificate %q: %w", c.Name, err)
	}
	n.log("got a new certificate %q from %s, until %s", c.Name, by, got.NotAfter)
	return nil
}

// issuers are the control planes, by name.
func (n *machine) issuers() string {
	var names []string
	for _, p := range n.planes() {
		names = append(names, p.Name)
	}
	return list(names)
}

// planes are the control planes in the order in which this node asks them: others begin with another one. One that is a control plane
// itself asks nobody else.
func (n *machine) planes() []node.Node {
	if n.self.Has(node.ControlPlane) {
		return []node.Node{n.self}
	}
	planes := n.cfg.WithRole(node.ControlPlane)
	at := spread(n.self.Name) % len(planes)
	return slices.Concat(planes[at:], planes[:at])
}

// askCertificate asks one control plane after the other, and says who gave what it gives.
func (n *machine) askCertificate(ctx context.Context, r peer.CertificateRequest) (der []byte, by string, err error) {
	var errs []error
	for _, p := range n.planes() {
		if p.Name == n.self.Name {
			der, err = n.issue(peer.Caller{Name: p.Name, Fingerprint: p.Fingerprint, Address: p.Address.Addr().String()}, r)
		} else {
			der, err = n.peers.Certificate(ctx, p, r)
		}
		if err == nil {
			return der, p.Name, nil
		}
		errs = append(errs, err)
	}
	return nil, "", errors.Join(errs...)
}

// stuckAt says why the kubelet would not get past one of its own certificates: that of a client has ended, or a power cut left half
// of either. A serving certificate that has ended it renews by itself.
func (n *machine) stuckAt(file string) (why string, err error) {
	cert, err := certificateIn(n.FS, file)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return "", nil
	case errors.Is(err, errNoCertificate):
		return "cannot be read", nil
	case err == nil && file == kubeletClient && n.Clock.Now().After(cert.NotAfter):
		return "ended on " + cert.NotAfter.UTC().Format(time.DateOnly), nil
	}
	return "", err
}

// freeKubelet takes away what the kubelet would not get past, and lets it begin with the config's certificate again, which it reads when it
// starts.
func (n *machine) freeKubelet(ctx context.Context) error {
	freed := false
	for _, file := range kubeletOwn {
		why, err := n.stuckAt(file)
		if err != nil {
			return err
		}
		if why == "" {
			continue
		}
		if err := n.FS.Remove(file); err != nil {
			return fmt.Errorf("taking a certificate of the kubelet away: %w", err)
		}
		freed = true
	}
	if !freed {
		return nil
	}
	_, err := n.Run.Run(ctx, systemctl, "try-restart", "--no-block", "kubelet.service")
	return err
}
