package firstboot

import (
	"context"
	"errors"
	"fmt"

	"slipway/firstboot/etcd"
	"slipway/firstboot/journal"
)

// observeJoin is for a node without data whose cluster has formed.
func (n *machine) observeJoin(ctx context.Context, w world, v verdict) (Finding, error) {
	switch m := n.move(ctx, w, v); m.Do {
	case moveStart:
		return NeedAgain("etcd to start: "+m.Reason, n.beginListed), nil
	case moveEnter:
		return NeedAgain(m.Reason, n.enter), nil
	case moveRefuse:
		return Finding{}, errors.New(m.Reason)
	default:
		return Wait(m.Reason), nil
	}
}

// move calls the roll and decides.
func (n *machine) move(ctx context.Context, w world, v verdict) move {
	return next(n.callRoll(ctx, v.Start == startLate), n.joiner(w, v))
}

func (n *machine) joiner(w world, v verdict) joiner {
	met := w.Asked >= listening
	for _, p := range w.Peers {
		met = met && p.Attestation != nil && p.Attestation.Epoch == w.Epoch
	}
	return joiner{
		Name: n.self.Name, Instance: n.instance, PeerURL: peerURL(n.self), Joining: n.journal.Get().Joining, Verdict: v, Met: met,
	}
}

// beginListed starts a member that is in the list already. One that has never run lets the others know before, as in a first
// formation, and looks again afterwards.
func (n *machine) beginListed(ctx context.Context) error {
	if n.journal.Get().Joining == "" {
		if err := n.recordStart(startLate); err != nil {
			return err
		}
		n.meetAll(ctx)
	}
	w, err := n.world()
	if err != nil {
		return err
	}
	v := decide(w)
	if v.Start == startLate && !v.Known {
		return fmt.Errorf("telling the other etcd nodes that this one begins: %s", v.Reason)
	}
	if v.Start != startLate && v.Start != startReplace {
		return nil // observing again says what it is
	}
	m := n.move(ctx, w, v)
	if m.Do != moveStart {
		return nil
	}
	return n.startJoined(ctx, v.Start, m.Cluster)
}

// startJoined starts etcd with the members that it will find, and nothing of what a former member left.
func (n *machine) startJoined(ctx context.Context, how start, cluster string) error {
	if err := n.recordStart(how); err != nil {
		return err
	}
	if err := n.putAside(ctx); err != nil {
		return err
	}
	n.log("starting etcd: %s, among %s", how, cluster)
	if err := n.writeEnv("existing", "ETCD_INITIAL_CLUSTER="+cluster+"\n"); err != nil {
		return err
	}
	return n.startUnit(etcdUnit)(ctx)
}

// enter makes a place for this node among the members, under the lock. It may be cut off after any call: the next one finds
// in the list how far this one came.
func (n *machine) enter(ctx context.Context) error {
	endpoint, lock, err := n.takeLock(ctx)
	if err != nil || lock.Holder != n.holder() {
		return err
	}
	w, err := n.world()
	if err != nil {
		return err
	}
	v := decide(w)
	j := n.joiner(w, v)
	m := next(n.callRoll(ctx, false), j)
	if v.Start != startLate && v.Start != startReplace || m.Do != moveEnter { // what was true before the lock need not be now
		return nil
	}
	if err := n.clear(ctx, endpoint, lock, m); err != nil {
		return err
	}
	if err := n.etcdctl().Keep(ctx, endpoint, lock); err != nil {
		return err
	}
	self, members, err := n.etcdctl().AddLearner(ctx, endpoint, n.self.Name, j.PeerURL)
	if err != nil {
		return err
	}
	if err := n.journal.Update(func(j *journal.Journal) { j.Joining = etcd.Hex(self.ID) }); err != nil {
		return err
	}
	return n.startJoined(ctx, startReplace, roll{Members: members}.cluster(j))
}

func (n *machine) holder() etcd.Holder {
	return etcd.Holder{Node: n.self.Name, Instance: n.instance}
}

// takeLock asks one member after another for the lock, and gives who has it then, with the endpoint that answered.
func (n *machine) takeLock(ctx context.Context) (endpoint string, lock etcd.Lock, err error) {
	var errs []error
	for _, p := range n.others() {
		lock, err := n.etcdctl().Take(ctx, clientURL(p), n.holder())
		if err == nil {
			return clientURL(p), lock, nil
		}
		errs = append(errs, err)
	}
	return "", etcd.Lock{}, errors.Join(errs...)
}

// clear takes out of the way what keeps this node from being added. Before each removal it makes sure that the lock is still
// its own: a machine may have been asleep meanwhile.
func (n *machine) clear(ctx context.Context, endpoint string, lock etcd.Lock, m move) error {
	for _, id := range m.Promote {
		if done, err := n.etcdctl().Promote(ctx, endpoint, etcd.Hex(id)); err != nil || done != etcd.Voter {
			return errors.Join(err, fmt.Errorf("a learner of another node, %s, has no vote yet", etcd.Hex(id)))
		}
	}
	for _, id := range m.Remove {
		if err := n.etcdctl().Keep(ctx, endpoint, lock); err != nil {
			return err
		}
		n.log("removing etcd member %s: this node is %s", etcd.Hex(id), m.Reason)
		if err := n.etcdctl().Remove(ctx, endpoint, id); err != nil {
			return err
		}
	}
	return nil
}

// promote asks for this node's vote, and shows that it is still at it. Once it has its vote the next one may join.
func (n *machine) promote(ctx context.Context) error {
	endpoint, lock, err := n.takeLock(ctx)
	if err != nil {
		return err
	}
	done, err := n.etcdctl().Promote(ctx, endpoint, n.journal.Get().Joining)
	if err != nil || done != etcd.Voter {
		return err
	}
	if err := n.journal.Update(func(j *journal.Journal) { j.Joining = "" }); err != nil {
		return err
	}
	if lock.Holder != n.holder() {
		return nil
	}
	return n.etcdctl().Release(ctx, endpoint, lock)
}
