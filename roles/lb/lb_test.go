package lb

import (
	"bytes"
	"net/netip"
	"testing"

	"slipway/node"
	"slipway/roles/role"
)

func TestRouterID(t *testing.T) {
	for vip, want := range map[string]byte{
		"10.0.0.10": 10, "10.0.7.0": 7, "10.0.0.255": 255, "10.0.0.0": 10, "0.0.0.0": 1, "fd00::1:0": 1,
	} {
		if got := RouterID(netip.MustParseAddr(vip)); got != want {
			t.Errorf("RouterID(%s) = %d, want %d", vip, got, want)
		}
	}
}

// TestPriority: VRRP knows 1 to 254 for routers that do not own the address.
func TestPriority(t *testing.T) {
	for at, want := range map[int]int{0: 200, 1: 190, 19: 10, 20: 1, 200: 1} {
		if got := priority(at); got != want {
			t.Errorf("priority(%d) = %d, want %d", at, got, want)
		}
	}
}

// TestWithoutAddress: one balancer may serve on its own address, and then nothing holds a virtual one.
func TestWithoutAddress(t *testing.T) {
	own := netip.MustParsePrefix("10.0.0.31/24")
	out, err := Render(&role.Node{
		Self: node.Node{Name: "lb1", Address: own},
		Config: &node.Config{
			API:   node.API{Mode: "dedicated", Port: 6443},
			Nodes: []node.Node{{Name: "lb1", Roles: []node.Role{node.LB}, Address: own}},
		},
	})
	if err != nil || len(out.Units) != 1 || len(out.Files) != 1 {
		t.Fatalf("Render = %d units, %d files, %v; want haproxy's alone", len(out.Units), len(out.Files), err)
	}
	if !bytes.Contains(out.Files[0].Content, []byte("bind 10.0.0.31:6443\n")) {
		t.Errorf("does not listen on its own address:\n%s", out.Files[0].Content)
	}
}
