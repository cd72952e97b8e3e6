package main

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/spf13/cobra"

	"slipway/cluster"
	"slipway/cluster/ignition"
	"slipway/ova/vsphere"
)

type vsphereDeployOptions struct {
	*vsphereOptions
	askOptions
	configURL      string
	dryRun, noWait bool
	timeout        time.Duration
}

func newVSphereDeployCmd(s streams, shared *vsphereOptions) *cobra.Command {
	o := vsphereDeployOptions{vsphereOptions: shared}
	cmd := &cobra.Command{
		Use:   "deploy",
		Short: "Make the nodes' machines and switch them on",
		Long: `Clones a machine a node from the template, gives it its size, network and config, checks by reading it back that vCenter took
all of that over, and switches it on. Control planes are kept on different hosts by a rule. When a node answers at its
peer API its config is removed from vCenter again, and that is checked as well.

Run it again whenever you like: it does what is missing and says what there is nothing to do about. A machine that has
taken its config is never changed; where it differs from the spec is said. Machines of other makers are left alone, and
one with a name that a node needs stops everything before anything is done.

` + vsphereHelp + `

` + exitCodeHelp,
		Example: "  slipway vsphere deploy -f cluster.yaml\n  slipway vsphere deploy --dry-run\n  slipway vsphere deploy --config-url https://configs.example.org/demo",
		Args:    noArgs,
		RunE:    func(cmd *cobra.Command, _ []string) error { return runVSphereDeploy(cmd.Context(), s, o) },
	}
	o.clusterOptions.addFlags(cmd)
	f := cmd.Flags()
	f.StringArrayVar(&o.addresses, "address", nil, "NODE=HOST:PORT of a node's peer API when it is not the spec's; may be repeated")
	f.StringVar(&o.configURL, "config-url", "", "where you serve the files of slipway ignition: machines get a pointer to BASE/<node>.ign with its SHA-256")
	f.BoolVar(&o.dryRun, "dry-run", false, "print the plan and stop")
	f.BoolVar(&o.noWait, "no-wait", false, "do not wait for the nodes: their configs stay in vCenter until the next run")
	f.DurationVar(&o.timeout, "timeout", 10*time.Minute, "how long to wait for each node")
	return cmd
}

func runVSphereDeploy(ctx context.Context, s streams, o vsphereDeployOptions) error {
	if o.timeout <= 0 {
		return usageError{fmt.Errorf("reading --timeout: %s is no time to wait", o.timeout)}
	}
	want, err := o.wanted(s, !o.dryRun)
	if err != nil {
		return err
	}
	var hooks vsphere.Hooks
	if !o.noWait {
		nodes, err := o.targets()
		if err != nil {
			return err
		}
		hooks.Wait = reportIn(s, nodes, o.timeout)
	}
	hooks.Did = func(a vsphere.Action) { fmt.Fprintln(s.out, did(a)) }
	return o.withVCenter(ctx, s, func(c *vsphere.Client) error {
		have, err := c.Observe(ctx, want)
		if err != nil {
			return err
		}
		p, err := vsphere.NewPlan(want, have)
		if err != nil {
			return err
		}
		if o.noWait {
			p = p.WithoutWaiting()
		}
		if o.dryRun {
			fmt.Fprint(s.out, p)
			return nil
		}
		if err := c.Deploy(ctx, want, have, p, hooks); err != nil {
			return fmt.Errorf("%w\nhint: run it again to go on from here", err)
		}
		if !p.Changes() {
			fmt.Fprintln(s.out, "nothing was changed")
		}
		return nil
	})
}

// wanted is the cluster with its nodes' configs. Certificates that were issued for it are kept if that is said.
func (o vsphereDeployOptions) wanted(s streams, keep bool) (vsphere.Cluster, error) {
	loaded, err := cluster.Load(o.spec)
	if err != nil {
		return vsphere.Cluster{}, err
	}
	p, dir, err := o.openPKI()
	if err != nil {
		return vsphere.Cluster{}, err
	}
	defer dir.Close()
	for _, w := range loaded.Warnings {
		fmt.Fprint(s.err, w)
	}
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
		pair, err := guestinfo(want.Nodes[i].Name, ign, o.configURL)
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
		vsphere.Wait: "reported in", vsphere.Scrub: "its config is removed from vCenter", vsphere.Keep: "nothing to do", vsphere.Differs: "left as it is, but it differs", vsphere.Leave: "left",
		vsphere.Unspread: "rule removed", vsphere.PowerOff: "switched off", vsphere.Delete: "deleted",
	}[a.Do]
	if a.Detail != "" && a.Do != vsphere.Keep && a.Do != vsphere.Wait && a.Do != vsphere.Tag && a.Do != vsphere.Delete {
		text += ": " + a.Detail
	}
	return a.On + ": " + text
}

// reportIn waits for a node until it answers, and tells meanwhile how it is doing. The time is for all together, from
// the first on; everyone is asked at least once.
func reportIn(s streams, nodes []target, timeout time.Duration) func(context.Context, string) error {
	told := map[string]string{}
	var until time.Time
	return func(parent context.Context, name string) error {
		i := slices.IndexFunc(nodes, func(n target) bool { return n.name == name })
		if i < 0 {
			return fmt.Errorf("there is no node %q to ask", name)
		}
		if until.IsZero() {
			until = time.Now().Add(timeout)
		}
		for {
			replies := askAll(parent, nodes[i:i+1])
			if err := parent.Err(); err != nil {
				return err
			}
			tell(s, replies, told)
			switch {
			case replies[0].Error == "":
				return nil
			case !time.Now().Before(until):
				return fmt.Errorf("it did not report in within %s: %s", timeout, told[name])
			}
			select {
			case <-parent.Done():
			case <-time.After(min(waitPause, time.Until(until))):
			}
		}
	}
}
