//go:build fleet

package fleet_test

import (
	"syscall"
	"testing"
	"time"
)

// strangerCard is that of a machine at the switch that is no node.
const strangerCard = "52:54:00:99:99:01"

// intrude puts a machine that is no node at the switch, with an address, and gives what takes it away again.
func (f *fleet) intrude(address string) (leave func()) {
	f.t.Helper()
	must(f.t, "ip", "netns", "add", "stranger")
	must(f.t, "ip", "link", "add", "strange", "type", "veth", "peer", "name", "eth0", "address", strangerCard, "netns", "stranger")
	must(f.t, "ip", "link", "set", "strange", "master", bridge)
	must(f.t, "ip", "link", "set", "strange", "up")
	must(f.t, "ip", "-n", "stranger", "address", "add", address+"/24", "dev", "eth0")
	must(f.t, "ip", "-n", "stranger", "link", "set", "eth0", "up")
	there := true
	leave = func() {
		if there {
			there = false
			must(f.t, "ip", "link", "del", "strange")
			must(f.t, "ip", "netns", "del", "stranger")
		}
	}
	f.t.Cleanup(leave)
	return leave
}

// announce lets the test's own address speak as a VRRP router to all, three times a second, until the test ends.
func announce(t *testing.T, routerID byte) {
	t.Helper()
	fd, err := syscall.Socket(syscall.AF_INET, syscall.SOCK_RAW|syscall.SOCK_CLOEXEC, 112)
	if err != nil {
		t.Fatal(err)
	}
	if err := syscall.SetsockoptInet4Addr(fd, syscall.IPPROTO_IP, syscall.IP_MULTICAST_IF, [4]byte{10, 99, 0, 1}); err != nil {
		t.Fatal(err)
	}
	end := make(chan struct{})
	ended := make(chan struct{})
	t.Cleanup(func() {
		close(end)
		<-ended
		syscall.Close(fd)
	})
	// Version 3, one address, priority 100, each second (RFC 5798, section 5.1).
	advert := []byte{0x31, routerID, 100, 1, 0, 100, 0, 0, 10, 99, 0, 74}
	go func() {
		defer close(ended)
		for {
			_ = syscall.Sendto(fd, advert, 0, &syscall.SockaddrInet4{Addr: [4]byte{224, 0, 0, 18}})
			select {
			case <-end:
				return
			case <-time.After(time.Second / 3):
			}
		}
	}()
}
