package main

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"

	"github.com/spf13/cobra"

	"slipway/cluster"
	"slipway/cluster/ignition"
	"slipway/qemu"
)

// qemuOptions are the flags of all `slipway qemu` verbs.
type qemuOptions struct {
	spec string
	out  string
}

func newQEMUCmd(s streams) *cobra.Command {
	var o qemuOptions
	cmd := &cobra.Command{
		Use:   "qemu",
		Short: "Run the cluster's nodes as virtual machines on this computer",
		Long: `Runs the nodes of a spec in QEMU: no root needed, nothing leaves this computer. The image and the nodes' configs
must be in the output folder already (slipway build, slipway ignition).

The API and the peer API of each node are forwarded to free ports of 127.0.0.1: slipway qemu status shows them.
KVM is used only if a probe shows that it really runs a guest; else QEMU >= 10 emulates the machine.`,
		Example: `  slipway qemu up
  slipway qemu console --follow
  slipway qemu down`,
		Args: noArgs,
		RunE: func(*cobra.Command, []string) error {
			return usageError{errors.New("qemu: say what to do, see slipway qemu --help")}
		},
	}
	cmd.PersistentFlags().StringVarP(&o.spec, "file", "f", "cluster.yaml", "the spec")
	cmd.PersistentFlags().StringVarP(&o.out, "output", "o", "out", "the folder with the image and the nodes' configs; machines are kept in its qemu/")
	for _, verb := range []func(streams, *qemuOptions) *cobra.Command{newQEMUUpCmd, newQEMUDownCmd, newQEMUStatusCmd, newQEMUConsoleCmd, newQEMUSwitchCmd} {
		cmd.AddCommand(verb(s, &o))
	}
	return cmd
}

// manager reads the spec and finds the cluster's folder.
func (o qemuOptions) manager(s streams) (qemu.Manager, error) {
	loaded, err := s.load(o.spec)
	if err != nil {
		return qemu.Manager{}, err
	}
	return o.managerOf(loaded.Spec)
}

// managerOf is manager for who has read the spec.
func (o qemuOptions) managerOf(spec *cluster.Spec) (qemu.Manager, error) {
	lab, err := qemu.FromSpec(spec)
	if err != nil {
		return qemu.Manager{}, err
	}
	dir, err := o.dir()
	return qemu.Manager{Dir: filepath.Join(dir, lab.Cluster), Lab: lab}, err
}

// dir is where all clusters' machines are kept.
func (o qemuOptions) dir() (string, error) {
	out, err := filepath.Abs(o.out)
	if err != nil {
		return "", fmt.Errorf("finding the output folder: %w", err)
	}
	return filepath.Join(out, "qemu"), nil
}

// artefacts names what `slipway build` and `slipway ignition` leave in the output folder.
func (o qemuOptions) artefacts(lab qemu.Lab) (qemu.Artefacts, error) {
	out, err := filepath.Abs(o.out)
	if err != nil {
		return qemu.Artefacts{}, fmt.Errorf("finding the output folder: %w", err)
	}
	art := qemu.Artefacts{Image: filepath.Join(out, lab.Cluster+".raw"), Ignition: map[string]string{}}
	for _, m := range lab.Machines {
		art.Ignition[m.Name] = filepath.Join(out, ignition.FileName(lab.Cluster, m.Name))
	}
	return art, nil
}

// qemuTools finds the programs on the search path; one that is missing stays empty and is reported by qemu.Inspect.
// The switch is a verb of this program.
func qemuTools() (qemu.Tools, error) {
	self, err := os.Executable()
	if err != nil {
		return qemu.Tools{}, fmt.Errorf("looking for the switch: %w", err)
	}
	t := qemu.Tools{Switch: []string{self, "qemu", "switch"}}
	t.QEMU, _ = exec.LookPath(qemu.ToolQEMU)
	t.Img, _ = exec.LookPath(qemu.ToolImg)
	return t, nil
}

// oneNode is the node that the user means: the named one, or the only one.
func oneNode(m qemu.Manager, args []string) (string, error) {
	switch {
	case len(args) > 1:
		return "", usageError{errors.New("choosing a node: more than one is named")}
	case len(args) == 1:
		return args[0], nil
	}
	if len(m.Lab.Machines) == 1 {
		return m.Lab.Machines[0].Name, nil
	}
	return "", usageError{fmt.Errorf("choosing a node: the spec has %d\nhint: name one", len(m.Lab.Machines))}
}
