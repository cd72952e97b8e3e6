package firstboot

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"slipway/firstboot/journal"
	"slipway/node"
)

const (
	etcdUnit = "etcd.service"
	etcdEnv  = runDir + "/etcd.env"
)

// observeEtcd is done when etcd runs, whether it has found its quorum or not: that is the member step's. One that does
// not run yet is decided upon here, so that a verdict to wait is a finding, and one to act is carried by it.
func (n *machine) observeEtcd(ctx context.Context) (Finding, error) {
	found, err := n.lookAt(ctx, etcdUnit)
	if err != nil {
		return n.observeFailing(ctx, err)
	}
	if !found.act {
		return OK(), nil
	}
	w, err := n.world()
	if err != nil {
		return Finding{}, err
	}
	n.notePeers(w.Peers)
	switch v := decide(w); v.Start {
	case startNew:
		return NeedTo("etcd to start", n.beginNew), nil
	case startRestart:
		return NeedTo("etcd to start", func(ctx context.Context) error { return n.startMember(ctx, v.Start) }), nil
	case startWait:
		return Wait(v.Reason), nil
	case startLate, startReplace:
		return n.observeJoin(ctx, w, v)
	default:
		return Finding{}, errors.New(v.Reason)
	}
}

// world is what decide needs, as it stands now. What the peers said is read before the own journal: what they have heard
// from this node is in it.
func (n *machine) world() (world, error) {
	peers := n.met.list(n.others())
	data, err := n.hasData()
	if err != nil {
		return world{}, fmt.Errorf("looking for etcd data: %w", err)
	}
	w := worldOf(n.journal.Get(), n.cfg, n.instance)
	w.HasData, w.Peers, w.Asked = data, peers, n.Clock.Now().Sub(n.began)
	return w, nil
}

// worldOf is what an instance of a config's node knows by its journal.
func worldOf(j journal.Journal, cfg *node.Config, instance string) world {
	token := cfg.EtcdToken()
	memory := j.MemoryOf(token)
	return world{
		Cluster: cfg.Cluster.ID, Epoch: cfg.Cluster.Epoch, Token: token, Node: cfg.Node, Instance: instance,
		Journal: j.Token, Started: j.StartedAs(token), Formed: j.Formed, Gone: j.Gone, Lost: j.LostAs(token),
		Told: memory.FormedBy, Known: memory.Started[cfg.Node], Grace: time.Duration(cfg.Tuning.FormationGrace),
	}
}

// notePeers puts the peers that could not be asked on the board, also when there are enough without them.
func (n *machine) notePeers(peers []view) {
	trouble := map[string]string{}
	for _, p := range peers {
		if p.Err != nil {
			trouble[p.Name] = p.Err.Error()
		}
	}
	n.notices.Replace("peer", trouble)
}

// beginNew starts a member of a first formation. The others must know of it before: what this instance acknowledges as a
// member must not be forgotten if it is wiped the moment after. So it journals the start, tells all of them, and starts
// only if a majority remembers, and still says that the cluster never formed.
func (n *machine) beginNew(ctx context.Context) error {
	if err := n.recordStart(startNew); err != nil {
		return err
	}
	n.meetAll(ctx)
	w, err := n.world()
	if err != nil {
		return err
	}
	if v := decide(w); v.Start != startNew || !v.Known {
		return fmt.Errorf("telling the other etcd nodes that this one begins: %s", v.Reason)
	}
	return n.startMember(ctx, startNew)
}

// startMember starts etcd. The journal knows of the start before there can be data.
func (n *machine) startMember(ctx context.Context, how start) error {
	if err := n.recordStart(how); err != nil {
		return err
	}
	state := "existing"
	if how == startNew {
		state = "new"
	}
	n.log("starting etcd: %s", how)
	if err := n.writeEnv(state); err != nil {
		return err
	}
	return n.startUnit(etcdUnit)(ctx)
}

// recordStart binds the journal to this cluster and keeps how the member came to it, and that this instance has one. What
// the journal said of another cluster is over, but for what this node remembers of this one.
func (n *machine) recordStart(how start) error {
	token := n.cfg.EtcdToken()
	if now := n.journal.Get(); now.StartedAs(token) && now.MemoryOf(token).Has(n.self.Name, n.instance) {
		return nil
	}
	return n.journal.Update(func(j *journal.Journal) { begin(j, token, n.self.Name, n.instance, how) })
}

// begin takes the start of an instance's member into its journal.
func begin(j *journal.Journal, token, name, instance string, how start) {
	if j.Token != "" && j.Token != token {
		*j = journal.Journal{Version: j.Version, Memory: j.Memory}
	}
	if j.Started == "" {
		j.Started = string(how)
	}
	j.Token, j.Memory = token, j.MemoryOf(token)
	j.Memory.AddStarted(name, instance)
}

func (n *machine) envFor(state string) []byte {
	return fmt.Appendf(nil, "ETCD_INITIAL_CLUSTER_STATE=%s\nETCD_INITIAL_CLUSTER_TOKEN=%s\n", state, n.cfg.EtcdToken())
}

// writeEnv writes what etcd is started with; more stands for what the unit says otherwise.
func (n *machine) writeEnv(state string, more ...string) error {
	if err := n.write(etcdEnv, append(n.envFor(state), strings.Join(more, "")...), 0o644); err != nil {
		return fmt.Errorf("writing etcd's environment: %w", err)
	}
	return nil
}
