package vsphere

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"sync"
	"sync/atomic"
	"time"

	"github.com/vmware/govmomi/fault"
	"github.com/vmware/govmomi/session"
	"github.com/vmware/govmomi/vapi/rest"
	"github.com/vmware/govmomi/vim25"
	"github.com/vmware/govmomi/vim25/soap"
	"github.com/vmware/govmomi/vim25/types"
)

// Endpoint is a vCenter and who we are there.
type Endpoint struct {
	URL        *url.URL // https://host/sdk, without a user
	User       string
	Password   Secret
	Insecure   bool   // any certificate will do
	CAFiles    string // PEM files, separated as in PATH; "" for the system's own
	Thumbprint string // SHA-256 of vCenter's certificate, hex with or without colons; nothing else is looked at then
}

// NewEndpoint reads an address as govc takes it: a host, or a URL with or without user and password. User and password
// count for more than those in the URL. What it says of a bad address does not quote it, for it may hold a password.
func NewEndpoint(address, user, password string) (Endpoint, error) {
	u, err := soap.ParseURL(address)
	if err != nil || u == nil || u.Host == "" || u.Scheme != "https" && u.Scheme != "http" {
		return Endpoint{}, errors.New("it is neither a host nor a URL like https://vcenter.example.org/sdk")
	}
	if u.User != nil {
		inURL, _ := u.User.Password()
		user, password = cmp.Or(user, u.User.Username()), cmp.Or(password, inURL)
	}
	u.User = nil
	return Endpoint{URL: u, User: user, Password: Secret(password)}, nil
}

// Secret is a text that prints as stars, whatever the verb.
type Secret string

// Format implements fmt.Formatter.
func (Secret) Format(s fmt.State, _ rune) { io.WriteString(s, "***") }

// MarshalText implements encoding.TextMarshaler.
func (Secret) MarshalText() ([]byte, error) { return []byte("***"), nil }

// Options of a Client.
type Options struct {
	Pause    time.Duration // between two looks at a task
	Grace    time.Duration // for each step of taking back after an interruption; 0 for a minute
	Progress Progress
	Warn     func(words string) // of vCenter's, about an image that it takes all the same; may be nil
}

// Client is a session at a vCenter. One that has expired is renewed, once a call.
type Client struct {
	vim  *vim25.Client
	rest *rest.Client
	Options

	bare        *vim25.Client // vim without renewal
	user        *url.Userinfo
	refusedAnew atomic.Bool // a new session was refused like the old one: no use in more
	mu          sync.Mutex
	logins      int   // into vim, so far
	refused     error // user or password by now; trying on would lock the account
}

// Connect logs in.
func Connect(ctx context.Context, e Endpoint, o Options) (*Client, error) {
	sc := soap.NewClient(e.URL, e.Insecure)
	if e.CAFiles != "" {
		if err := sc.SetRootCAs(e.CAFiles); err != nil {
			return nil, fmt.Errorf("reading certificates of CAs: %w", err)
		}
	}
	if e.Thumbprint != "" {
		if err := pin(sc, e); err != nil {
			return nil, err
		}
	}
	bare, err := vim25.NewClient(ctx, sc)
	if err != nil {
		return nil, fmt.Errorf("connecting to %s: %w%s", e.URL.Host, err, trustHint(err))
	}
	if !bare.IsVC() {
		return nil, fmt.Errorf("connecting to %s: it is a single ESXi host, not a vCenter", e.URL.Host)
	}
	vim := *bare
	c := &Client{vim: &vim, bare: bare, Options: o, user: url.UserPassword(e.User, string(e.Password))}
	vim.RoundTripper = renewing{c}
	c.rest = rest.NewClient(bare)
	if err := c.login(ctx, 0); err != nil {
		return nil, fmt.Errorf("logging in to %s as %q: %w", e.URL.Host, e.User, err)
	}
	if err := c.rest.Login(ctx, c.user); err != nil {
		c.Close(ctx)
		return nil, fmt.Errorf("logging in to the REST API of %s as %q: %w", e.URL.Host, e.User, err)
	}
	return c, nil
}

// Close logs out. It works when ctx has ended; a session that has ended by itself is as good.
func (c *Client) Close(ctx context.Context) error {
	ctx, cancel := c.afterwards(ctx)
	defer cancel()
	var errs []error
	if c.rest.SessionID() != "" {
		if err := c.rest.Logout(ctx); !rest.IsStatusError(err, http.StatusUnauthorized) {
			errs = append(errs, err)
		}
	}
	if err := session.NewManager(c.bare).Logout(ctx); !fault.Is(err, &types.NotAuthenticated{}) {
		errs = append(errs, err)
	}
	c.bare.CloseIdleConnections()
	if err := errors.Join(errs...); err != nil {
		return fmt.Errorf("logging out: %w", err)
	}
	return nil
}

// grace is how long each step of taking back, and the end of a task that is called off, may last after an interruption.
func (c *Client) grace() time.Duration { return cmp.Or(c.Grace, time.Minute) }

// afterwards is a context for one step of taking back what an interrupted call made.
func (c *Client) afterwards(ctx context.Context) (context.Context, context.CancelFunc) {
	return context.WithTimeout(context.WithoutCancel(ctx), c.grace())
}

func trustHint(err error) string {
	if soap.IsCertificateUntrusted(err) {
		return "\nhint: name the CA's certificate in GOVC_TLS_CA_CERTS, or vCenter's own by --thumbprint"
	}
	return ""
}
