package main

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/spf13/cobra"

	"slipway/cluster"
	"slipway/cluster/ignition"
	"slipway/firstboot/status"
	"slipway/ova/vsphere"
)

type vsphereDeployOptions struct {
	*vsphereOptions
	askOptions
	configURL      string
	configDHCP     bool
	replace        []string
	dryRun, noWait bool
	timeout        time.Duration
	parallel       int
}

func newVSphereDeployCmd(s streams, shared *vsphereOptions) *cobra.Command {
	o := vsphereDeployOptions{vsphereOptions: shared}
	cmd := &cobra.Command{
		Use:   "deploy",
		Short: "Make the nodes' machines and switch them on",
		Long: `Clones a machine a node from the template, gives it its size, network and config, checks by reading it back that vCenter took
all of that over, and switches it on. Control planes are kept on different hosts by a rule. When a node says at its peer
API that it has scrubbed what it held of its config (step "scrub"), the config is removed from vCenter as well, and that
is checked.

Run it again whenever you like: it does what is missing and says what there is nothing to do about. A machine that was ever
started is never changed and never gets a config again; where it differs from the spec is said. --replace NODE deletes
its machine with its disks, and makes another; nodes with etcd one at a time, so that the others keep the data. Machines of other makers are left alone, and
one with a name that a node needs stops everything before anything is done. What fails before a machine was switched on, or is
interrupted, takes back what it made, and says so; --json lists it as "take back" only.

` + vsphereHelp + `

` + exitCodeHelp,
		Example: "  slipway vsphere deploy -f cluster.yaml\n  slipway vsphere deploy --dry-run\n  slipway vsphere deploy --replace n3\n  slipway vsphere deploy --config-url https://configs.example.org/demo --config-dhcp",
		Args:    noArgs,
		RunE:    func(cmd *cobra.Command, _ []string) error { return runVSphereDeploy(cmd.Context(), s, o) },
	}
	o.clusterOptions.addFlags(cmd)
	f := cmd.Flags()
	f.StringArrayVar(&o.addresses, "address", nil, "NODE=HOST:PORT of a node's peer API when it is not the spec's; may be repeated")
	f.StringVar(&o.configURL, "config-url", "", "where you serve the files of slipway ignition: machines get a pointer to BASE/<cluster>.<node>.ign with its SHA-256")
	f.BoolVar(&o.configDHCP, "config-dhcp", false, configDHCPHelp)
	f.StringArrayVar(&o.replace, "replace", nil, "delete the machine of this node with its disks, and make another; may be repeated")
	f.BoolVar(&o.dryRun, "dry-run", false, "print the plan and stop")
	f.BoolVar(&o.noWait, "no-wait", false, "do not wait for the nodes: their configs stay in vCenter until the next run")
	f.DurationVar(&o.timeout, "timeout", 10*time.Minute, "how long to wait for each node; all are waited for at once")
	f.IntVar(&o.parallel, "parallel", 4, "how many machines to make at a time")
	return cmd
}

func runVSphereDeploy(ctx context.Context, s streams, o vsphereDeployOptions) error {
	if o.timeout <= 0 {
		return usageError{fmt.Errorf("reading --timeout: %s is no time to wait", o.timeout)}
	}
	if err := o.checkReplace(s); err != nil {
		return err
	}
	if o.parallel < 1 {
		return usageError{fmt.Errorf("reading --parallel: %d machines at a time are none", o.parallel)}
	}
	if err := checkConfigURL(o.configURL, o.configDHCP); err != nil {
		return err
	}
	want, err := o.wanted(s, !o.dryRun)
	if err != nil {
		return err
	}
	hooks := vsphere.Hooks{Parallel: o.parallel}
	if !o.noWait {
		nodes, err := o.targets(s)
		if err != nil {
			return err
		}
		hooks.Wait = scrubbed(s, nodes, o.timeout)
	}
	return o.withVCenter(ctx, s, func(c *vsphere.Client) error {
		have, err := c.Observe(ctx, want)
		if err != nil {
			return err
		}
		p, err := vsphere.NewPlan(want, have, o.replace...)
		if err != nil {
			return err
		}
		if o.noWait {
			p = p.WithoutWaiting()
		}
		err = o.carryOut(s, p, o.dryRun, func(told func(vsphere.Action)) error {
			hooks.Did = told
			if err := c.Deploy(ctx, want, have, p, hooks); err != nil {
				return fmt.Errorf("%w\nhint: run it again to go on from here", err)
			}
			return nil
		})
		if err == nil && !p.Changes() && !o.dryRun && !o.json {
			fmt.Fprintln(s.out, "nothing was changed")
		}
		return err
	})
}

// checkReplace refuses nodes that do not exist, and to delete more of etcd's data than the other members give back.
func (o vsphereDeployOptions) checkReplace(s streams) error {
	if len(o.replace) == 0 {
		return nil
	}
	loaded, err := s.load(o.spec)
	if err != nil {
		return err
	}
	for _, name := range o.replace {
		if _, err := pickNode(loaded.Spec, name); err != nil {
			return err
		}
	}
	var chosen, left []string
	for _, n := range loaded.Spec.Nodes {
		switch {
		case !n.Has(cluster.RoleEtcd):
		case slices.Contains(o.replace, n.Name):
			chosen = append(chosen, n.Name)
		default:
			left = append(left, n.Name)
		}
	}
	switch {
	case len(chosen) > 1:
		return usageError{fmt.Errorf("reading --replace: %s would lose their etcd data at once\nhint: one after the other: slipway wait tells when the next may follow", strings.Join(chosen, ", "))}
	case len(chosen) == 1 && len(left) == 0:
		return usageError{fmt.Errorf("reading --replace: %s has the only copy of etcd's data\nhint: to lose it and begin anew: slipway vsphere destroy --yes %s && slipway vsphere deploy", chosen[0], chosen[0])}
	}
	return nil
}

// wanted is the cluster with its nodes' configs. Certificates that were issued for it are kept if that is said.
func (o vsphereDeployOptions) wanted(s streams, keep bool) (vsphere.Cluster, error) {
	loaded, err := s.load(o.spec)
	if err != nil {
		return vsphere.Cluster{}, err
	}
	p, dir, err := o.openPKI()
	if err != nil {
		return vsphere.Cluster{}, err
	}
	defer dir.Close()
	nodes, set, err := ignition.Nodes(loaded, p, o.configURL != "")
	if err != nil {
		return vsphere.Cluster{}, err
	}
	want := vsphereCluster(loaded.Spec)
	if err := checkNames(want); err != nil {
		return want, err
	}
	for i := range want.Nodes { // both are in the spec's order
		ign := nodes[i].Ignition
		pair, err := guestinfo(loaded.Spec.Cluster.Name, want.Nodes[i].Name, ign, o.configURL)
		if err != nil {
			return vsphere.Cluster{}, err
		}
		want.Nodes[i].Guestinfo = vsphere.Guestinfo{Data: pair.Data, Encoding: pair.Encoding, Digest: vsphere.Digest(ign)}
	}
	warnPlain(s, o.configURL)
	if keep {
		err = set.Save()
	}
	return want, err
}

// did says in a line what an action came to.
func did(a vsphere.Action) string {
	text := map[vsphere.Verb]string{
		vsphere.Clone: "cloned", vsphere.Adjust: "adjusted", vsphere.Tag: "tagged", vsphere.Spread: "rule written", vsphere.PowerOn: "switched on",
		vsphere.Mark: "marked", vsphere.Wait: "scrubbed by the node itself", vsphere.Scrub: "its config is removed from vCenter", vsphere.Keep: "nothing to do", vsphere.Differs: "left as it is, but it differs", vsphere.Leave: "left",
		vsphere.Unspread: "rule removed", vsphere.PowerOff: "switched off", vsphere.Delete: "deleted", vsphere.TakeBack: "taken back",
	}[a.Do]
	if a.Detail != "" && a.Do != vsphere.Keep && a.Do != vsphere.Wait && a.Do != vsphere.Tag && a.Do != vsphere.Delete {
		text += ": " + a.Detail
	}
	return a.On + ": " + text
}

// scrubbed waits for a node until it says that its scrub step is done, and tells meanwhile how it is doing. It may wait
// for several at once; each has its own time, and is asked at least once.
func scrubbed(s streams, nodes []target, timeout time.Duration) func(context.Context, string) error {
	told := map[string]string{}
	var telling sync.Mutex
	news := func(replies []reply) string {
		telling.Lock()
		defer telling.Unlock()
		tell(replies, told, describe, func(node, news string) { fmt.Fprintf(s.err, "%s: %s\n", node, news) })
		return told[replies[0].Node]
	}
	return func(ctx context.Context, name string) error {
		i := slices.IndexFunc(nodes, func(n target) bool { return n.name == name })
		if i < 0 {
			return fmt.Errorf("there is no node %q to ask", name)
		}
		until := time.Now().Add(timeout)
		for {
			replies := askAll(ctx, nodes[i:i+1])
			if err := ctx.Err(); err != nil {
				return err
			}
			last := news(replies)
			switch {
			case replies[0].Error == "" && replies[0].StepDone(status.ScrubStep):
				return nil
			case !time.Now().Before(until):
				return fmt.Errorf("it has not scrubbed its config within %s: %s", timeout, last)
			}
			select {
			case <-ctx.Done():
			case <-time.After(min(waitPause, time.Until(until))):
			}
		}
	}
}
