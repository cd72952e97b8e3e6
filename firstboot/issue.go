package firstboot

import (
	"crypto"
	"crypto/x509"
	"errors"
	"fmt"

	"slipway/firstboot/issue"
	"slipway/firstboot/peer"
	"slipway/firstboot/status"
	"slipway/node"
)

// issue gives a worker a new certificate for one of its programs, as a control plane that has the signer for clients. What it refuses
// stands in its status.
func (n *machine) issue(c peer.Caller, r peer.CertificateRequest) ([]byte, error) {
	cert, err := n.issueTo(c, r)
	if err != nil {
		if !errors.Is(err, peer.ErrNotNow) {
			n.notices.Put(status.Notice{Kind: "certificate refused", Name: c.Address, Text: fmt.Sprintf("%q asked for %q: %v", c.Name, r.Name, err)}, strangersStay)
		}
		return nil, err
	}
	n.log("gave node %q a new certificate %q, until %s", c.Name, r.Name, cert.NotAfter)
	return cert.Raw, nil
}

func (n *machine) issueTo(c peer.Caller, r peer.CertificateRequest) (*x509.Certificate, error) {
	from, err := n.whoAsks(c)
	if err != nil {
		return nil, err
	}
	grant, err := issue.Decide(from, n.cfg.Network.CNI, r.Name, r.Request)
	if err != nil {
		return nil, err
	}
	w, err := clockWindow(n.FS, n.cfg)
	if err != nil {
		return nil, notNow(err)
	}
	if wrong := w.wrong(n.Clock.Now()); wrong != "" {
		return nil, notNow(errors.New(wrong))
	}
	signer, err := n.signer()
	if err != nil {
		return nil, notNow(err)
	}
	cert, err := signer.Sign(grant, n.cfg.Tuning.SignedLife(), n.Clock.Now())
	if err != nil {
		return nil, notNow(err)
	}
	return cert, nil
}

func notNow(why error) error { return fmt.Errorf("%w: %w", peer.ErrNotNow, why) }

// whoAsks is the node that a caller is, by config or entry. An entry counts once all that the cluster keeps were read: there may be a
// newer one of another machine.
func (n *machine) whoAsks(c peer.Caller) (node.Node, error) {
	if c.Operator || c.Stranger {
		return node.Node{}, fmt.Errorf("%q is no node of the inventory", c.Name)
	}
	if from, configured := n.cfg.Lookup(c.Name); configured {
		return from, nil
	}
	if !n.entries.allRead() {
		return node.Node{}, notNow(errors.New("the entries that the cluster keeps are not read here yet"))
	}
	from, known := n.roster.Lookup(c.Name)
	if !known || from.Fingerprint != c.Fingerprint {
		return node.Node{}, fmt.Errorf("%q is no node of the inventory", c.Name)
	}
	return from, nil
}

// signer is the intermediate that the controller manager signs kubelets' client certificates with.
func (n *machine) signer() (issue.Signer, error) {
	pair, err := keyPair(n.FS, node.SignerClient)
	if err != nil {
		return issue.Signer{}, err
	}
	key, ok := pair.PrivateKey.(crypto.Signer)
	if !ok {
		return issue.Signer{}, fmt.Errorf("the key of %q cannot sign", node.SignerClient)
	}
	return issue.Signer{Certificate: pair.Leaf, Key: key}, nil
}
