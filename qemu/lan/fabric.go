package lan

import (
	"maps"
	"sync"
)

// address is a MAC address.
type address [6]byte

// group says whether the address means many: broadcast or multicast.
func (a address) group() bool { return a[0]&1 != 0 }

// An Ethernet frame begins with the two addresses and the type (IEEE 802.3).
const (
	addressSize = 6
	headerSize  = 14
)

// mostAddresses bounds what is learned: a machine can make up addresses faster than anybody forgets them.
const mostAddresses = 4096

// fabric joins ports. The zero value has none.
type fabric struct {
	mu    sync.Mutex
	ports map[*port]struct{}
	at    map[address]*port // where an address was last seen
}

func (f *fabric) plug(p *port) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.ports == nil {
		f.ports, f.at = map[*port]struct{}{}, map[address]*port{}
	}
	f.ports[p] = struct{}{}
}

// unplug forgets the port and closes its queue: only forward fills it, which no longer finds it.
func (f *fabric) unplug(p *port) {
	f.mu.Lock()
	defer f.mu.Unlock()
	delete(f.ports, p)
	maps.DeleteFunc(f.at, func(_ address, at *port) bool { return at == p })
	close(p.queue)
}

// forward learns from a frame, which has its length in front, and hands it on. One too short for a header is dropped.
func (f *fabric) forward(from *port, frame []byte) {
	if len(frame) < lengthSize+headerSize {
		return
	}
	header := frame[lengthSize:]
	to, source := address(header[:addressSize]), address(header[addressSize:2*addressSize])
	f.mu.Lock()
	defer f.mu.Unlock()
	f.learn(source, from)
	if known := f.at[to]; known != nil {
		if known != from {
			known.offer(frame)
		}
		return
	}
	for p := range f.ports {
		if p != from && (to.group() || !p.uplink) {
			p.offer(frame)
		}
	}
}

func (f *fabric) learn(a address, at *port) {
	if _, known := f.at[a]; !a.group() && (known || len(f.at) < mostAddresses) {
		f.at[a] = at
	}
}
