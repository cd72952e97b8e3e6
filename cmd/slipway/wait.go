package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"slipway/cluster"
	"slipway/firstboot/inside"
	"slipway/node"
)

// waitOptions are the flags of wait.
type waitOptions struct {
	askOptions
	level   string
	timeout time.Duration
	json    bool
}

func newWaitCmd(s streams) *cobra.Command {
	var o waitOptions
	cmd := &cobra.Command{
		Use:   "wait [NODE...]",
		Short: "Wait until the cluster, or a part of it, serves",
		Long: `Goes through a list of checks, of all nodes of the spec or of those named, until each is passed, and tells at which it is and whom
it waits for whenever that changes. --for says how far to go:

` + levelHelp() + `

` + askHelp + `

Exits with 0 when the last check is passed, with 1 when the time is up, and says what was still waited for; with 2 for a wrong command
line, with 130 when it was interrupted.

` + exitCodeHelp,
		Example: "  slipway wait -f cluster.yaml --timeout 10m\n  slipway wait --for etcd\n  slipway wait --for formed && kubectl apply -f network.yaml && slipway wait",
		RunE: func(cmd *cobra.Command, args []string) error {
			o.nodes = args
			return runWait(cmd.Context(), s, o)
		},
	}
	o.addFlags(cmd)
	cmd.Flags().StringVar(&o.level, "for", string(forCluster), "how far: "+strings.Join(levelNames(), ", "))
	cmd.Flags().DurationVar(&o.timeout, "timeout", 10*time.Minute, "how long to wait")
	cmd.Flags().BoolVar(&o.json, "json", false, "print one line of JSON at the end: a list of status documents")
	return cmd
}

// waitPause is the least time between two questions.
const waitPause = time.Second

// pause grows with how long nodes took to answer, so that nobody who waits is what a slow machine is busy with: an emulated one takes
// seconds for an answer. It is five times the least, so that a node that is off, and runs into a time limit,
// delays nothing for long.
func pause(least, took time.Duration) time.Duration { return max(least, min(4*took, 5*least)) }

func runWait(parent context.Context, s streams, o waitOptions) error {
	if o.timeout <= 0 {
		return usageError{fmt.Errorf("reading --timeout: %s is no time to wait", o.timeout)}
	}
	checks, err := checksFor(level(o.level))
	if err != nil {
		return err
	}
	loaded, err := s.load(o.spec)
	if err != nil {
		return err
	}
	nodes, err := o.targetsOf(loaded.Spec)
	if err != nil {
		return err
	}
	if nodes = concerned(nodes, level(o.level)); len(nodes) == 0 {
		return usageError{fmt.Errorf("choosing nodes: none of those named has a part in --for %s", o.level)}
	}
	ctx, cancel := context.WithTimeout(parent, o.timeout)
	defer cancel()
	w := &waiter{s: s, spec: loaded.Spec, checks: checks, all: len(o.nodes) == 0}
	for {
		asked := time.Now()
		replies := w.ask(ctx, nodes, asked)
		took := time.Since(asked)
		passed := w.tell(replies)
		if parent.Err() != nil {
			return parent.Err()
		}
		if passed && o.json {
			s.reports(replies)
		}
		if passed {
			return nil
		}
		select {
		case <-ctx.Done():
			if parent.Err() != nil {
				return parent.Err()
			}
			return w.timeUp(o)
		case <-time.After(pause(waitPause, took)):
		}
	}
}

// concerned are the nodes that the checks of a level look at.
func concerned(nodes []target, l level) []target {
	if l != forEtcd && l != forAPI {
		return nodes
	}
	return slices.DeleteFunc(nodes, func(n target) bool {
		etcd := slices.Contains(n.roles, cluster.RoleEtcd)
		api := slices.Contains(n.roles, cluster.RoleControlPlane) || slices.Contains(n.roles, cluster.RoleLB)
		return !etcd && (l == forEtcd || !api)
	})
}

// waiter tells how far the checks are.
type waiter struct {
	s      streams
	spec   *cluster.Spec
	checks []check
	all    bool // no node was left out

	healths map[string]*inside.Health // as they were last told
	looked  time.Time                 // ... and when
	took    time.Duration             // ... and how long that took

	done    int       // checks that were passed when they were last told of
	at      string    // the check that is waited at
	missing []waitFor // ... and for whom
	told    string
}

// lookPause is how old what a node told of its health may be, at least: it costs an etcd node some 60 ms of a core, while the cluster forms.
const lookPause = 5 * time.Second

// ask asks all nodes for their status, and for their health when it is old, or when there is nothing left to wait for but by that.
func (w *waiter) ask(ctx context.Context, nodes []target, now time.Time) []reply {
	replies := askAll(ctx, nodes)
	if now.Sub(w.looked) < pause(lookPause, w.took) && w.first(replies) < len(w.checks) {
		for i, r := range replies {
			if r.Error == "" {
				replies[i].Health = w.healths[r.Node]
			}
		}
		return replies
	}
	began := time.Now()
	replies = lookAll(ctx, nodes)
	w.took = time.Since(began)
	w.looked, w.healths = now, map[string]*inside.Health{}
	for _, r := range replies {
		w.healths[r.Node] = r.Health
	}
	return replies
}

// first is the number of the first check that is not passed.
func (w *waiter) first(replies []reply) int {
	i := slices.IndexFunc(w.checks, func(c check) bool { return len(c.missing(seen{replies, w.spec, w.all})) > 0 })
	if i < 0 {
		return len(w.checks)
	}
	return i
}

// tell looks whether the checks are passed, prints what has changed since it last did, and says whether all of them are. An answer
// that was cut off by the end of the wait is no news.
func (w *waiter) tell(replies []reply) bool {
	if w.at != "" && slices.ContainsFunc(replies, func(r reply) bool { return r.cutOff }) {
		return false
	}
	first := w.first(replies)
	for _, c := range w.checks[min(w.done, first):first] {
		fmt.Fprintf(w.s.err, "%s: yes\n", c.name)
	}
	w.done = first
	if first == len(w.checks) {
		return true
	}
	c := w.checks[first]
	w.at, w.missing = c.name, c.missing(seen{replies, w.spec, w.all})
	if news := fmt.Sprintf("%s: waiting for %s", c.name, brief(w.missing)); news != w.told {
		w.told = news
		fmt.Fprintln(w.s.err, news)
	}
	return false
}

// mostTold is how many nodes a line names.
const mostTold = 3

// brief is whom is waited for, on one line.
func brief(missing []waitFor) string {
	var parts []string
	for _, m := range missing[:min(mostTold, len(missing))] {
		parts = append(parts, fmt.Sprintf("%s (%s)", m.who, m.why))
	}
	if more := len(missing) - mostTold; more > 0 {
		parts = append(parts, fmt.Sprintf("and %d more", more))
	}
	return strings.Join(parts, ", ")
}

func (w *waiter) timeUp(o waitOptions) error {
	text := fmt.Sprintf("waiting for the cluster: after %s it is still not so that %s", o.timeout, w.at)
	for _, m := range w.missing {
		text += "\n" + m.who + ": " + m.why
	}
	if w.spec.Network.CNI == node.CNINone && (o.level == string(forNodes) || o.level == string(forCluster)) {
		text += "\nhint: the spec says cni: none, and nodes become Ready once they have a pod network of yours; --for formed does not wait for it"
	}
	return errors.New(text)
}
