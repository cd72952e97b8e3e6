// Package lb renders the load balancer of the API's address: haproxy in front of every API server, and keepalived when
// there is a virtual address to hold. The same on dedicated balancers and stacked on control planes.
//
// Start with Render. External balancers are not ours; the loopback balancer of every node is package base's.
package lb

import (
	"embed"
	"fmt"
	"net/netip"
	"slices"
	"strconv"

	"slipway/node"
	"slipway/roles/role"
)

//go:embed *.tmpl
var templates embed.FS

// HealthPort is where the balancer answers keepalived on 127.0.0.1: that haproxy serves, nothing about API servers.
// Were the API part of it, one bad API server would make the address wander between healthy balancers.
const HealthPort = 7444

// AdminSocket is where haproxy answers root: its own state, and that of the API servers.
const AdminSocket = "/run/slipway-lb/admin.sock"

// StateFile holds keepalived's state of the virtual address in its own words (MASTER, BACKUP, FAULT, STOP), while it runs.
const StateFile = "/run/slipway-keepalived/state"

type data struct {
	*role.Node
	Admin              string
	Defaults, Backends string // of haproxy's configuration
	Bind               string // host:port that clients use
	Health             string
	HealthPort         int
	RouterID           byte
	Priority           int
	Advert             string       // in seconds
	State              string       // StateFile
	Peers              []netip.Addr // the other balancers
}

// Render is empty on nodes that balance nothing.
func Render(n *role.Node) (role.Output, error) {
	balancers := n.Balancers()
	at := slices.IndexFunc(balancers, func(b node.Node) bool { return b.Name == n.Self.Name })
	if at < 0 {
		return role.Output{}, nil
	}
	if n.API.Mode == "stacked" && n.API.Port == node.APIPort {
		return role.Output{}, fmt.Errorf("rendering load balancer: port %d is the API servers' own\nhint: choose another loadBalancer.port", n.API.Port)
	}
	defaults, backends, err := n.Balancer(true)
	if err != nil {
		return role.Output{}, fmt.Errorf("rendering load balancer: %w", err)
	}
	d := data{
		Node: n, Admin: AdminSocket, Defaults: defaults, Backends: backends,
		Bind:       role.HostPort(bind(n), n.API.Port),
		Health:     role.HostPort(role.Loopback(), HealthPort),
		HealthPort: HealthPort,
		Priority:   priority(at), Peers: peers(n, balancers), State: StateFile,
		Advert: strconv.FormatFloat(n.Tuning.Advert().Seconds(), 'f', -1, 64),
	}
	b := role.NewBuilder(templates, &d)
	b.File("/etc/slipway/lb.cfg", 0o644, "lb.cfg.tmpl")
	b.Unit("slipway-lb.service")
	if n.API.VIP.IsValid() {
		d.RouterID = RouterID(n.API.VIP)
		b.File("/etc/slipway/keepalived.conf", 0o600, "keepalived.conf.tmpl")
		b.File("/etc/slipway/keepalived-check", 0o700, "keepalived-check.tmpl")
		b.File("/etc/slipway/keepalived-notify", 0o700, "keepalived-notify.tmpl")
		b.File("/etc/slipway/keepalived-interface", 0o700, "keepalived-interface.tmpl")
		b.Unit("slipway-keepalived.service")
	}
	return b.Output()
}

// bind is the virtual address, or the node's own when there is none.
func bind(n *role.Node) netip.Addr {
	if n.API.VIP.IsValid() {
		return n.API.VIP
	}
	return n.Addr()
}

// priority spreads the balancers, so that an election has one winner at once. nopreempt keeps the holder afterwards.
func priority(at int) int { return max(200-10*at, 1) }

func peers(n *role.Node, balancers []node.Node) []netip.Addr {
	var list []netip.Addr
	for _, b := range balancers {
		if b.Name != n.Self.Name {
			list = append(list, b.Address.Addr())
		}
	}
	return list
}

// RouterID derives VRRP's one-byte group number (1-255, RFC 5798 section 5.2.3) from the address: two clusters in one
// subnet have different addresses, so mostly different numbers, and unicast keeps even equal ones apart.
func RouterID(vip netip.Addr) byte {
	for _, b := range slices.Backward(vip.AsSlice()) {
		if b != 0 {
			return b
		}
	}
	return 1
}
