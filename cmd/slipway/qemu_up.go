package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"time"

	"github.com/spf13/cobra"

	"slipway/cluster"
	"slipway/qemu"
)

type qemuUpOptions struct {
	*qemuOptions
	fresh, noReboot, open bool
	vmware, json          bool
	cpus                  int
	memory, accel, image  string
	clock                 string
	ports                 qemu.Ports
}

func newQEMUUpCmd(s streams, shared *qemuOptions) *cobra.Command {
	o := qemuUpOptions{qemuOptions: shared}
	cmd := &cobra.Command{
		Use:   "up [NODE...]",
		Short: "Switch nodes on",
		Long: `Switches the named nodes on, or all. A node that runs is left alone; one that was stopped goes on with the disk
that it has, as after a power cut; one without a disk gets a new one on top of the image.

` + exitCodeHelp,
		Example: "  slipway qemu up\n  slipway qemu up --fresh n1",
		RunE: func(cmd *cobra.Command, args []string) error {
			return runQEMUUp(cmd.Context(), s, o, args)
		},
	}
	f := cmd.Flags()
	f.BoolVar(&o.fresh, "fresh", false, "start over with new disks")
	f.IntVar(&o.cpus, "cpus", 2, "virtual CPUs of each node")
	f.StringVar(&o.memory, "memory", "3GiB", "memory of each node")
	f.StringVar(&o.accel, "accel", string(qemu.Auto), "kvm, tcg, or auto: kvm if a probe shows that it works")
	f.BoolVar(&o.open, "open-network", false, "let nodes reach this computer and the world")
	f.BoolVar(&o.vmware, "vmware", false, "give nodes the disk controller and network card of VMware: pvscsi and vmxnet3")
	f.StringVar(&o.image, "image", "", "boot this raw, qcow2, VMDK or OVA file (default: the cluster's raw image)")
	f.BoolVar(&o.json, "json", false, "print one line of JSON: a list of what was done")
	f.BoolVar(&o.noReboot, "no-reboot", false, "a node that reboots is switched off instead")
	f.StringVar(&o.clock, "clock", "", "what the nodes' clocks show when they are switched on, like 2016-01-01T00:00:00Z: to see what a wrong one does")
	f.IntVar(&o.ports.API, "api-port", 0, "port of 127.0.0.1 for the API of the first node (default: a free one)")
	f.IntVar(&o.ports.Peer, "peer-port", 0, "port of 127.0.0.1 for the peer API of the first node (default: a free one)")
	return cmd
}

func runQEMUUp(ctx context.Context, s streams, o qemuUpOptions, nodes []string) error {
	opts, err := o.machine()
	if err != nil {
		return err
	}
	m, err := o.manager(s)
	if err != nil {
		return err
	}
	req := qemu.UpRequest{Options: opts, Nodes: nodes, Fresh: o.fresh,
		Fixed: map[string]qemu.Ports{m.Lab.Machines[0].Name: o.ports}}
	if req.Artefacts, err = o.artefacts(m.Lab); err != nil {
		return err
	}
	if o.image != "" || o.vmware {
		image := cmp.Or(o.image, req.Artefacts.Image)
		if req.Artefacts.Image, req.Artefacts.Inside, err = qemuImage(ctx, image); err != nil {
			return err
		}
	}
	if err := m.Check(req); err != nil {
		return err
	}
	tools, err := qemuTools()
	if err != nil {
		return err
	}
	probe := filepath.Join(filepath.Dir(m.Dir), "kvm.json")
	if req.Host, err = qemu.Inspect(ctx, tools, qemu.Accel(o.accel), probe); err != nil {
		return err
	}
	reports, err := m.Up(ctx, req)
	if o.json {
		reportDone(s, reports)
		return err
	}
	for _, r := range reports {
		fmt.Fprintf(s.out, "%s: %s (%s), API 127.0.0.1:%d, peer API 127.0.0.1:%d\n", r.Node, r.Did, r.Accel, r.Ports.API, r.Ports.Peer)
		if r.Note != "" {
			fmt.Fprintf(s.err, "slipway: note: node %q: %s\n", r.Node, r.Note)
		}
	}
	return err
}

// machine checks the flags about the virtual hardware.
func (o qemuUpOptions) machine() (qemu.Options, error) {
	memory, err := cluster.ParseSize(o.memory)
	if err != nil {
		return qemu.Options{}, usageError{fmt.Errorf("reading --memory: %w\nhint: a number with a unit, like 3GiB", err)}
	}
	if memory < cluster.GiB {
		return qemu.Options{}, usageError{fmt.Errorf("reading --memory: %q is not enough\nhint: a node needs at least 1GiB, with a control plane 3GiB", o.memory)}
	}
	if o.cpus < 1 {
		return qemu.Options{}, usageError{errors.New("reading --cpus: a node needs at least one")}
	}
	for _, p := range []int{o.ports.API, o.ports.Peer} {
		if p < 0 || p > 65535 {
			return qemu.Options{}, usageError{fmt.Errorf("reading ports: %d is not between 1 and 65535", p)}
		}
	}
	switch qemu.Accel(o.accel) {
	case qemu.Auto, qemu.KVM, qemu.TCG:
	default:
		return qemu.Options{}, usageError{fmt.Errorf("reading --accel: %q is none of auto, kvm, tcg", o.accel)}
	}
	clock, err := o.clockFrom()
	if err != nil {
		return qemu.Options{}, err
	}
	return qemu.Options{CPUs: o.cpus, MemoryMiB: int(memory / cluster.MiB), Open: o.open, NoReboot: o.noReboot, Clock: clock, VMware: o.vmware}, nil
}

// clockFrom is what --clock says, zero without it.
func (o qemuUpOptions) clockFrom() (time.Time, error) {
	if o.clock == "" {
		return time.Time{}, nil
	}
	t, err := time.Parse(time.RFC3339, o.clock)
	if err != nil {
		return time.Time{}, usageError{fmt.Errorf("reading --clock: %q is not a time\nhint: like 2016-01-01T00:00:00Z", o.clock)}
	}
	return t, nil
}
