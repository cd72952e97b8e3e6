package main

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"slipway/cluster"
	"slipway/cluster/ignition"
)

// replaceOptions are the flags of replace.
type replaceOptions struct {
	askOptions
	out     string
	newKeys bool
	force   bool
}

func newReplaceCmd(s streams) *cobra.Command {
	var o replaceOptions
	cmd := &cobra.Command{
		Use:   "replace [NODE]",
		Short: "Write the config for a machine that takes a node's place",
		Long: `Writes OUT/<cluster>.<node>.ign for a blank machine, or the old one wiped, that is to be this node from now on: the same name, address
and roles. Switch the old machine off, give the new one the config, switch it on: it takes over the Node object, and an etcd member is
removed and joined by the nodes themselves.

An etcd node is only replaced while the other members that are healthy are a quorum without it: both others of three, any three of the
other four of five. They are asked first. --force leaves that out, and is the only way to replace the only member, whose data is lost.

With --new-keys the machine gets other keys, and its entry a higher serial: the old one, should it be switched on again, is turned away
by name. That is for nodes that are workers alone: the keys of all others stand in every node's config.

` + askHelp + `

` + exitCodeHelp,
		Example: "  slipway replace -f cluster.yaml cp2 -o out/\n  slipway replace w3 --new-keys",
		Args:    atMostOneNode,
		RunE: func(cmd *cobra.Command, args []string) error {
			return runReplace(cmd.Context(), s, o, strings.Join(args, ""))
		},
	}
	o.addFlags(cmd)
	f := cmd.Flags()
	f.StringVarP(&o.out, "output", "o", "out", "the folder to write to")
	f.BoolVar(&o.newKeys, "new-keys", false, "give the machine other keys than the old one had")
	f.BoolVar(&o.force, "force", false, "do not ask whether the other etcd members can do without it")
	return cmd
}

func runReplace(ctx context.Context, s streams, o replaceOptions, name string) error {
	loaded, err := s.load(o.spec)
	if err != nil {
		return err
	}
	if name, err = pickNode(loaded.Spec, name); err != nil {
		return err
	}
	n, _ := loaded.Spec.Node(name)
	if o.newKeys && !slices.Equal(n.Roles, []cluster.Role{cluster.RoleWorker}) {
		return usageError{fmt.Errorf("replacing %q: its key stands in the config of every node, so it cannot get another\nhint: leave --new-keys out: the machine then has the keys that the old one had", name)}
	}
	if n.Has(cluster.RoleEtcd) && !o.force {
		if err := o.dispensable(ctx, loaded.Spec, name); err != nil {
			return err
		}
	}
	file, err := o.write(loaded, name)
	if err != nil {
		return err
	}
	fmt.Fprintf(s.err, "%s: switch the machine that is %s now off, and a blank one on with this config\n", filepath.Join(o.out, file), name)
	return nil
}

// dispensable says why the etcd cluster cannot do without a node, by the rule that the node itself will go by (ADR 34).
func (o replaceOptions) dispensable(ctx context.Context, spec *cluster.Spec, name string) error {
	o.nodes = nil
	for _, n := range spec.NodesWith(cluster.RoleEtcd) {
		if n.Name != name {
			o.nodes = append(o.nodes, n.Name)
		}
	}
	if len(o.nodes) == 0 {
		return fmt.Errorf("replacing %q: it is the only etcd member: what the cluster knows would be lost with its disk\nhint: if that is so already, --force and a higher cluster.epoch make a new cluster", name)
	}
	others, err := o.targetsOf(spec)
	if err != nil {
		return err
	}
	missing := of(cluster.RoleEtcd, etcdTrouble)(seen{replies: lookAll(ctx, others), spec: spec})
	if err := ctx.Err(); err != nil {
		return err
	}
	if members := len(others) + 1; len(others)-len(missing) > members/2 {
		return nil
	}
	var errs []error
	for _, m := range missing {
		errs = append(errs, fmt.Errorf("replacing %q: the etcd member %s is not healthy, and is needed meanwhile: %s", name, m.who, m.why))
	}
	if len(errs) > 0 {
		errs = append(errs, errors.New("hint: bring the others back first; --force writes the config all the same, and the machine will wait for them"))
	}
	return errors.Join(errs...)
}

// write issues what the machine needs, and puts its config into the output folder.
func (o replaceOptions) write(loaded *cluster.Loaded, name string) (file string, err error) {
	p, dir, err := o.openPKI()
	if err != nil {
		return "", err
	}
	defer dir.Close()
	if o.newKeys {
		p.NewKeys(name)
	}
	n, set, err := ignition.One(loaded, p, name)
	if err != nil {
		return "", err
	}
	f := outFile{name: ignition.FileName(n.Config.Cluster.Name, name), size: len(n.Ignition), packed: n.Encoded}
	if err := inTheWay(o.out, []outFile{f}); err != nil { // before anything is written
		return "", err
	}
	if err := set.Save(); err != nil {
		return "", err
	}
	return f.name, writeAll(o.out, []outFile{f})
}
