// Package wire asks the segment that a node's card is on: who has an address (ARP, RFC 826, asked as RFC 5227 does), and which
// VRRP routers announce themselves there (RFC 5798).
//
// Start with Segment.Ask and Segment.Adverts. It judges nothing and changes nothing: nobody learns an address from its questions.
// It knows IPv4 over Ethernet only, and needs the right to open raw sockets.
package wire

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"slices"
	"sync"
	"syscall"
	"time"
)

// Segment is the one that has the card with Own. It may be used from several goroutines.
type Segment struct {
	Own netip.Addr

	mu     sync.Mutex
	routes int // socket on which VRRP is heard, 0 before it was opened
}

// answerTime is how long answers are waited for after each question: many times what a machine on the segment needs, and little
// beside the time in which a balancer takes over.
const answerTime = 300 * time.Millisecond

// Has says whether this machine has an address.
func (s *Segment) Has(addr netip.Addr) (bool, error) {
	card, err := cardOf(addr)
	return card != nil, err
}

// Ask asks for addresses as often as is said, and gives the cards that claimed each, sorted: none of this machine's own.
func (s *Segment) Ask(ctx context.Context, wanted []netip.Addr, times int) (map[netip.Addr][]string, error) {
	card, err := s.card()
	if err != nil {
		return nil, err
	}
	fd, err := syscall.Socket(syscall.AF_PACKET, syscall.SOCK_RAW|syscall.SOCK_CLOEXEC, int(networkOrder(syscall.ETH_P_ARP)))
	if err != nil {
		return nil, fmt.Errorf("opening a socket for ARP: %w", err)
	}
	defer syscall.Close(fd)
	if err := syscall.Bind(fd, linkAddress(card)); err != nil {
		return nil, fmt.Errorf("listening for ARP on %s: %w", card.Name, err)
	}
	found := map[netip.Addr][]string{}
	for range times {
		for _, addr := range wanted {
			if err := syscall.Sendto(fd, probe(card.HardwareAddr, addr), 0, linkAddress(card)); err != nil {
				return nil, fmt.Errorf("asking for %s on %s: %w", addr, card.Name, err)
			}
		}
		if err := collect(ctx, fd, card, wanted, found); err != nil {
			return nil, err
		}
	}
	return found, nil
}

// collect takes down claims until the time for answers is over.
func collect(ctx context.Context, fd int, card *net.Interface, wanted []netip.Addr, found map[netip.Addr][]string) error {
	until, cancel := context.WithTimeout(ctx, answerTime)
	defer cancel()
	pause := syscall.NsecToTimeval(int64(answerTime / 10))
	if err := syscall.SetsockoptTimeval(fd, syscall.SOL_SOCKET, syscall.SO_RCVTIMEO, &pause); err != nil {
		return fmt.Errorf("listening for ARP on %s: %w", card.Name, err)
	}
	for until.Err() == nil {
		var frame [128]byte
		n, _, err := syscall.Recvfrom(fd, frame[:], 0)
		if again(err) {
			continue
		}
		if err != nil {
			return fmt.Errorf("listening for ARP on %s: %w", card.Name, err)
		}
		from, addr, ok := claim(frame[:n])
		if ok && slices.Contains(wanted, addr) && !slices.Equal(from, card.HardwareAddr) && !slices.Contains(found[addr], from.String()) {
			found[addr] = append(found[addr], from.String())
			slices.Sort(found[addr])
		}
	}
	return ctx.Err()
}

// Adverts is what VRRP routers said since it was last asked, to all of them or to this machine. It listens from the first time on.
func (s *Segment) Adverts() ([]Advert, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.routes == 0 {
		if err := s.listen(); err != nil {
			return nil, err
		}
	}
	var heard []Advert
	for {
		var packet [512]byte
		n, _, err := syscall.Recvfrom(s.routes, packet[:], 0)
		if errors.Is(err, syscall.EAGAIN) {
			return heard, nil
		}
		if err != nil && !again(err) {
			return heard, fmt.Errorf("listening for VRRP: %w", err)
		}
		if a, ok := readAdvert(packet[:max(n, 0)]); ok && !slices.Contains(heard, a) {
			heard = append(heard, a)
		}
	}
}

func (s *Segment) listen() error {
	card, err := s.card()
	if err != nil {
		return err
	}
	fd, err := syscall.Socket(syscall.AF_INET, syscall.SOCK_RAW|syscall.SOCK_CLOEXEC|syscall.SOCK_NONBLOCK, protocolVRRP)
	if err != nil {
		return fmt.Errorf("opening a socket for VRRP: %w", err)
	}
	group := &syscall.IPMreqn{Multiaddr: allRouters, Ifindex: int32(card.Index)}
	if err := syscall.SetsockoptIPMreqn(fd, syscall.IPPROTO_IP, syscall.IP_ADD_MEMBERSHIP, group); err != nil {
		syscall.Close(fd)
		return fmt.Errorf("listening for VRRP on %s: %w", card.Name, err)
	}
	s.routes = fd
	return nil
}

// card is the one with the segment's own address.
func (s *Segment) card() (*net.Interface, error) {
	card, err := cardOf(s.Own)
	if err == nil && card == nil {
		err = fmt.Errorf("no card has %s", s.Own)
	}
	return card, err
}

// cardOf is nil if no card has the address.
func cardOf(addr netip.Addr) (*net.Interface, error) {
	cards, err := net.Interfaces()
	if err != nil {
		return nil, fmt.Errorf("listing the cards: %w", err)
	}
	for _, card := range cards {
		addrs, err := card.Addrs()
		if err != nil {
			return nil, fmt.Errorf("listing the addresses of %s: %w", card.Name, err)
		}
		for _, a := range addrs {
			if p, err := netip.ParsePrefix(a.String()); err == nil && p.Addr() == addr {
				return &card, nil
			}
		}
	}
	return nil, nil
}

func linkAddress(card *net.Interface) *syscall.SockaddrLinklayer {
	return &syscall.SockaddrLinklayer{Protocol: networkOrder(syscall.ETH_P_ARP), Ifindex: card.Index, Halen: 6, Addr: [8]byte(append(slices.Clone(everybody), 0, 0))}
}

// networkOrder swaps the bytes of a number, on the little-endian machines that there are images for.
func networkOrder(v uint16) uint16 { return v<<8 | v>>8 }

// again says whether nothing was there yet, or a signal came between.
func again(err error) bool {
	return errors.Is(err, syscall.EAGAIN) || errors.Is(err, syscall.EINTR)
}
