package firstboot

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net/netip"
	"slices"
	"strings"
	"time"

	"slipway/firstboot/status"
	"slipway/firstboot/wire"
	"slipway/node"
	"slipway/roles/lb"
	"slipway/roles/role"
)

// vipView is what one look shows of the virtual address.
type vipView struct {
	unit    Finding
	state   string // keepalived's own word for it, empty before the first
	fault   string // what keeps keepalived from taking part, if its state is FAULT
	own     bool   // this node has the address
	holders []holder
}

// holder is somebody else on the segment who has the address.
type holder struct {
	card string
	name string // of the balancer; empty for a stranger
}

// judgeVIP is done when exactly one balancer has the address and nobody else. keepalived is not started while a stranger has it.
func judgeVIP(vip netip.Addr, self string, v vipView) (Finding, error) {
	var strangers, balancers []string
	if v.own {
		balancers = append(balancers, self)
	}
	for _, h := range v.holders {
		if h.name == "" {
			strangers = append(strangers, h.card)
		} else if !slices.Contains(balancers, h.name) { // it may have two cards here
			balancers = append(balancers, h.name)
		}
	}
	switch foreign := strings.Join(strangers, " and "); {
	case v.unit.act && foreign != "":
		return Wait(fmt.Sprintf("%s to be free: the card %s has it, which is no balancer's of this cluster", vip, foreign)), nil
	case !v.unit.done:
		return v.unit, nil
	case foreign != "":
		return Finding{}, fmt.Errorf("the card %s has %s, and is no balancer's of this cluster\nhint: give one of the two another address", foreign, vip)
	case len(balancers) > 1:
		return Finding{}, fmt.Errorf("%s is held by %s at the same time: they do not hear each other", vip, strings.Join(balancers, " and "))
	case v.state == "FAULT":
		return Wait("keepalived to leave its state FAULT, in which it does not take " + vip.String() + ": " + v.fault), nil
	case len(balancers) == 0:
		return Wait("a balancer to take " + vip.String()), nil
	}
	return OK(), nil
}

// Before keepalived starts the segment is asked several times: a question may get lost, and another machine's address with it.
const (
	askFirst = 3
	askLater = 1
)

func (n *machine) observeVIP(ctx context.Context) (Finding, error) {
	unit, err := n.lookAt(ctx, vipUnit)
	if err != nil || !unit.done && !unit.act {
		return unit, err
	}
	n.noteRouters()
	if unit.act {
		if who := n.alone(ctx, "vip"); who != "" {
			return Wait(who), nil
		}
	}
	v := vipView{unit: unit}
	if v.holders, err = n.holders(ctx, unit.act); err != nil {
		return Finding{}, err
	}
	if v.own, err = n.Wire.Has(n.cfg.API.VIP); err != nil {
		return Finding{}, err
	}
	if unit.done {
		if v.state, err = n.keepalivedState(); err != nil {
			return Finding{}, err
		}
		v.fault = n.vipFault(ctx)
	}
	return judgeVIP(n.cfg.API.VIP, n.self.Name, v)
}

// holders asks the segment who has the address, and for the balancers' own addresses with it: by their cards it is known who they are.
func (n *machine) holders(ctx context.Context, first bool) ([]holder, error) {
	times := askLater
	if first {
		times = askFirst
	}
	wanted := []netip.Addr{n.cfg.API.VIP}
	balancers := n.otherBalancers()
	for _, b := range balancers {
		wanted = append(wanted, b.Address.Addr())
	}
	cards, err := n.Wire.Ask(ctx, wanted, times)
	if err != nil {
		return nil, err
	}
	var found []holder
	for _, card := range cards[n.cfg.API.VIP] {
		h := holder{card: card}
		for _, b := range balancers {
			if slices.Contains(cards[b.Address.Addr()], card) {
				h.name = b.Name
			}
		}
		found = append(found, h)
	}
	return found, nil
}

func (n *machine) otherBalancers() []node.Node {
	view := role.Node{Config: n.cfg, Self: n.self}
	return slices.DeleteFunc(slices.Clone(view.Balancers()), func(b node.Node) bool { return b.Name == n.self.Name })
}

func (n *machine) keepalivedState() (string, error) {
	data, err := n.FS.ReadFile(lb.StateFile)
	if errors.Is(err, fs.ErrNotExist) {
		return "", nil
	}
	return strings.TrimSpace(string(data)), err
}

// vipFault is the cause that can be seen from here: keepalived watches haproxy and its card.
func (n *machine) vipFault(ctx context.Context) string {
	switch found, err := n.lookAt(ctx, lbUnit); {
	case err != nil:
		return err.Error()
	case !found.done:
		return found.waiting
	}
	return "haproxy does not answer it, or its card has no link"
}

// routersStay is how long a router that was heard stands in the status.
const routersStay = time.Minute

// noteRouters tells who else announces itself by this cluster's VRRP router id: what is sent to all can be heard, what two other balancers
// say to each other alone cannot.
func (n *machine) noteRouters() {
	heard, err := n.Wire.Adverts()
	if err != nil {
		n.notices.Put(status.Notice{Kind: "vrrp", Name: "listening", Text: err.Error()}, routersStay)
	}
	for _, notice := range strangeRouters(heard, lb.RouterID(n.cfg.API.VIP), n.isBalancer) {
		n.notices.Put(notice, routersStay)
	}
}

func (n *machine) isBalancer(addr netip.Addr) bool {
	return addr == n.self.Address.Addr() || slices.ContainsFunc(n.otherBalancers(), func(b node.Node) bool { return b.Address.Addr() == addr })
}

// strangeRouters is a notice for each router that is no balancer of this cluster and has its router id.
func strangeRouters(heard []wire.Advert, own byte, ours func(netip.Addr) bool) []status.Notice {
	var found []status.Notice
	for _, a := range heard {
		if a.RouterID == own && !ours(a.From) {
			found = append(found, status.Notice{Kind: "vrrp", Name: a.From.String(),
				Text: fmt.Sprintf("it announces itself with this cluster's VRRP router id, %d, which is the last number of the VIP: choose another VIP", own)})
		}
	}
	return found
}
