package firstboot

import (
	"context"
	"io"
	"io/fs"
	"net/http"
	"net/netip"
	"time"

	"slipway/firstboot/wire"
)

// FS is the node's file system, by absolute path. The real one is a prefix before every path, so that the same code
// runs in a folder of a test.
type FS interface {
	ReadFile(name string) ([]byte, error)
	Stat(name string) (fs.FileInfo, error)                      // does not follow links
	Glob(pattern string) ([]string, error)                      // sorted
	MkdirAll(name string, mode fs.FileMode) error               // durable
	WriteFile(name string, data []byte, mode fs.FileMode) error // whole, durable, exactly this mode
	Rename(from, to string) error                               // in one folder, durable
	Remove(name string) error                                   // durable; a missing file is no error
}

// Runner runs a program to its end and gives its standard output. The error holds what it said on standard error.
type Runner interface {
	Run(ctx context.Context, name string, args ...string) (string, error)
	Feed(ctx context.Context, input, name string, args ...string) (string, error) // with a standard input
}

// Streamer runs a program and passes on its standard output as it comes.
type Streamer interface {
	Stream(ctx context.Context, to io.Writer, name string, args ...string) error
}

// Fetcher does one HTTP exchange.
type Fetcher interface {
	Do(*http.Request) (*http.Response, error)
}

// Identity names the certificate to present and the CA to trust, as files under config.PKIDir without their ending.
// Without Cert nothing is presented, which is enough for what the API server tells anybody. The zero Identity presents nothing and trusts anybody: only for health answers on the loopback, to which nothing is told.
type Identity struct {
	Cert, CA string
}

// Clients gives a Fetcher for an identity.
type Clients interface {
	Client(Identity) (Fetcher, error)
}

// Clock is the time. Sleep ends early with the context's error.
type Clock interface {
	Now() time.Time
	Sleep(ctx context.Context, d time.Duration) error
}

// Sockets asks a program of this machine over its Unix socket: one line, and all that it says until it hangs up.
type Sockets interface {
	Ask(ctx context.Context, socket, line string) (string, error)
}

// Wire is the segment that this node's card is on; package wire has the real one, and says more.
type Wire interface {
	Has(netip.Addr) (bool, error) // this machine
	Ask(ctx context.Context, wanted []netip.Addr, times int) (map[netip.Addr][]string, error)
	Adverts() ([]wire.Advert, error)
}

// Host is everything that formation touches.
type Host struct {
	FS      FS
	Run     Runner
	Streams Streamer // only for who looks into the node
	Clients Clients
	Clock   Clock
	Sockets Sockets // balancers only
	Wire    Wire
}
