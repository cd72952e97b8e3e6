package vsphere

import (
	"context"
	"crypto/sha256"
	"crypto/tls"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/vmware/govmomi/vim25/soap"
)

// dialTime is how long a host may take to answer at all.
const dialTime = 30 * time.Second

// pin accepts exactly one certificate from vCenter. Other hosts, to which NFC uploads go, are judged as before, or show
// this very certificate: vCenter sends uploads to its own full name, which need not be the one that we call it by.
func pin(sc *soap.Client, e Endpoint) error {
	want := strings.ToLower(strings.ReplaceAll(e.Thumbprint, ":", ""))
	if len(want) != 2*sha256.Size || strings.Trim(want, "0123456789abcdef") != "" {
		return fmt.Errorf("reading thumbprint: %q is not the SHA-256 of a certificate\nhint: openssl s_client -connect HOST:443 </dev/null | openssl x509 -noout -fingerprint -sha256", e.Thumbprint)
	}
	vcenter := e.URL.Host
	if e.URL.Port() == "" {
		vcenter = net.JoinHostPort(e.URL.Hostname(), "443")
	}
	transport := sc.DefaultTransport()
	transport.Proxy = withoutProxy(transport.Proxy, e.URL.Hostname())
	judged, pinned := transport.DialTLSContext, pinnedDialer(vcenter, want)
	transport.DialTLSContext = func(ctx context.Context, network, addr string) (net.Conn, error) {
		if addr == vcenter {
			return pinned.DialContext(ctx, network, addr)
		}
		conn, err := judged(ctx, network, addr)
		if soap.IsCertificateUntrusted(err) {
			if own, other := pinned.DialContext(ctx, network, addr); other == nil {
				return own, nil
			}
		}
		return conn, err
	}
	return nil
}

func pinnedDialer(vcenter, want string) *tls.Dialer {
	return &tls.Dialer{NetDialer: &net.Dialer{Timeout: dialTime}, Config: &tls.Config{
		InsecureSkipVerify: true, // by the usual rules; by ours:
		VerifyConnection: func(s tls.ConnectionState) error {
			if got := fmt.Sprintf("%x", sha256.Sum256(s.PeerCertificates[0].Raw)); got != want {
				return fmt.Errorf("the certificate of %s has the thumbprint %s, expected %s", vcenter, got, want)
			}
			return nil
		},
	}}
}

// withoutProxy refuses a proxy on the way to vCenter: the transport does not ask our dialer then, so another certificate
// would do.
func withoutProxy(proxy func(*http.Request) (*url.URL, error), vcenter string) func(*http.Request) (*url.URL, error) {
	return func(r *http.Request) (*url.URL, error) {
		if proxy == nil {
			return nil, nil
		}
		p, err := proxy(r)
		if err == nil && p != nil && r.URL.Hostname() == vcenter {
			return nil, fmt.Errorf("the thumbprint of %s cannot be checked through the proxy %s\nhint: name it in NO_PROXY, or leave --thumbprint and name the CA in GOVC_TLS_CA_CERTS", vcenter, p.Host)
		}
		return p, err
	}
}
