// Package lan is an Ethernet switch between virtual machines, as a program without rights can be one: each network card
// is a connection to a unix socket.
//
// Start with Serve. Cards speak what QEMU's `-netdev stream` speaks: each frame behind its length, 4 bytes in network
// order (net/stream.c and net_fill_rstate in net/net.c of QEMU; https://www.qemu.org/docs/master/system/invocation.html).
//
// It knows no VLANs and no spanning tree, and an address is forgotten when its card goes, not by age.
package lan

import (
	"context"
	"fmt"
	"io/fs"
	"net"
	"os"
	"slices"
	"sync"
)

// Sockets are the paths at which a switch listens. Each connection is a port of its own.
type Sockets struct {
	Uplink string   // of the way out, which gets only what is meant for it; see Serve
	Nodes  []string // of the machines
}

// Serve switches frames until ctx is over, which is no error. Frames go by the address that a port was last seen to
// send from, those to everybody go to all, and those to an address that nobody has shown yet go to all nodes. The
// uplink never gets such a guess: QEMU's user network takes every frame for its own, whatever address is on it, and
// would refuse connections between nodes in the name of the one that they are for. The uplink's socket is opened last:
// who can connect to it knows that all are open.
func Serve(ctx context.Context, s Sockets) error {
	working, stop := context.WithCancelCause(ctx)
	defer stop(nil)
	var sw fabric
	var running sync.WaitGroup
	defer running.Wait()
	for i, path := range append(slices.Clone(s.Nodes), s.Uplink) {
		l, err := listen(path)
		if err != nil {
			stop(err)
			return err
		}
		running.Go(func() {
			if err := sw.accept(working, l, i == len(s.Nodes)); err != nil {
				stop(fmt.Errorf("accepting on %q: %w", path, err))
			}
		})
	}
	<-working.Done()
	if ctx.Err() != nil {
		return nil
	}
	return context.Cause(working)
}

// listen takes the place of a socket that a killed switch has left.
func listen(path string) (net.Listener, error) {
	if info, err := os.Lstat(path); err == nil && info.Mode().Type() == fs.ModeSocket {
		os.Remove(path) // if it cannot, Listen says so
	}
	l, err := net.Listen("unix", path)
	if err != nil {
		return nil, fmt.Errorf("opening socket %q: %w", path, err)
	}
	return l, nil
}

// accept serves all who connect, and returns when ctx is over and they are gone.
func (f *fabric) accept(ctx context.Context, l net.Listener, uplink bool) error {
	var ports sync.WaitGroup
	defer ports.Wait()
	defer context.AfterFunc(ctx, func() { l.Close() })()
	defer l.Close()
	for {
		conn, err := l.Accept()
		if ctx.Err() != nil {
			if err == nil {
				conn.Close()
			}
			return nil
		}
		if err != nil {
			return err
		}
		ports.Go(func() { f.serve(ctx, conn, uplink) })
	}
}
