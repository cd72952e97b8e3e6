package wire

import (
	"context"
	"net/netip"
	"os"
	"os/exec"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"slipway/internal/testtool"
)

// within makes the test ask, in network namespaces that were made for it.
const within = "SLIPWAY_TEST_SEGMENT"

// world is two machines at one cable: this one, and another with two addresses, which answers by the kernel.
const world = `set -e
ip link set lo up
ip link add eth0 type veth peer name far address 52:54:00:99:00:02
unshare --net sleep 60 & trap "kill $!" EXIT
while [ "$(readlink /proc/$!/ns/net)" = "$(readlink /proc/self/ns/net)" ]; do sleep 0.01; done
ip link set far netns $!
nsenter --target $! --net ip address add 10.0.0.32/24 dev far
nsenter --target $! --net ip address add 10.0.0.10/32 dev far
nsenter --target $! --net ip link set far up
ip address add 10.0.0.31/24 dev eth0
ip link set eth0 up
"$0" -test.run='^TestSegment$' -test.v`

// TestSegment asks a real segment: two network namespaces with a cable between them.
func TestSegment(t *testing.T) {
	if os.Getenv(within) != "" {
		askSegment(t)
		return
	}
	args := []string{"--net", "/bin/bash", "-c", world, os.Args[0]}
	if os.Getuid() != 0 {
		args = append([]string{"--map-root-user"}, args...)
	}
	cmd := exec.Command(testtool.Find(t, "unshare"), args...)
	cmd.Env = append(os.Environ(), within+"=1")
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
}

func askSegment(t *testing.T) {
	s := &Segment{Own: netip.MustParseAddr("10.0.0.31")}
	vip, peer, nobody := netip.MustParseAddr("10.0.0.10"), netip.MustParseAddr("10.0.0.32"), netip.MustParseAddr("10.0.0.99")
	found, err := s.Ask(t.Context(), []netip.Addr{vip, peer, nobody, s.Own}, 3)
	want := map[netip.Addr][]string{vip: {"52:54:00:99:00:02"}, peer: {"52:54:00:99:00:02"}}
	if diff := cmp.Diff(want, found, cmp.Comparer(func(a, b netip.Addr) bool { return a == b })); diff != "" || err != nil {
		t.Errorf("%v\n%s", err, diff)
	}
	if has, err := s.Has(s.Own); !has || err != nil {
		t.Errorf("its own address: %v, %v", has, err)
	}
	ended, end := context.WithCancel(t.Context())
	end()
	if _, err := s.Ask(ended, []netip.Addr{vip}, 100); err == nil {
		t.Error("asked on after the end")
	}

	if heard, err := s.Adverts(); len(heard) > 0 || err != nil { // from now on
		t.Errorf("heard %v, %v", heard, err)
	}
	fd, err := syscall.Socket(syscall.AF_INET, syscall.SOCK_RAW, protocolVRRP)
	if err != nil {
		t.Fatal(err)
	}
	if err := syscall.SetsockoptInet4Addr(fd, syscall.IPPROTO_IP, syscall.IP_MULTICAST_IF, s.Own.As4()); err != nil {
		t.Fatal(err)
	}
	if err := syscall.Sendto(fd, []byte{0x31, 10, 100, 1, 0, 100, 0, 0, 10, 0, 0, 10}, 0, &syscall.SockaddrInet4{Addr: allRouters}); err != nil {
		t.Fatal(err)
	}
	var heard []Advert
	for end := time.Now().Add(5 * time.Second); len(heard) == 0 && time.Now().Before(end); time.Sleep(time.Millisecond) {
		if heard, err = s.Adverts(); err != nil {
			t.Fatal(err)
		}
	}
	if diff := cmp.Diff([]Advert{{From: s.Own, RouterID: 10, Priority: 100}}, heard, cmp.Comparer(func(a, b netip.Addr) bool { return a == b })); diff != "" {
		t.Errorf("heard:\n%s", diff)
	}
}
