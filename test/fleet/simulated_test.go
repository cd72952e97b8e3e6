//go:build fleet && bench

package fleet_test

import (
	"bytes"
	"cmp"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/hex"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"os"
	"strconv"
	"strings"
	"sync/atomic"
	"time"
)

// simulated is a worker without a machine: what its slipwayd and its kubelet say to the control plane, with the keys of its config and
// from its own address.
type simulated struct {
	name     string
	address  netip.Addr
	token    string // of its cluster
	entry    json.RawMessage
	instance string
	tag      string // of the list of nodes that it has
	plane    netip.Addr
	peer     *http.Client // a connection a call, as slipwayd has it
	api      *http.Client
}

// heard counts what the simulated nodes asked the peer API.
var heard atomic.Int64

// simulate reads a node's Ignition config.
func simulate(config string) (*simulated, error) {
	files, err := filesOf(config)
	if err != nil {
		return nil, err
	}
	var contract struct {
		Node    string
		Cluster struct {
			ID    string
			Epoch int
		}
		Entry json.RawMessage
		Nodes []struct {
			Name    string
			Address netip.Prefix
		}
	}
	if err := json.Unmarshal(files["/etc/slipway/node.json"], &contract); err != nil {
		return nil, fmt.Errorf("reading %s: %w", config, err)
	}
	s := &simulated{name: contract.Node, entry: contract.Entry, token: fmt.Sprintf("%s/%d", contract.Cluster.ID, contract.Cluster.Epoch)}
	id := make([]byte, 16)
	rand.Read(id)
	s.instance = hex.EncodeToString(id)
	plane := contract.Nodes[0]
	for _, n := range contract.Nodes {
		if n.Name == s.name {
			s.address = n.Address.Addr()
		}
	}
	s.plane = plane.Address.Addr()
	if s.peer, err = s.client(files, "slipwayd", "slipway-ca", plane.Name, true); err != nil {
		return nil, err
	}
	s.api, err = s.client(files, "kubelet-client", "ca", s.plane.String(), false)
	return s, err
}

// filesOf are the files of an Ignition config.
func filesOf(config string) (map[string][]byte, error) {
	text, err := os.ReadFile(config)
	if err != nil {
		return nil, err
	}
	var ign struct {
		Storage struct {
			Files []struct {
				Path     string
				Contents struct{ Source string }
			}
		}
	}
	if err := json.Unmarshal(text, &ign); err != nil {
		return nil, fmt.Errorf("reading %s: %w", config, err)
	}
	files := map[string][]byte{}
	for _, f := range ign.Storage.Files {
		plain, err := url.PathUnescape(strings.TrimPrefix(f.Contents.Source, "data:,"))
		if err != nil {
			return nil, fmt.Errorf("reading %s of %s: %w", f.Path, config, err)
		}
		files[f.Path] = []byte(plain)
	}
	return files, nil
}

// client has a certificate of the config's, and calls from the node's address.
func (s *simulated) client(files map[string][]byte, cert, ca, server string, fleeting bool) (*http.Client, error) {
	file := func(name string) []byte { return files["/etc/slipway/pki/"+name] }
	pair, err := tls.X509KeyPair(file(cert+".crt"), file(cert+".key"))
	if err != nil {
		return nil, fmt.Errorf("reading certificate %q of %s: %w", cert, s.name, err)
	}
	pool := x509.NewCertPool()
	pool.AppendCertsFromPEM(file(ca + ".crt"))
	limit := time.Minute
	if fleeting {
		limit = 4 * time.Second // slipwayd's
	}
	from := &net.Dialer{Timeout: limit}
	if s.address.IsValid() {
		from.LocalAddr = &net.TCPAddr{IP: s.address.AsSlice()}
	}
	return &http.Client{Timeout: limit, Transport: &http.Transport{
		TLSClientConfig: &tls.Config{RootCAs: pool, Certificates: []tls.Certificate{pair}, ServerName: server},
		DialContext:     from.DialContext, DisableKeepAlives: fleeting, ForceAttemptHTTP2: !fleeting,
	}}, nil
}

// ask does one exchange; answers but 2xx and 304 are errors.
func ask(ctx context.Context, by *http.Client, method, url string, header map[string]string, body, into any) (*http.Response, error) {
	text, err := json.Marshal(body)
	if err != nil {
		return nil, err
	}
	req, err := http.NewRequestWithContext(ctx, method, url, bytes.NewReader(text))
	if err != nil {
		return nil, err
	}
	req.Header.Set("Content-Type", "application/json")
	for key, value := range header {
		req.Header.Set(key, value)
	}
	resp, err := by.Do(req)
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	said, err := io.ReadAll(resp.Body)
	if err == nil && resp.StatusCode/100 != 2 && resp.StatusCode != http.StatusNotModified {
		err = fmt.Errorf("%s %s: %s: %.200s", method, url, resp.Status, said)
	}
	if err == nil && into != nil {
		err = json.Unmarshal(said, into)
	}
	return resp, err
}

// call asks the peer API, and gives when the node is to come again.
func (s *simulated) call(ctx context.Context, method, path string, header map[string]string, body any) (*http.Response, time.Duration, error) {
	if header == nil {
		header = map[string]string{}
	}
	header["Slipway-Cluster"] = s.token
	resp, err := ask(ctx, s.peer, method, fmt.Sprintf("https://%s:7400%s", s.plane, path), header, body, nil)
	if err != nil {
		return nil, 0, err
	}
	heard.Add(1)
	seconds, _ := strconv.Atoi(resp.Header.Get("Retry-After"))
	return resp, time.Duration(seconds) * time.Second, nil
}

// until tries again every second.
func until(ctx context.Context, try func() error) error {
	for {
		err := try()
		if err == nil {
			return nil
		}
		select {
		case <-ctx.Done():
			return errors.Join(ctx.Err(), err)
		case <-time.After(time.Second):
		}
	}
}

// join introduces the node, registers it and asks for its serving certificate. It gives the request's name, and when it was there.
func (s *simulated) join(ctx context.Context) (request string, at time.Time, err error) {
	err = until(ctx, func() error {
		_, _, err := s.call(ctx, http.MethodPost, "/v1/introduce", nil, s.entry)
		return err
	})
	if err != nil {
		return "", at, err
	}
	_, err = ask(ctx, s.api, http.MethodPost, s.url("/api/v1/nodes"), nil, map[string]any{
		"apiVersion": "v1", "kind": "Node", "metadata": map[string]any{"name": s.name},
		"spec": map[string]any{"taints": []any{map[string]any{"key": "simulated", "effect": "NoSchedule"}}},
	}, nil)
	if err != nil {
		return "", at, err
	}
	der, err := s.request()
	if err != nil {
		return "", at, err
	}
	var made struct{ Metadata struct{ Name string } }
	_, err = ask(ctx, s.api, http.MethodPost, s.url("/apis/certificates.k8s.io/v1/certificatesigningrequests"), nil, map[string]any{
		"apiVersion": "certificates.k8s.io/v1", "kind": "CertificateSigningRequest", "metadata": map[string]any{"generateName": "csr-"},
		"spec": map[string]any{
			"request":    pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE REQUEST", Bytes: der}),
			"signerName": "kubernetes.io/kubelet-serving", "usages": []string{"digital signature", "server auth"},
		},
	}, &made)
	return made.Metadata.Name, time.Now(), err
}

func (s *simulated) url(path string) string { return fmt.Sprintf("https://%s:6443%s", s.plane, path) }

// request is for a serving certificate, as a kubelet makes it.
func (s *simulated) request() ([]byte, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, err
	}
	return x509.CreateCertificateRequest(rand.Reader, &x509.CertificateRequest{
		Subject:  pkix.Name{CommonName: "system:node:" + s.name, Organization: []string{"system:nodes"}},
		DNSNames: []string{s.name}, IPAddresses: []net.IP{s.address.AsSlice()},
	}, key)
}

// every does something again and again until the context ends: after at least so long, or as much later as it is told.
func every(ctx context.Context, least time.Duration, do func() (again time.Duration, err error)) {
	for ctx.Err() == nil {
		again, err := do()
		pause := max(least, again)
		if err != nil {
			pause = time.Second
		}
		select {
		case <-ctx.Done():
		case <-time.After(pause):
		}
	}
}

// calm is how often slipwayd and a kubelet do what they do when all is well.
const calm = 10 * time.Second

// attest is a witness's call. Who has not heard that its list of nodes is the control plane's asks for it then.
func (s *simulated) attest(ctx context.Context) (time.Duration, error) {
	nonce := make([]byte, 16)
	rand.Read(nonce)
	resp, again, err := s.call(ctx, http.MethodPost, "/v1/attest?nonce="+hex.EncodeToString(nonce), nil, map[string]any{"instance": s.instance, "formed": true})
	if err != nil {
		return 0, err
	}
	if word := resp.Header.Get("Slipway-Nodes"); word != "" && word == s.tag && again > calm {
		return again, nil
	}
	if resp, _, err = s.call(ctx, http.MethodGet, "/v1/nodes", map[string]string{"If-None-Match": s.tag}, nil); err != nil {
		return 0, err
	}
	s.tag = cmp.Or(resp.Header.Get("ETag"), s.tag)
	return again, nil
}

// beat renews the node's lease, and makes it first.
func (s *simulated) beat() func(ctx context.Context) (time.Duration, error) {
	const path = "/apis/coordination.k8s.io/v1/namespaces/kube-node-lease/leases"
	var lease map[string]any
	return func(ctx context.Context) (time.Duration, error) {
		method, url := http.MethodPut, s.url(path+"/"+s.name)
		if lease == nil {
			method, url = http.MethodPost, s.url(path)
			lease = map[string]any{"apiVersion": "coordination.k8s.io/v1", "kind": "Lease", "metadata": map[string]any{"name": s.name}}
		}
		lease["spec"] = map[string]any{"holderIdentity": s.name, "leaseDurationSeconds": 40, "renewTime": time.Now().UTC().Format("2006-01-02T15:04:05.000000Z07:00")}
		var now map[string]any
		_, err := ask(ctx, s.api, method, url, nil, lease, &now)
		if err == nil {
			lease = now
		}
		return 0, err
	}
}

// live does until the context ends what a node does that has joined: its witness's calls and its heartbeats.
func (s *simulated) live(ctx context.Context) {
	beat := s.beat()
	go every(ctx, calm, func() (time.Duration, error) { return s.attest(ctx) })
	every(ctx, calm, func() (time.Duration, error) { return beat(ctx) })
}
