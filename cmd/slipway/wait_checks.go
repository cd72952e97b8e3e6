package main

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"slipway/cluster"
	"slipway/firstboot/inside"
	"slipway/firstboot/status"
)

// level is how far wait goes; each has the checks of those before it.
type level string

const (
	forEtcd    level = "etcd"
	forAPI     level = "api"
	forFormed  level = "formed"
	forNodes   level = "nodes"
	forCluster level = "cluster"
)

// levels in their order, with what is so when they are reached.
var levels = []struct {
	level level
	means string
}{
	{forEtcd, "etcd's members are those of the spec, healthy, and have a vote"},
	{forAPI, "every API server is ready, and the VIP, if there is one, has one holder"},
	{forFormed, "every node did all that it can without a pod network: for cni: none"},
	{forNodes, "Kubernetes' nodes are Ready"},
	{forCluster, "every node serves, and so does the cluster's DNS (the default)"},
}

func levelNames() []string {
	var names []string
	for _, l := range levels {
		names = append(names, string(l.level))
	}
	return names
}

// levelHelp lists the levels for people.
func levelHelp() string {
	var rows []string
	for _, l := range levels {
		rows = append(rows, fmt.Sprintf("  %-8s %s", l.level, l.means))
	}
	return strings.Join(rows, "\n")
}

// check is one that wait has to pass.
type check struct {
	level   level
	name    string // a sentence that is so when it is passed
	missing func(seen) []waitFor
}

// seen is what the nodes said, and what they should.
type seen struct {
	replies []reply
	spec    *cluster.Spec
	all     bool // no node was left out
}

// waitFor is a node, or several, and what keeps them.
type waitFor struct{ who, why string }

// checks are in the order in which a cluster comes up, so that the first that is not passed is the reason for the others.
var checks = []check{
	{forEtcd, "etcd nodes answer", answers(cluster.RoleEtcd)},
	{forEtcd, "etcd members are healthy", of(cluster.RoleEtcd, etcdTrouble)},
	{forEtcd, "etcd members know the same cluster", sameCluster},
	{forEtcd, "etcd members are the spec's, and have a vote", specMembers},
	{forAPI, "control planes answer", answers(cluster.RoleControlPlane)},
	{forAPI, "API servers are ready", of(cluster.RoleControlPlane, apiTrouble)},
	{forAPI, "load balancers answer", answers(cluster.RoleLB)},
	{forAPI, "the VIP has one holder", oneHolder},
	{forFormed, "all nodes answer", of("", func(r reply) string { return silence(r) })},
	{forFormed, "kubelets run", of(cluster.RoleWorker, step("kubelet"))},
	{forFormed, "controller managers and schedulers are ready", of(cluster.RoleControlPlane, step("controllers"))},
	{forFormed, "every step that needs no pod network is done", of("", unformed)},
	{forNodes, "Kubernetes' nodes are Ready", of(cluster.RoleWorker, step("node-ready"))},
	{forCluster, "all nodes serve", of("", unserving)},
}

// checksFor are those of a level and of the ones before it.
func checksFor(l level) ([]check, error) {
	rank := func(l level) int { return slices.Index(levelNames(), string(l)) }
	if rank(l) < 0 {
		return nil, usageError{fmt.Errorf("reading --for: %q is none of %s", l, strings.Join(levelNames(), ", "))}
	}
	return slices.DeleteFunc(slices.Clone(checks), func(c check) bool { return rank(c.level) > rank(l) }), nil
}

// of asks each node of a role, or every one, why not; empty if it is so.
func of(role cluster.Role, why func(reply) string) func(seen) []waitFor {
	return func(s seen) []waitFor {
		var missing []waitFor
		for _, r := range s.replies {
			if role != "" && !r.has(role) {
				continue
			}
			if text := why(r); text != "" {
				missing = append(missing, waitFor{r.Node, text})
			}
		}
		return missing
	}
}

func answers(role cluster.Role) func(seen) []waitFor { return of(role, silence) }

// silence is why a node did not answer.
func silence(r reply) string {
	if r.Error == "" {
		return ""
	}
	return describe(r)
}

// step asks for a step of the node's formation.
func step(name string) func(reply) string {
	return func(r reply) string {
		if r.StepDone(name) {
			return ""
		}
		return describe(r)
	}
}

// etcdTrouble is why a member is not healthy. A node that tells nothing of its health goes by its steps.
func etcdTrouble(r reply) string {
	if r.Health == nil || r.Health.Etcd == nil {
		return step("member")(r)
	}
	e := r.Health.Etcd
	if e.Healthy && len(e.Errors) == 0 {
		return ""
	}
	why := dash(strings.Join(append([]string{e.Trouble}, e.Errors...), "\n"))
	if r.State == status.Waiting { // it knows better whom it waits for
		why = describe(r)
	}
	return why
}

func apiTrouble(r reply) string {
	switch {
	case r.Health == nil || r.Health.API == nil:
		return step("apiserver")(r)
	case r.Health.API.Ready:
		return ""
	case r.State == status.Waiting:
		return describe(r)
	}
	return dash(r.Health.API.Trouble)
}

// members are those who told of their member.
func (s seen) members() []reply {
	return slices.DeleteFunc(slices.Clone(s.replies), func(r reply) bool { return r.Health == nil || r.Health.Etcd == nil || r.Health.Etcd.ID == "" })
}

// sameCluster wants one cluster id, and one list of members. A list that is being learned is another for a moment.
func sameCluster(s seen) []waitFor {
	all := s.members()
	var missing []waitFor
	for _, r := range all {
		first, e := all[0], r.Health.Etcd
		switch {
		case e.Cluster != first.Health.Etcd.Cluster:
			missing = append(missing, waitFor{r.Node, fmt.Sprintf("it is in etcd cluster %s, and %s is in %s", e.Cluster, first.Node, first.Health.Etcd.Cluster)})
		case !slices.Equal(e.Members, first.Health.Etcd.Members):
			missing = append(missing, waitFor{r.Node, fmt.Sprintf("it knows the members %s, and %s knows %s", memberNames(e.Members), first.Node, memberNames(first.Health.Etcd.Members))})
		}
	}
	return missing
}

// memberNames are the members' in a line.
func memberNames(members []inside.Member) string {
	var all []string
	for _, m := range members {
		name := cmp.Or(m.Name, m.ID)
		if m.Learner {
			name += " (learner)"
		}
		all = append(all, name)
	}
	return strings.Join(all, ", ")
}

// specMembers wants every etcd node of the spec in the list of members, and nobody else, each with a vote.
func specMembers(s seen) []waitFor {
	all := s.members()
	if len(all) == 0 {
		return nil
	}
	var missing []waitFor
	listed := all[0].Health.Etcd.Members
	for _, n := range s.spec.Nodes {
		if !slices.Contains(n.Roles, cluster.RoleEtcd) {
			continue
		}
		i := slices.IndexFunc(listed, func(m inside.Member) bool { return m.Name == n.Name })
		switch {
		case i < 0:
			missing = append(missing, waitFor{n.Name, "it is no member yet"})
		case listed[i].Learner:
			missing = append(missing, waitFor{n.Name, "it is a learner and gets its vote once it has the data"})
		}
	}
	for _, m := range listed {
		if !slices.ContainsFunc(s.spec.Nodes, func(n cluster.Node) bool { return n.Name == m.Name }) {
			missing = append(missing, waitFor{cmp.Or(m.Name, m.ID), "it is a member, and no node of the spec"})
		}
	}
	return missing
}

// oneHolder is for whoever asks all that could hold the VIP.
func oneHolder(s seen) []waitFor {
	var could, holders []string
	for _, r := range s.replies {
		if r.Health != nil && r.Health.VIP != nil {
			could = append(could, r.Node)
			if r.Health.VIP.Held {
				holders = append(holders, r.Node)
			}
		}
	}
	switch {
	case !s.all || len(could) == 0 || len(holders) == 1:
		return nil
	case len(holders) == 0:
		return []waitFor{{strings.Join(could, " or "), "one of them has to take it"}}
	}
	return []waitFor{{strings.Join(holders, " and "), "each of them holds it"}}
}

// unformed is what a node has not done although it needs no pod network.
func unformed(r reply) string {
	var left []string
	for _, s := range r.Steps {
		if !r.Serving && s.State != status.Done && !status.NeedsNetwork(s.Name) {
			left = append(left, s.Name)
		}
	}
	if r.Error == "" && (r.Serving || len(left) == 0 && len(r.Steps) > 0) {
		return ""
	}
	return cmp.Or(strings.Join(left, ", "), "start") + ": " + describe(r)
}

func unserving(r reply) string {
	if r.Serving {
		return ""
	}
	return describe(r)
}
