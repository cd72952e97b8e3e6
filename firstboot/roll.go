package firstboot

import (
	"context"
	"fmt"
	"net/netip"
	"path"
	"sync"

	"slipway/firstboot/etcd"
	"slipway/firstboot/peer"
	"slipway/node"
	"slipway/roles/role"
)

// etcdctl is the way to other members, with the certificate that the API server has as well.
func (n *machine) etcdctl() etcd.Client {
	file := func(name, ending string) string { return path.Join(node.PKIDir, name+ending) }
	return etcd.Client{Run: n.Run, CA: file(node.CAEtcd, ".crt"), Cert: file(node.CertEtcdCli, ".crt"), Key: file(node.CertEtcdCli, ".key")}
}

func clientURL(n node.Node) string { return role.URL(n.Address.Addr(), node.EtcdClient) }
func peerURL(n node.Node) string   { return role.URL(n.Address.Addr(), node.EtcdPeer) }

// callRoll asks the other etcd nodes for the list of members, and then how each in it is. Only a node that is late has use for a
// list that no quorum stands for.
func (n *machine) callRoll(ctx context.Context, late bool) roll {
	r := roll{Ill: map[uint64]error{}, Alive: map[uint64]bool{}, Empty: map[string]bool{}, Twin: n.elsewhere(ctx)}
	for _, v := range n.met.list(n.others()) {
		r.Empty[v.Name] = v.Attestation != nil && !v.Attestation.HasData
	}
	answers := n.lists(ctx, n.etcdctl().Members)
	from := ""
	for _, p := range n.others() {
		a := answers[p.Name]
		if a.err != nil {
			r.Trouble = append(r.Trouble, fmt.Sprintf("%s (%v)", p.Name, a.err))
		} else if !r.Quorum {
			r.Quorum, r.Members, from = true, a.members, clientURL(p)
		}
	}
	if !r.Quorum && late {
		r.Members = n.remembered(ctx)
	}
	if !r.Quorum {
		return r
	}
	n.examine(ctx, &r)
	if held, err := n.etcdctl().Held(ctx, from); err == nil {
		r.Holder = held.Holder
	}
	return r
}

type rollAnswer struct {
	members []etcd.Member
	err     error
}

// lists asks every other etcd node at the same time.
func (n *machine) lists(ctx context.Context, ask func(context.Context, string) ([]etcd.Member, error)) map[string]rollAnswer {
	var wait sync.WaitGroup
	var mu sync.Mutex
	answers := map[string]rollAnswer{}
	for _, p := range n.others() {
		wait.Go(func() {
			members, err := ask(ctx, clientURL(p))
			mu.Lock()
			defer mu.Unlock()
			answers[p.Name] = rollAnswer{members, err}
		})
	}
	wait.Wait()
	return answers
}

// remembered is the list of the first that gives one without a quorum.
func (n *machine) remembered(ctx context.Context) []etcd.Member {
	answers := n.lists(ctx, n.etcdctl().Remembered)
	for _, p := range n.others() {
		if a := answers[p.Name]; a.err == nil {
			return a.members
		}
	}
	return nil
}

// examine asks every member how it is, at the address that it gave.
func (n *machine) examine(ctx context.Context, r *roll) {
	var wait sync.WaitGroup
	var mu sync.Mutex
	for _, m := range r.Members {
		if !m.Started() {
			continue
		}
		wait.Go(func() {
			id, err := n.etcdctl().MemberAt(ctx, m.ClientURLs[0])
			alive := err == nil && id == m.ID
			if alive && !m.IsLearner {
				_, err = n.etcdctl().Members(ctx, m.ClientURLs[0])
			} else if err == nil && !alive {
				err = fmt.Errorf("%s answers there", etcd.Hex(id))
			}
			mu.Lock()
			defer mu.Unlock()
			r.Alive[m.ID] = alive
			if err != nil && !m.IsLearner {
				r.Ill[m.ID] = err
			}
		})
	}
	wait.Wait()
}

// elsewhere is this node's own address if another instance answers there, or another card has it: two machines have it, and the other
// is heard. Which of the two gets what is sent to the address is chance, so that the other members' word for it is not enough.
func (n *machine) elsewhere(ctx context.Context) string {
	ctx, cancel := context.WithTimeout(ctx, peer.Timeout)
	defer cancel()
	own := n.self.Address.Addr().String()
	if a, err := n.peers.Attest(ctx, n.self, peer.Testimony{}); err == nil && a.Instance != n.instance {
		return own
	}
	if cards := n.otherCards(ctx); len(cards) > 0 {
		return fmt.Sprintf("%s, with the card %s", own, list(cards))
	}
	return ""
}

// otherCards are those of other machines that have this node's address as well. None is known where the segment cannot be asked.
func (n *machine) otherCards(ctx context.Context) []string {
	own := n.self.Address.Addr()
	if has, err := n.Wire.Has(own); err != nil || !has {
		return nil
	}
	cards, err := n.Wire.Ask(ctx, []netip.Addr{own}, askLater)
	if err != nil {
		n.log("asking who has %s: %v", own, err)
	}
	return cards[own]
}

// sharedAddress says that another machine has this node's address as well, and may get what is sent to it.
func (n *machine) sharedAddress(ctx context.Context) error {
	if cards := n.otherCards(ctx); len(cards) > 0 {
		return fmt.Errorf("another machine has this node's address, %s, as well: its card is %s\nhint: switch one of the two off", n.self.Address.Addr(), list(cards))
	}
	return nil
}
