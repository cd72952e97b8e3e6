package lan

import (
	"bytes"
	"context"
	"encoding/binary"
	"io"
	"io/fs"
	"net"
	"os"
	"strings"
	"testing"
	"time"
)

const (
	patience = 10 * time.Second      // for what must come
	silence  = 50 * time.Millisecond // for what must not
)

// serve starts a switch for nodes a, b and c. It must end when the test does, with all that it started.
func serve(t *testing.T) {
	t.Helper()
	t.Chdir(t.TempDir()) // a socket's path is short
	ctx, stop := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- Serve(ctx, Sockets{Uplink: "uplink", Nodes: []string{"a", "b", "c"}}) }()
	t.Cleanup(func() {
		stop()
		select {
		case err := <-ended:
			if err != nil {
				t.Error(err)
			}
		case <-time.After(patience):
			t.Error("the switch does not end")
		}
	})
	for range 200 {
		if conn, err := net.Dial("unix", "uplink"); err == nil {
			conn.Close()
			return
		}
		time.Sleep(silence)
	}
	t.Fatal("the switch does not begin")
}

type card struct {
	t *testing.T
	net.Conn
}

func plug(t *testing.T, socket string) card {
	t.Helper()
	conn, err := net.Dial("unix", socket)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	return card{t, conn}
}

// packet is a frame behind its length. Addresses are named by one letter; * is everybody.
func packet(from, to, text string) []byte {
	address := func(name string) string {
		if name == "*" {
			return "\xff\xff\xff\xff\xff\xff"
		}
		return "\x52\x54\x00\x00\x00" + name
	}
	frame := address(to) + address(from) + "\x88\xb5" + text
	return append(binary.BigEndian.AppendUint32(nil, uint32(len(frame))), frame...)
}

func (c card) send(from, to, text string) {
	c.t.Helper()
	if _, err := c.Write(packet(from, to, text)); err != nil {
		c.t.Fatal(err)
	}
}

// gets fails unless that frame is the next that comes.
func (c card) gets(from, to, text string) {
	c.t.Helper()
	want := packet(from, to, text)
	got := make([]byte, len(want))
	c.SetReadDeadline(time.Now().Add(patience))
	if n, err := io.ReadFull(c, got); err != nil || !bytes.Equal(got, want) {
		c.t.Fatalf("want %.80q, got %.80q, %v", want, got[:n], err)
	}
}

// getsNothing fails when anything comes.
func (c card) getsNothing() {
	c.t.Helper()
	c.SetReadDeadline(time.Now().Add(silence))
	var got [100]byte
	if n, err := c.Read(got[:]); n > 0 || !os.IsTimeout(err) {
		c.t.Fatalf("got %q, %v", got[:n], err)
	}
}

// everybodyHears waits until the switch has all these cards, which have then read all that was sent. It teaches the
// switch nothing about them.
func everybodyHears(from card, name string, others ...card) {
	from.t.Helper()
	for _, o := range others {
		for o.SetReadDeadline(time.Now()); ; o.SetReadDeadline(time.Now().Add(silence)) {
			from.send(name, "*", "anybody?")
			var got [1]byte
			if n, _ := o.Read(got[:]); n == 1 {
				break
			}
		}
	}
	last := "last at " + time.Now().String()
	from.send(name, "*", last)
	end := packet(name, "*", last)
	for _, o := range others {
		var heard []byte
		o.SetReadDeadline(time.Now().Add(patience))
		for !bytes.HasSuffix(heard, end) {
			var got [1]byte
			if _, err := o.Read(got[:]); err != nil {
				from.t.Fatal(err)
			}
			heard = append(heard, got[0])
		}
	}
}

func TestForwarding(t *testing.T) {
	serve(t)
	a, b, c, up := plug(t, "a"), plug(t, "b"), plug(t, "c"), plug(t, "uplink")
	everybodyHears(a, "A", b, c, up)

	a.send("A", "B", "to whom nobody knows")
	b.gets("A", "B", "to whom nobody knows")
	c.gets("A", "B", "to whom nobody knows")
	up.getsNothing()

	b.send("B", "A", "to a known one")
	a.gets("B", "A", "to a known one")
	a.send("A", "B", "now known, too")
	b.gets("A", "B", "now known, too")
	c.getsNothing()
	up.getsNothing()

	up.send("U", "*", "the way out shows itself")
	for _, o := range []card{a, b, c} {
		o.gets("U", "*", "the way out shows itself")
	}
	a.send("A", "U", "out")
	up.gets("A", "U", "out")
	up.send("U", "D", "in, to whom nobody knows")
	for _, o := range []card{a, b, c} {
		o.gets("U", "D", "in, to whom nobody knows")
	}
	a.send("B", "*", "an address moves")
	for _, o := range []card{b, c, up} {
		o.gets("B", "*", "an address moves")
	}
	c.send("C", "B", "after it")
	a.gets("C", "B", "after it")
	a.send("A", "B", "to oneself")
	for _, o := range []card{a, b, c, up} {
		o.getsNothing()
	}
}

func TestComeAndGo(t *testing.T) {
	serve(t)
	a, b, c, up := plug(t, "a"), plug(t, "b"), plug(t, "c"), plug(t, "uplink")
	everybodyHears(b, "B", a, c, up)
	b.Close()
	var heard bool
	for deadline := time.Now().Add(patience); !heard && time.Now().Before(deadline); { // by c, once b is forgotten
		a.send("A", "B", "where are you?")
		c.SetReadDeadline(time.Now().Add(silence))
		var got [100]byte
		n, _ := c.Read(got[:])
		heard = n > 0
	}
	if !heard {
		t.Fatal("what is for a node that is gone still goes there")
	}
	b = plug(t, "b")
	everybodyHears(b, "B", a, c, up)
	a.send("A", "B", "welcome")
	b.gets("A", "B", "welcome")
	c.getsNothing()
	up.getsNothing()
}

func TestSlowPort(t *testing.T) {
	serve(t)
	a, b, c, up := plug(t, "a"), plug(t, "b"), plug(t, "c"), plug(t, "uplink")
	everybodyHears(a, "A", b, c, up)
	c.send("C", "A", "hello")
	a.gets("C", "A", "hello")
	much := strings.Repeat("x", 60<<10)
	for range 2 * queueLen { // more than its queue and all buffers hold; b reads nothing
		a.send("A", "*", much)
		c.gets("A", "*", much)
		up.gets("A", "*", much)
	}
	c.send("C", "A", "still here")
	a.gets("C", "A", "still here")
	var got int
	b.SetReadDeadline(time.Now().Add(patience))
	for size := len(packet("A", "*", much)); ; got++ {
		frame := make([]byte, size)
		if _, err := io.ReadFull(b, frame); err != nil || !bytes.Equal(frame, packet("A", "*", much)) {
			t.Fatalf("after %d frames: %v", got, err)
		}
		if got >= queueLen {
			break // whole ones, and the rest was dropped
		}
	}
}

func TestNoFrame(t *testing.T) {
	serve(t)
	a, b, c, up := plug(t, "a"), plug(t, "b"), plug(t, "c"), plug(t, "uplink")
	everybodyHears(a, "A", b, c, up)
	for name, length := range map[string]uint32{"empty": 0, "too long": maxFrame + 1, "nonsense": 0xffffffff} {
		bad := plug(t, "b")
		everybodyHears(a, "A", bad)
		if _, err := bad.Write(binary.BigEndian.AppendUint32(nil, length)); err != nil {
			t.Fatal(err)
		}
		bad.SetReadDeadline(time.Now().Add(patience))
		if _, err := io.Copy(io.Discard, bad); err != nil {
			t.Errorf("%s: the connection stays: %v", name, err)
		}
	}
	everybodyHears(a, "A", b, c, up)
	if _, err := a.Write([]byte("\x00\x00\x00\x03abc")); err != nil { // a runt, as a machine may send
		t.Fatal(err)
	}
	a.send("A", "*", "after a runt")
	for _, o := range []card{b, c, up} {
		o.gets("A", "*", "after a runt")
	}
	longest := strings.Repeat("x", maxFrame-headerSize)
	a.send("A", "*", longest)
	b.gets("A", "*", longest)
}

func TestManyAddresses(t *testing.T) {
	var f fabric
	p := &port{queue: make(chan []byte, 1)}
	f.plug(p)
	for i := range 2 * mostAddresses {
		frame := packet("A", "*", "")
		binary.BigEndian.PutUint16(frame[lengthSize+addressSize+2:], uint16(i))
		f.forward(p, frame)
	}
	if len(f.at) != mostAddresses {
		t.Errorf("learned %d addresses", len(f.at))
	}
	f.unplug(p)
	if len(f.at) != 0 {
		t.Errorf("%d addresses are left of a port that is gone", len(f.at))
	}
}

func TestSocketInTheWay(t *testing.T) {
	t.Chdir(t.TempDir())
	left, err := net.ListenUnix("unix", &net.UnixAddr{Name: "a", Net: "unix"})
	if err != nil {
		t.Fatal(err)
	}
	left.SetUnlinkOnClose(false)
	left.Close()
	if err := os.WriteFile("b", []byte("mine"), 0o600); err != nil {
		t.Fatal(err)
	}
	l, err := listen("a")
	if err != nil {
		t.Fatalf("the socket of a killed switch is in the way: %v", err)
	}
	l.Close()
	err = Serve(t.Context(), Sockets{Uplink: "uplink", Nodes: []string{"a", "b"}})
	if err == nil || !strings.Contains(err.Error(), `"b"`) {
		t.Fatalf("a file was taken for a socket: %v", err)
	}
	if info, err := os.Lstat("b"); err != nil || info.Mode().Type() == fs.ModeSocket {
		t.Error("the file is gone")
	}
}
