package lan

import (
	"bufio"
	"context"
	"encoding/binary"
	"io"
	"net"
	"sync"
)

const (
	lengthSize = 4
	maxFrame   = 64<<10 + 4<<10 // QEMU's NET_BUFSIZE
	queueLen   = 512            // frames that wait for a port, about 0.8 MB of common ones
)

// port is one card's connection.
type port struct {
	uplink bool
	queue  chan []byte // frames to send, each with its length in front
}

// offer queues a frame, or drops it when the card does not keep up, as a switch does: waiting would hold up everybody.
func (p *port) offer(frame []byte) {
	select {
	case p.queue <- frame:
	default:
	}
}

// serve is a port's life: it ends with the connection, with ctx, or when the card says what is no frame.
func (f *fabric) serve(ctx context.Context, conn net.Conn, uplink bool) {
	p := &port{uplink: uplink, queue: make(chan []byte, queueLen)}
	f.plug(p)
	defer context.AfterFunc(ctx, func() { conn.Close() })()
	var sender sync.WaitGroup
	sender.Go(func() {
		send(conn, p.queue)
		conn.Close() // receive must not go on alone
	})
	receive(conn, func(frame []byte) { f.forward(p, frame) })
	conn.Close() // the sender may wait in it
	f.unplug(p)
	sender.Wait()
}

// receive gives every frame that comes, with its length in front, to take, which may keep it. It ends with the
// connection, or at a length that no frame has: what follows could be anything.
func receive(conn io.Reader, take func(frame []byte)) {
	in := bufio.NewReaderSize(conn, maxFrame)
	for {
		var length [lengthSize]byte
		if _, err := io.ReadFull(in, length[:]); err != nil {
			return
		}
		n := binary.BigEndian.Uint32(length[:])
		if n == 0 || n > maxFrame {
			return
		}
		frame := make([]byte, lengthSize+n)
		copy(frame, length[:])
		if _, err := io.ReadFull(in, frame[lengthSize:]); err != nil {
			return
		}
		take(frame)
	}
}

// send writes what is queued, many frames at once while there are many, until the queue is closed or the
// connection is.
func send(conn io.Writer, queue <-chan []byte) {
	out := bufio.NewWriterSize(conn, maxFrame)
	for frame := range queue {
		if _, err := out.Write(frame); err != nil {
			return
		}
		if len(queue) > 0 {
			continue
		}
		if err := out.Flush(); err != nil {
			return
		}
	}
}
