package peer

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
)

// CertificateRequest asks a control plane for a new certificate of one of the caller's programs.
type CertificateRequest struct {
	Name    string `json:"name"`    // of the certificate, as in package node
	Request []byte `json:"request"` // PKCS #10, DER
}

// ErrNotNow is what a node cannot answer yet, and nobody's fault.
var ErrNotNow = errors.New("not now")

const maxRequest = 8 << 10 // bytes; one takes 600

// How many certificates one caller may ask for: a worker has three, and asks again when one was refused.
const (
	certificateRate  = 0.5 // a second
	certificateBurst = 10
)

// certificate gives the caller itself a certificate: DER.
func (s *Server) certificate(w http.ResponseWriter, r *http.Request, caller Caller) {
	if !s.certificates.take(caller.Name) {
		http.Error(w, "too many requests for certificates", http.StatusTooManyRequests)
		return
	}
	var asked CertificateRequest
	data, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxRequest))
	if err == nil {
		err = decodeStrict(data, &asked)
	}
	if err != nil {
		http.Error(w, fmt.Sprintf("reading the request for a certificate: %v", plain(err)), http.StatusBadRequest)
		return
	}
	cert, err := s.o.Node.Issue(caller, asked)
	switch {
	case errors.Is(err, ErrNotNow):
		http.Error(w, err.Error(), http.StatusServiceUnavailable)
	case err != nil:
		http.Error(w, err.Error(), http.StatusForbidden)
	default:
		w.Header().Set("Content-Type", "application/pkix-cert")
		w.Write(cert) // a caller that has gone away is its own business
	}
}

// Certificate asks a control plane for a new certificate, and gives it as DER. The error is a Refusal, of code 403, if the node is
// not given one.
func (c *Client) Certificate(ctx context.Context, r CertificateRequest) ([]byte, error) {
	data, err := json.Marshal(r)
	if err != nil {
		return nil, fmt.Errorf("encoding a request: %w", err)
	}
	cert, err := c.do(ctx, http.MethodPost, certificatePath, data)
	if err != nil {
		return nil, fmt.Errorf("asking %q for certificate %q: %w", c.node.Name, r.Name, err)
	}
	return cert, nil
}
