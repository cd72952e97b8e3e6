package peer

import (
	"maps"
	"net"
	"net/netip"
	"sync"
	"time"

	"slipway/node"
)

// What one caller, and all of them, may cost a node. A node asks each etcd member once a second; an operator's tools ask
// from one address, perhaps for many nodes behind one forwarded port.
const (
	maxConnections = 256
	keptForOwn     = 64 // of these, for the nodes that the config names: thousands of others may call at once
	maxPerAddress  = 16

	connectionRate  = 10 // a second and address, each with a handshake
	connectionBurst = 50
	requestRate     = 20 // a second and caller
	requestBurst    = 40

	maxBuckets = 1024
)

// limitedListener drops connections at once that are one too many.
type limitedListener struct {
	net.Listener
	rate *rates
	own  map[netip.Addr]bool // addresses of the nodes that the config names

	mu    sync.Mutex
	total int
	from  map[netip.Addr]int
}

func newLimitedListener(l net.Listener, now func() time.Time, own map[netip.Addr]bool) *limitedListener {
	return &limitedListener{Listener: l, own: own, from: map[netip.Addr]int{}, rate: newRates(now, connectionRate, connectionBurst)}
}

func addresses(nodes []node.Node) map[netip.Addr]bool {
	all := map[netip.Addr]bool{}
	for _, n := range nodes {
		all[n.Address.Addr()] = true
	}
	return all
}

// Accept gives the next connection that is let in.
func (l *limitedListener) Accept() (net.Conn, error) {
	for {
		conn, err := l.Listener.Accept()
		if err != nil {
			return nil, err
		}
		from := addressOf(conn)
		if l.rate.take(from.String()) && l.enter(from) {
			return &limitedConn{Conn: conn, leave: sync.OnceFunc(func() { l.leave(from) })}, nil
		}
		conn.Close()
	}
}

func addressOf(conn net.Conn) netip.Addr {
	a, _ := netip.ParseAddrPort(conn.RemoteAddr().String())
	return a.Addr().Unmap()
}

func (l *limitedListener) enter(from netip.Addr) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	most := maxConnections
	if !l.own[from] {
		most -= keptForOwn
	}
	if l.total >= most || l.from[from] >= maxPerAddress {
		return false
	}
	l.total++
	l.from[from]++
	return true
}

func (l *limitedListener) leave(from netip.Addr) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.total--
	if l.from[from]--; l.from[from] == 0 {
		delete(l.from, from)
	}
}

// limitedConn gives its place back when it is closed.
type limitedConn struct {
	net.Conn
	leave func()
}

func (c *limitedConn) Close() error {
	c.leave()
	return c.Conn.Close()
}

// rates lets each key do so much a second, and a burst at once.
type rates struct {
	now           func() time.Time
	second, burst float64

	mu      sync.Mutex
	buckets map[string]bucket
}

type bucket struct {
	left float64
	at   time.Time
}

func newRates(now func() time.Time, second, burst float64) *rates {
	return &rates{now: now, second: second, burst: burst, buckets: map[string]bucket{}}
}

// take says whether the key may go on.
func (r *rates) take(key string) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	now := r.now()
	b, known := r.buckets[key]
	if !known && !r.room(now) {
		key = "" // those that are too many to remember share one
		b, known = r.buckets[key]
	}
	if !known {
		b = bucket{r.burst, now}
	}
	b = r.refill(b, now)
	allowed := b.left >= 1
	if allowed {
		b.left--
	}
	r.buckets[key] = b
	return allowed
}

// refill gives what has come since; a clock that was set back gives nothing.
func (r *rates) refill(b bucket, now time.Time) bucket {
	gained := max(0, now.Sub(b.at).Seconds()) * r.second
	return bucket{min(r.burst, b.left+gained), now}
}

// room says whether one more key can be remembered, and forgets those that have been quiet.
func (r *rates) room(now time.Time) bool {
	if len(r.buckets) < maxBuckets {
		return true
	}
	maps.DeleteFunc(r.buckets, func(_ string, b bucket) bool { return r.refill(b, now).left == r.burst })
	return len(r.buckets) < maxBuckets
}
