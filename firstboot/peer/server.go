package peer

import (
	"crypto"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log"
	"net/http"
	"slices"
	"time"

	"slipway/firstboot/status"
	"slipway/node"
)

// Node is what the server asks the node. Attest fills in everything but the nonce.
type Node interface {
	Status() status.Document
	Attest() (Attestation, error)
}

// ServerOptions is what a server is made of.
type ServerOptions struct {
	Certificate tls.Certificate  // the node's peer certificate with its key
	CA          *x509.CertPool   // the peer CA
	Inventory   []node.Node      // who may call, beside the operator
	Now         func() time.Time // judges certificates
	Node        Node
}

// NewServer makes the server; call ServeTLS of it with empty file names.
func NewServer(o ServerOptions) (*http.Server, error) {
	key, ok := o.Certificate.PrivateKey.(crypto.Signer)
	if !ok {
		return nil, errors.New("making peer server: the key cannot sign")
	}
	mux := http.NewServeMux()
	mux.HandleFunc("GET "+statusPath, func(w http.ResponseWriter, _ *http.Request) { answer(w, o.Node.Status()) })
	mux.HandleFunc("GET "+attestPath, func(w http.ResponseWriter, r *http.Request) { attest(w, r, o.Node, key) })
	return &http.Server{
		Handler: mux,
		TLSConfig: &tls.Config{
			Certificates: []tls.Certificate{o.Certificate}, MinVersion: tls.VersionTLS13, Time: o.Now,
			ClientAuth: tls.RequireAndVerifyClientCert, ClientCAs: o.CA,
			VerifyConnection: func(s tls.ConnectionState) error { return admit(s, o.Inventory) },
		},
		ReadTimeout: Timeout, WriteTimeout: Timeout, IdleTimeout: 30 * time.Second, MaxHeaderBytes: 16 << 10,
		ErrorLog: log.New(io.Discard, "", 0), // port scans are no news
	}, nil
}

// admit lets in whom the inventory knows by key, and the operator. The chain has been checked already.
func admit(s tls.ConnectionState, inventory []node.Node) error {
	if len(s.PeerCertificates) == 0 {
		return errors.New("no certificate")
	}
	cert := s.PeerCertificates[0]
	if cert.Subject.CommonName == OperatorCN {
		return nil
	}
	known := slices.ContainsFunc(inventory, func(n node.Node) bool {
		return n.Name == cert.Subject.CommonName && n.Fingerprint == Fingerprint(cert.RawSubjectPublicKeyInfo)
	})
	if !known {
		return fmt.Errorf("%q is not in the inventory with this key", cert.Subject.CommonName)
	}
	return nil
}

func attest(w http.ResponseWriter, r *http.Request, node Node, key crypto.Signer) {
	nonce := r.URL.Query().Get("nonce")
	if !nonceShape.MatchString(nonce) {
		http.Error(w, "nonce must be 32 to 128 lower-case hex digits", http.StatusBadRequest)
		return
	}
	a, err := node.Attest()
	if err == nil {
		a.Nonce = nonce
		var s Signed
		if s, err = Sign(key, a); err == nil {
			answer(w, s)
			return
		}
	}
	http.Error(w, err.Error(), http.StatusInternalServerError)
}

func answer(w http.ResponseWriter, v any) {
	data, err := json.Marshal(v)
	if err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	w.Write(append(data, '\n')) // a caller that has gone away is its own business
}
