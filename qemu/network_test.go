package qemu

import (
	"encoding/binary"
	"fmt"
	"io"
	"net"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"
)

// These tests run the switch and the real user network, and are the nodes themselves.

// shared starts what several nodes share, and no node.
func (b bench) shared(t *testing.T) State {
	t.Helper()
	err := b.m.locked(func(dir string, st *State) error {
		_, err := upper{dir: dir, lab: b.m.Lab, req: b.req, st: st}.all(t.Context(), nil)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	st, err := LoadState(b.m.Dir)
	if err != nil {
		t.Fatal(err)
	}
	if !st.Switch.alive() || !st.Network.alive() {
		t.Fatalf("switch %+v, network %+v", st.Switch, st.Network)
	}
	return st
}

// card is a node's network card on the switch.
type card struct {
	net.Conn
	mac [6]byte
	ip  netip.Addr
}

func plug(t *testing.T, st State, node string, last byte) card {
	t.Helper()
	conn, err := dialIn(t.Context(), st.Switch.Dir, node+".sock")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	return card{conn, [6]byte{0x52, 0x54, 0, 0, 0, last}, netip.AddrFrom4([4]byte{10, 77, 0, last})}
}

func (c card) send(t *testing.T, to [6]byte, kind uint16, payload []byte) {
	t.Helper()
	frame := append(to[:], c.mac[:]...)
	frame = append(binary.BigEndian.AppendUint16(frame, kind), payload...)
	if _, err := c.Write(append(binary.BigEndian.AppendUint32(nil, uint32(len(frame))), frame...)); err != nil {
		t.Fatal(err)
	}
}

// next is the next frame's type and payload, and whether one came in time.
func (c card) next(t *testing.T, wait time.Duration) (kind uint16, payload []byte, ok bool) {
	t.Helper()
	c.SetReadDeadline(time.Now().Add(wait))
	var length [4]byte
	if _, err := io.ReadFull(c, length[:]); err != nil {
		return 0, nil, false
	}
	frame := make([]byte, binary.BigEndian.Uint32(length[:]))
	if _, err := io.ReadFull(c, frame); err != nil || len(frame) < 14 {
		t.Fatalf("half a frame: %v", err)
	}
	return binary.BigEndian.Uint16(frame[12:]), frame[14:], true
}

const (
	typeIPv4  = 0x0800
	typeARP   = 0x0806
	arpAsk    = 1
	arpAnswer = 2
)

var everybody = [6]byte{0xff, 0xff, 0xff, 0xff, 0xff, 0xff}

// arp is RFC 826 for IPv4 over Ethernet.
func (c card) arp(op uint16, mac [6]byte, ip netip.Addr) []byte {
	p := binary.BigEndian.AppendUint16([]byte{0, 1, 8, 0, 6, 4}, op)
	p = append(append(p, c.mac[:]...), c.ip.AsSlice()...)
	return append(append(p, mac[:]...), ip.AsSlice()...)
}

// syn asks to connect to port 7400 of an address (RFC 791, RFC 9293).
func (c card) syn(to netip.Addr) []byte {
	ip := []byte{0x45, 0, 0, 40, 0, 0, 0, 0, 64, 6, 0, 0}
	ip = append(append(ip, c.ip.AsSlice()...), to.AsSlice()...)
	binary.BigEndian.PutUint16(ip[10:], checksum(ip))
	tcp := []byte{0x9c, 0x40, guestPeer >> 8, guestPeer & 0xff, 0, 0, 0, 1, 0, 0, 0, 0, 0x50, 2, 0xff, 0xff, 0, 0, 0, 0}
	pseudo := append(append([]byte{}, ip[12:20]...), 0, 6, 0, byte(len(tcp)))
	binary.BigEndian.PutUint16(tcp[16:], checksum(append(pseudo, tcp...)))
	return append(ip, tcp...)
}

func checksum(data []byte) uint16 {
	var sum uint32
	for i := 0; i < len(data); i += 2 {
		sum += uint32(binary.BigEndian.Uint16(data[i:]))
	}
	for sum > 0xffff {
		sum = sum>>16 + sum&0xffff
	}
	return ^uint16(sum)
}

// gateway asks for the gateway's card until the user network answers, and says what came before that.
func (c card) gateway(t *testing.T, b bench) (before []string) {
	t.Helper()
	want := "\x00\x02\x52\x55" + string(b.m.Lab.Gateway.AsSlice()) + string(b.m.Lab.Gateway.AsSlice())
	for range 100 {
		c.send(t, everybody, typeARP, c.arp(arpAsk, [6]byte{}, b.m.Lab.Gateway))
		for {
			kind, p, ok := c.next(t, 100*time.Millisecond)
			if !ok {
				break
			}
			if kind == typeARP && len(p) >= 18 && string(p[6:18]) == want {
				return before
			}
			before = append(before, fmt.Sprintf("%#04x %x", kind, p))
		}
	}
	t.Fatal("the user network does not answer")
	return nil
}

// The user network answers in the name of everybody whose frames it gets: the switch must keep nodes' from it.
func TestNodesReachEachOther(t *testing.T) {
	b := newBench(t, 2)
	st := b.shared(t)
	one, two := plug(t, st, "n1", 11), plug(t, st, "n2", 12)
	one.gateway(t, b)
	one.send(t, two.mac, typeIPv4, one.syn(two.ip))
	if before := one.gateway(t, b); before != nil {
		t.Errorf("somebody answered what was meant for the other node: %q", before)
	}
	for {
		kind, p, ok := two.next(t, 5*time.Second)
		if !ok {
			t.Fatal("the other node did not get it")
		}
		if kind == typeIPv4 && string(p) == string(one.syn(two.ip)) {
			break
		}
	}
	two.gateway(t, b)
	outside, err := net.Dial("tcp4", fmt.Sprintf("127.0.0.1:%d", st.Machines["n2"].Ports.Peer))
	if err != nil {
		t.Fatal(err)
	}
	defer outside.Close()
	for {
		kind, p, ok := two.next(t, 5*time.Second)
		if !ok {
			t.Fatal("a connection to the forward did not reach the node")
		}
		if kind == typeIPv4 && p[9] == 6 && string(p[22:24]) == string([]byte{guestPeer >> 8, guestPeer & 0xff}) {
			break
		}
	}
}

func TestNetworkAgain(t *testing.T) {
	b := newBench(t, 2)
	st := b.shared(t)
	for _, died := range []*Running{st.Switch, st.Network} {
		if err := died.kill(t.Context()); err != nil {
			t.Fatal(err)
		}
		now := b.shared(t)
		if (now.Switch.PID == st.Switch.PID) == (died == st.Switch) || (now.Network.PID == st.Network.PID) == (died == st.Network) {
			t.Errorf("killed %d: %+v, %+v", died.PID, now.Switch, now.Network)
		}
		plug(t, now, "n1", 11).gateway(t, b)
		st.Switch = now.Switch
	}
}

// Former versions' switch was a QEMU that held the forwards' ports; nothing but its command line tells.
func TestFormerSwitch(t *testing.T) {
	b := newBench(t, 2)
	former := func() *Running {
		t.Helper()
		dir := filepath.Join(b.m.Dir, switchDir)
		if err := os.MkdirAll(dir, 0o700); err != nil {
			t.Fatal(err)
		}
		cmd := exec.Command("sleep", "100")
		cmd.Dir = dir
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		go cmd.Wait()
		t.Cleanup(func() { cmd.Process.Kill() })
		r := &Running{PID: cmd.Process.Pid, Dir: dir, Argv: cmd.Args}
		if err := waitFor(t.Context(), r.alive); err != nil {
			t.Fatal(err)
		}
		if err := (State{Switch: r}).save(b.m.Dir); err != nil {
			t.Fatal(err)
		}
		return r
	}
	old := former()
	b.down(t, DownRequest{Hard: true})
	if old.alive() {
		t.Error("down left the former switch")
	}
	old = former()
	b.shared(t)
	if old.alive() {
		t.Error("up left the former switch")
	}
	b.down(t, DownRequest{Hard: true})
}
