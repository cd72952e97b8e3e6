package wire

import (
	"encoding/hex"
	"net"
	"net/netip"
	"strings"
	"testing"
)

var card = net.HardwareAddr{0x52, 0x54, 0, 0x99, 0, 1}

func unhex(t *testing.T, text string) []byte {
	t.Helper()
	data, err := hex.DecodeString(strings.NewReplacer(" ", "", "\n", "", "\t", "").Replace(text))
	if err != nil {
		t.Fatal(err)
	}
	return data
}

func TestProbe(t *testing.T) {
	want := unhex(t, `ffffffffffff 525400990001 0806 0001 0800 06 04 0001
		525400990001 00000000 000000000000 0a63000a`+strings.Repeat("00", 18))
	if got := probe(card, netip.MustParseAddr("10.99.0.10")); string(got) != string(want) {
		t.Errorf("%x\nwant\n%x", got, want)
	}
}

// TestClaim: whoever names an address as his own claims it, in whatever kind of ARP packet; a probe claims nothing.
func TestClaim(t *testing.T) {
	const head = "ffffffffffff 525400990002 0806 0001 0800 06 04"
	for name, c := range map[string]struct{ frame, want string }{
		"an answer":          {head + "0002 525400990002 0a63000a 525400990001 00000000", "52:54:00:99:00:02 10.99.0.10"},
		"an announcement":    {head + "0001 525400990002 0a63000a 000000000000 0a63000a", "52:54:00:99:00:02 10.99.0.10"},
		"padded":             {head + "0002 525400990002 0a63000a 525400990001 00000000" + strings.Repeat("00", 18), "52:54:00:99:00:02 10.99.0.10"},
		"a probe":            {head + "0001 525400990002 00000000 000000000000 0a63000a", ""},
		"cut off":            {head + "0002 525400990002 0a63000a 525400990001 000000", ""},
		"IPv4":               {strings.Replace(head, "0806", "0800", 1) + "0002 525400990002 0a63000a 525400990001 00000000", ""},
		"not over Ethernet":  {strings.Replace(head, "0806 0001", "0806 0006", 1) + "0002 525400990002 0a63000a 525400990001 00000000", ""},
		"nothing whatsoever": {"", ""},
	} {
		got := ""
		if from, addr, ok := claim(unhex(t, c.frame)); ok {
			got = from.String() + " " + addr.String()
		}
		if got != c.want {
			t.Errorf("%s: %q, want %q", name, got, c.want)
		}
	}
}

func TestReadAdvert(t *testing.T) {
	// A header of 20 bytes: length, protocol 112, from 10.99.0.77 to 224.0.0.18.
	const head = "45c0 0020 0001 0000 ff70 0000 0a63004d e0000012"
	for name, c := range map[string]struct {
		packet string
		want   Advert
	}{
		"version 3":        {head + "310a6401 001e0000 0a63004a", Advert{netip.MustParseAddr("10.99.0.77"), 10, 100}},
		"version 2":        {head + "21ffc801 00010000 0a63004a", Advert{netip.MustParseAddr("10.99.0.77"), 255, 200}},
		"with options":     {strings.Replace(head, "45c0 0020", "46c0 0024", 1) + "00000000 310a6401 001e0000 0a63004a", Advert{netip.MustParseAddr("10.99.0.77"), 10, 100}},
		"version 4":        {head + "410a6401 001e0000 0a63004a", Advert{}},
		"no advertisement": {head + "320a6401 001e0000 0a63004a", Advert{}},
		"TCP":              {strings.Replace(head, "ff70", "ff06", 1) + "310a6401 001e0000 0a63004a", Advert{}},
		"cut off":          {head + "310a6401 001e", Advert{}},
		"lies":             {strings.Replace(head, "45c0 0020", "4fc0 0020", 1) + "310a6401 001e0000 0a63004a", Advert{}},
		"empty":            {"", Advert{}},
	} {
		if got, ok := readAdvert(unhex(t, c.packet)); got != c.want || ok != (c.want != Advert{}) {
			t.Errorf("%s: %+v, %v, want %+v", name, got, ok, c.want)
		}
	}
}

// FuzzRead: no packet makes the readers panic.
func FuzzRead(f *testing.F) {
	f.Add(probe(card, netip.MustParseAddr("10.99.0.10")))
	f.Fuzz(func(t *testing.T, data []byte) {
		if _, addr, ok := claim(data); ok && !addr.Is4() {
			t.Errorf("claim of %s", addr)
		}
		if a, ok := readAdvert(data); ok && !a.From.Is4() {
			t.Errorf("advert %+v", a)
		}
	})
}

// TestOwnAddresses: a machine has its own addresses, and no question can be asked where it has none.
func TestOwnAddresses(t *testing.T) {
	s := &Segment{Own: netip.MustParseAddr("192.0.2.1")} // of nobody: RFC 5737
	if has, err := s.Has(netip.MustParseAddr("127.0.0.1")); !has || err != nil {
		t.Errorf("127.0.0.1: %v, %v", has, err)
	}
	if has, err := s.Has(s.Own); has || err != nil {
		t.Errorf("%s: %v, %v", s.Own, has, err)
	}
	for _, err := range []error{second(s.Ask(t.Context(), nil, 1)), second(s.Adverts())} {
		if err == nil || err.Error() != "no card has 192.0.2.1" {
			t.Errorf("error %v", err)
		}
	}
}

func second[T any](_ T, err error) error { return err }
