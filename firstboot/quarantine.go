package firstboot

import (
	"context"
	"errors"
	"fmt"
	"path"
	"slices"
	"strconv"
	"strings"

	"slipway/firstboot/journal"
)

const (
	etcdDir       = "/var/lib/etcd"
	asideName     = etcdDir + ".quarantine-" // a number follows
	mostAside     = 2                        // as much room as the member itself takes, each
	startsToTrust = 3                        // starts that fail alike before they are believed
)

// damage is how etcd says that its data is of no use, in its log (etcd v3.5 to v3.7; tried with logs, databases and snapshots
// that were cut, overwritten and removed). That it waits for others is never among it, nor that it differs from another member:
// etcd cannot know which of them is wrong, so that is for a person to decide.
var damage = []struct{ said, means string }{
	{"permanently removed from the cluster", "the member was removed from the cluster"},
	{"crc mismatch", "its log is damaged"},
	{"cannot use none as id", "its log is empty"},
	{"cannot be repaired", "its log is damaged"},
	{"Was the raft log corrupted, truncated, or lost?", "its log has lost its end"}, // the leader knows of entries that this member had
	{"invalid database", "its database is damaged"},
	{"Page expected to be", "its database is damaged"},
	{"invalid freelist page", "its database is damaged"},
	{"already freed", "its database is damaged"},
	{"checksum error", "its database is damaged"},
	{"unexpected fault address", "its database is cut off"},
	{"failed to find database snapshot file", "its database is missing"},
}

// diagnose finds in etcd's log what is wrong with its data; empty for anything else.
func diagnose(log string) string {
	for _, d := range damage {
		if strings.Contains(log, d.said) {
			return d.means
		}
	}
	return ""
}

// observeFailing is for an etcd that does not stay up. One that has no data yet may have been started with what has changed
// since: it is stopped and decided upon again. If its data is what is wrong, the cluster has it still: it is put aside and
// fetched anew. Without a healthy cluster it is left as it is, for somebody who knows what can be saved.
func (n *machine) observeFailing(ctx context.Context, failing error) (Finding, error) {
	log, err := n.lastStart(ctx)
	if err != nil || log == "" {
		return Finding{}, failing
	}
	if data, err := n.hasData(); err == nil && !data {
		return NeedTo(failing.Error(), func(ctx context.Context) error { return errors.Join(n.stopEtcd(ctx), failing) }), nil
	}
	why := diagnose(log)
	if why == "" {
		return Finding{}, failing
	}
	if r := n.callRoll(ctx, false); !r.healthy(n.inRoll(r)) {
		return Finding{}, fmt.Errorf("etcd cannot use its data: %s. No healthy cluster has it: %s\nhint: bring the other members back, or restore this one's disk; raise cluster.epoch on every node to give the data up", why, n.unhealthy(r))
	}
	return NeedTo("etcd's data to be put aside: "+why, func(ctx context.Context) error { return n.giveUp(ctx, why) }), nil
}

func (n *machine) unhealthy(r roll) string {
	if r.Quorum {
		return r.ill(n.inRoll(r))
	}
	return r.trouble()
}

// inRoll is the id that this node has in the list, or 0.
func (n *machine) inRoll(r roll) uint64 {
	for _, m := range r.Members {
		if slices.Contains(m.PeerURLs, peerURL(n.self)) {
			return m.ID
		}
	}
	return 0
}

// lastStart is the log of etcd's last start, once it has failed often enough.
func (n *machine) lastStart(ctx context.Context) (string, error) {
	out, err := n.Run.Run(ctx, systemctl, "show", "--property=NRestarts,InvocationID", etcdUnit)
	if err != nil {
		return "", err
	}
	props := properties(out)
	if starts, err := strconv.Atoi(props["NRestarts"]); err != nil || starts < startsToTrust || props["InvocationID"] == "" {
		return "", err
	}
	return n.Run.Run(ctx, "journalctl", "--quiet", "--no-pager", "--output=cat", "--lines=2000", "_SYSTEMD_INVOCATION_ID="+props["InvocationID"])
}

func (n *machine) stopEtcd(ctx context.Context) error {
	return n.change(ctx, "stop", etcdUnit)
}

// giveUp stops etcd and puts its data aside. The journal knows before that this member is no more.
func (n *machine) giveUp(ctx context.Context, why string) error {
	if err := n.stopEtcd(ctx); err != nil {
		return err
	}
	err := n.journal.Update(func(j *journal.Journal) { j.Token, j.Gone, j.Joining = n.cfg.EtcdToken(), why, "" })
	if err != nil {
		return err
	}
	n.log("putting etcd's data aside: %s", why)
	return n.putAside(ctx)
}

// putAside moves what is left of a member's data out of the way, if there is any, and keeps the newest of what was moved before.
func (n *machine) putAside(ctx context.Context) error {
	there, err := n.exists(path.Join(etcdDir, "member"))
	if err != nil || !there {
		return err
	}
	aside, err := n.aside()
	if err != nil {
		return err
	}
	number := 1
	if len(aside) > 0 {
		number = aside[len(aside)-1] + 1
	}
	for len(aside) >= mostAside {
		if _, err := n.Run.Run(ctx, "rm", "-rf", "--", asideName+strconv.Itoa(aside[0])); err != nil {
			return fmt.Errorf("removing etcd's data of an earlier time: %w", err)
		}
		aside = aside[1:]
	}
	if err := n.FS.Rename(etcdDir, asideName+strconv.Itoa(number)); err != nil {
		return fmt.Errorf("putting etcd's data aside: %w", err)
	}
	return nil
}

// aside lists the numbers of what was put aside, in order.
func (n *machine) aside() ([]int, error) {
	names, err := n.FS.Glob(asideName + "*")
	if err != nil {
		return nil, err
	}
	var numbers []int
	for _, name := range names {
		if i, err := strconv.Atoi(strings.TrimPrefix(name, asideName)); err == nil {
			numbers = append(numbers, i)
		}
	}
	slices.Sort(numbers)
	return numbers, nil
}
