package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"strconv"
	"time"

	"github.com/spf13/cobra"

	"slipway/cluster"
	"slipway/ova/vsphere"
)

// vsphereOptions are the flags of all `slipway vsphere` verbs.
type vsphereOptions struct {
	thumbprint string
	quiet      bool
	json       bool
}

const vsphereHelp = `Which vCenter, and as whom, is said by the variables of govc: GOVC_URL, GOVC_USERNAME and GOVC_PASSWORD. Its certificate is
verified by the system's CAs, by those in GOVC_TLS_CA_CERTS, or must be the very one of --thumbprint; GOVC_INSECURE=1
switches that off, with a warning at every run.`

func newVSphereCmd(s streams) *cobra.Command {
	var o vsphereOptions
	cmd := &cobra.Command{
		Use:   "vsphere",
		Short: "Run the cluster's nodes as virtual machines on a vCenter",
		Long: `Imports the OVA as a template, clones a machine a node from it, and hands each its config. Where machines live and how
large they are is said under vsphere in the spec.

` + vsphereHelp,
		Example: `  slipway vsphere import out/demo.ova
  slipway vsphere deploy
  slipway vsphere status
  slipway vsphere destroy --yes`,
		Args: noArgs,
		RunE: func(*cobra.Command, []string) error {
			return usageError{errors.New("vsphere: say what to do, see slipway vsphere --help")}
		},
	}
	f := cmd.PersistentFlags()
	f.StringVar(&o.thumbprint, "thumbprint", "", "SHA-256 of vCenter's certificate, to trust this one only")
	f.BoolVarP(&o.quiet, "quiet", "q", false, "errors only")
	f.BoolVar(&o.json, "json", false, "print one line of JSON instead: what was done, what --dry-run would do, or a list of machines")
	for _, verb := range []func(streams, *vsphereOptions) *cobra.Command{newVSphereImportCmd, newVSphereDeployCmd, newVSphereStatusCmd, newVSphereDestroyCmd} {
		cmd.AddCommand(verb(s, &o))
	}
	return cmd
}

// taskPause is the time between two looks at a task of vCenter's.
const taskPause = 500 * time.Millisecond

// endpoint reads the environment. Nothing of it is ever printed but the host and the user.
func (o vsphereOptions) endpoint(s streams, getenv func(string) string) (vsphere.Endpoint, error) {
	address := getenv("GOVC_URL")
	if address == "" {
		return vsphere.Endpoint{}, usageError{errors.New("looking for vCenter: GOVC_URL is not set\nhint: set GOVC_URL, GOVC_USERNAME and GOVC_PASSWORD, as for govc")}
	}
	e, err := vsphere.NewEndpoint(address, getenv("GOVC_USERNAME"), getenv("GOVC_PASSWORD"))
	if err != nil {
		return e, usageError{fmt.Errorf("reading GOVC_URL: %w", err)}
	}
	if e.User == "" || e.Password == "" {
		return e, usageError{errors.New("looking for vCenter: there is no user or no password\nhint: set GOVC_USERNAME and GOVC_PASSWORD")}
	}
	if text := getenv("GOVC_INSECURE"); text != "" {
		if e.Insecure, err = strconv.ParseBool(text); err != nil {
			return e, usageError{fmt.Errorf("reading GOVC_INSECURE: %q is neither true nor false", text)}
		}
	}
	e.CAFiles, e.Thumbprint = getenv("GOVC_TLS_CA_CERTS"), o.thumbprint
	switch {
	case e.Insecure && e.Thumbprint != "":
		return e, usageError{errors.New("--thumbprint and GOVC_INSECURE contradict each other")}
	case e.Insecure:
		fmt.Fprintf(s.err, "slipway: warning: GOVC_INSECURE is set: anybody on the way can be %s and read password and configs\n", e.URL.Host)
	case e.URL.Scheme == "http":
		return e, usageError{errors.New("reading GOVC_URL: http would send the password for all to read\nhint: use https")}
	}
	return e, nil
}

// withVCenter logs in, does the work and logs out.
func (o vsphereOptions) withVCenter(ctx context.Context, s streams, work func(*vsphere.Client) error) error {
	e, err := o.endpoint(s, os.Getenv)
	if err != nil {
		return err
	}
	c, err := vsphere.Connect(ctx, e, vsphere.Options{
		Pause: taskPause, Progress: newProgress(s, o.quiet, time.Now),
		Warn: func(words string) { fmt.Fprintf(s.err, "slipway: warning: %s\n", words) },
	})
	if err != nil {
		return err
	}
	return errors.Join(work(c), c.Close(ctx))
}

// vsphereCluster is what the spec wants of vCenter, without the nodes' configs.
func vsphereCluster(spec *cluster.Spec) vsphere.Cluster {
	w := vsphere.Cluster{ID: spec.Cluster.ID, Place: vspherePlace(spec), Template: spec.VSphere.Template, SecureBoot: spec.VSphere.SecureBoot, Linked: spec.VSphere.LinkedClones}
	for _, n := range spec.Nodes {
		m := spec.MachineOf(n)
		node := vsphere.Node{
			Name: n.Name, VM: spec.Cluster.Name + "-" + n.Name, CPUs: m.CPUs, MemoryMiB: int64(m.Memory / cluster.MiB), Disk: int64(m.Disk),
			Network: m.Network, Spread: n.Has(cluster.RoleControlPlane),
		}
		if mac, err := net.ParseMAC(n.Interface.MAC); err == nil {
			node.MAC = mac.String()
		}
		w.Nodes = append(w.Nodes, node)
	}
	return w
}

// checkNames refuses machines that vCenter would not take.
func checkNames(w vsphere.Cluster) error {
	const most = 80
	for _, n := range w.Nodes {
		if len(n.VM) > most {
			return usageError{fmt.Errorf("naming the machine of %q: %q has %d characters, and vCenter takes %d\nhint: shorten the name of the cluster or of the node", n.Name, n.VM, len(n.VM), most)}
		}
	}
	return nil
}

func vspherePlace(spec *cluster.Spec) vsphere.Place {
	v := spec.VSphere
	return vsphere.Place{Datacenter: v.Datacenter, Cluster: v.Cluster, Pool: v.Pool, Folder: v.Folder, Datastore: v.Datastore}
}
