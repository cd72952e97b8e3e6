package peer

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"time"

	"slipway/firstboot/status"
	"slipway/node"
)

// Client calls one node. The node proves itself by a certificate for its name, whatever the address is.
type Client struct {
	from   string // cluster and epoch of who asks
	node   node.Node
	addr   string
	random io.Reader
	http   *http.Client
}

// NewClient makes a client for a node at addr, "host:port". base holds the caller's certificate and the peer CA, from is
// the caller's cluster; random makes nonces.
func NewClient(base *tls.Config, from node.Cluster, node node.Node, addr string, random io.Reader) *Client {
	cfg := base.Clone()
	cfg.ServerName, cfg.MinVersion = node.Name, tls.VersionTLS13
	cfg.InsecureSkipVerify = true // of what the package tls would ask, checkNode leaves out the dates
	cfg.VerifyConnection = func(s tls.ConnectionState) error { return checkNode(s, node, base.RootCAs) }
	dialer := &net.Dialer{Timeout: Reach, KeepAlive: 15 * time.Second}
	return &Client{from: token(from), node: node, addr: addr, random: random, http: &http.Client{
		Timeout:   Timeout,
		Transport: &http.Transport{TLSClientConfig: cfg, DialContext: dialer.DialContext, MaxIdleConns: 2, IdleConnTimeout: 20 * time.Second},
	}}
}

// checkNode demands a certificate of the peer CA for the node's name, and the node's key where that is known.
func checkNode(s tls.ConnectionState, node node.Node, ca *x509.CertPool) error {
	if len(s.PeerCertificates) == 0 || ca == nil {
		return fmt.Errorf("%q shows no certificate, or there is no peer CA to hold against it", node.Name)
	}
	cert := s.PeerCertificates[0]
	_, err := cert.Verify(x509.VerifyOptions{Roots: ca, DNSName: node.Name, CurrentTime: cert.NotBefore, KeyUsages: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth}})
	if err != nil {
		return &tls.CertificateVerificationError{UnverifiedCertificates: s.PeerCertificates, Err: err}
	}
	if node.Fingerprint != "" && Fingerprint(cert.RawSubjectPublicKeyInfo) != node.Fingerprint {
		return fmt.Errorf("the key of %q is not the one in the inventory", node.Name)
	}
	return nil
}

// Status asks for the node's status document.
func (c *Client) Status(ctx context.Context) (status.Document, error) {
	data, err := c.do(ctx, http.MethodGet, statusPath, nil)
	if err != nil {
		return status.Document{}, fmt.Errorf("asking %q for its status: %w", c.node.Name, err)
	}
	var d status.Document
	if err := json.Unmarshal(data, &d); err != nil {
		return status.Document{}, fmt.Errorf("reading the status of %q: %w", c.node.Name, err)
	}
	return d, nil
}

// Attest tells what the caller knows, asks for an attestation and verifies it.
func (c *Client) Attest(ctx context.Context, t Testimony) (Attestation, error) {
	said, err := json.Marshal(t)
	if err != nil {
		return Attestation{}, fmt.Errorf("encoding testimony: %w", err)
	}
	raw := make([]byte, 16)
	if _, err := io.ReadFull(c.random, raw); err != nil {
		return Attestation{}, fmt.Errorf("making a nonce: %w", err)
	}
	nonce := hex.EncodeToString(raw)
	resp, err := c.send(ctx, c.http, http.MethodPost, attestPath+"?nonce="+nonce, said, nil)
	var data []byte
	if err == nil {
		data, err = answerOf(resp, maxAnswer)
	}
	if err != nil {
		return Attestation{}, fmt.Errorf("asking %q for its attestation: %w", c.node.Name, err)
	}
	a, err := Verify(data, c.node.Name, c.node.Fingerprint, nonce)
	a.Again, a.List = againOf(resp), resp.Header.Get(listHeader)
	return a, err
}

// Address is where the node is called, "host:port".
func (c *Client) Address() string { return c.addr }

// Close lets go of idle connections.
func (c *Client) Close() { c.http.CloseIdleConnections() }

func (c *Client) do(ctx context.Context, method, path string, body []byte) ([]byte, error) {
	resp, err := c.send(ctx, c.http, method, path, body, nil)
	if err != nil {
		return nil, err
	}
	return answerOf(resp, maxAnswer)
}

// answerOf reads an answer to its end.
func answerOf(resp *http.Response, limit int64) ([]byte, error) {
	defer resp.Body.Close()
	data, err := io.ReadAll(io.LimitReader(resp.Body, limit))
	if err != nil {
		return nil, plain(err)
	}
	if resp.StatusCode != http.StatusOK {
		return nil, &Refusal{resp.StatusCode, resp.Status, strings.TrimSpace(string(data))}
	}
	return data, nil
}

func (c *Client) send(ctx context.Context, by *http.Client, method, path string, body []byte, header http.Header) (*http.Response, error) {
	req, err := http.NewRequestWithContext(ctx, method, "https://"+c.addr+path, bytes.NewReader(body))
	if err != nil {
		return nil, err
	}
	if header != nil {
		req.Header = header
	}
	req.Header.Set(clusterHeader, c.from)
	resp, err := by.Do(req)
	if err != nil {
		return nil, plain(err)
	}
	return resp, nil
}

// Refusal is an answer that is none.
type Refusal struct {
	Code         int // of HTTP
	status, text string
}

func (r *Refusal) Error() string { return r.status + ": " + r.text }

// Said is the node's own words.
func (r *Refusal) Said() string { return r.text }

// Is makes the answer to one that is not known an ErrStranger.
func (r *Refusal) Is(target error) bool {
	return target == ErrStranger && r.Code == http.StatusUnauthorized
}
