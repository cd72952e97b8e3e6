package main

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"filippo.io/age"
	"github.com/spf13/cobra"

	"slipway/cluster/pki"
)

// clusterOptions are the flags of every verb that needs the spec and its secrets.
type clusterOptions struct {
	spec       string
	secrets    string
	identities []string
}

func (o *clusterOptions) addFlags(cmd *cobra.Command) { o.addFlagsAs(cmd, "f") }

// addFlagsAs adds them with another short name for --file, or none.
func (o *clusterOptions) addFlagsAs(cmd *cobra.Command, file string) {
	f := cmd.Flags()
	f.StringVarP(&o.spec, "file", file, "cluster.yaml", "the spec")
	f.StringVar(&o.secrets, "secrets", "", "folder of CAs, keys and certificates (default: secrets/ beside the spec)")
	f.StringArrayVar(&o.identities, "age-identity", nil, "age identity file that opens encrypted secrets; may be repeated")
}

// secretsDir is where the secrets lie.
func (o *clusterOptions) secretsDir() string {
	if o.secrets != "" {
		return o.secrets
	}
	return filepath.Join(filepath.Dir(o.spec), "secrets")
}

// readIdentities reads the age identity files.
func (o *clusterOptions) readIdentities() ([]age.Identity, error) {
	var all []age.Identity
	for _, name := range o.identities {
		f, err := os.Open(name)
		if err != nil {
			return nil, usageError{fmt.Errorf("opening the age identity: %w", err)}
		}
		ids, err := pki.ParseIdentities(f)
		f.Close()
		if err != nil {
			return nil, fmt.Errorf("%q: %w", name, err)
		}
		all = append(all, ids...)
	}
	return all, nil
}

// openPKI opens the secrets; the caller closes the folder.
func (o *clusterOptions) openPKI() (*pki.PKI, *pki.Dir, error) {
	ids, err := o.readIdentities()
	if err != nil {
		return nil, nil, err
	}
	dir, err := pki.OpenDir(o.secretsDir(), ids)
	if err != nil {
		return nil, nil, err
	}
	p, err := pki.Open(dir, time.Now())
	if err != nil {
		dir.Close()
		return nil, nil, err
	}
	return p, dir, nil
}

func newPKICmd(s streams) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "pki",
		Short: "The cluster's certificate authorities",
		Args:  noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return usageError{fmt.Errorf("pki: say what to do, see slipway pki --help")}
		},
	}
	cmd.AddCommand(newPKIInitCmd(s))
	return cmd
}

func newPKIInitCmd(s streams) *cobra.Command {
	var o clusterOptions
	var recipients []string
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "init",
		Short: "Make the cluster's CAs and keys",
		Long: `Makes the CAs, the signers of the controller manager, the service-account key and the operator's own certificates,
one of which vouches for nodes that join later, and keeps them in a folder that only you can read. What exists is never overwritten.

Keep the folder: whoever has it owns the cluster, and without it no node can be added or replaced.
With --age-recipient all private keys in it are encrypted; the verbs that need them take --age-identity.

` + exitCodeHelp,
		Example: "  slipway pki init -f cluster.yaml\n  slipway pki init -f cluster.yaml --age-recipient age1...",
		Args:    noArgs,
		RunE:    func(*cobra.Command, []string) error { return runPKIInit(s, o, recipients, asJSON) },
	}
	o.addFlags(cmd)
	cmd.Flags().StringArrayVar(&recipients, "age-recipient", nil, "encrypt the keys to this age recipient; may be repeated")
	cmd.Flags().BoolVar(&asJSON, "json", false, "print one line of JSON: what was made and what was kept")
	return cmd
}

// madePKI is what pki init did, for --json: names of files in the folder, without their endings.
type madePKI struct {
	Secrets string   `json:"secrets"`
	Created []string `json:"created"`
	Kept    []string `json:"kept"`
}

func runPKIInit(s streams, o clusterOptions, recipients []string, asJSON bool) error {
	loaded, err := s.load(o.spec)
	if err != nil {
		return err
	}
	ids, err := o.readIdentities()
	if err != nil {
		return err
	}
	dir, err := pki.CreateDir(o.secretsDir(), recipients, ids)
	if err != nil {
		return err
	}
	defer dir.Close()
	report, err := pki.Init(dir, loaded.Spec.Cluster.ID, time.Now())
	if len(report.Created) > 0 {
		fmt.Fprintf(s.err, "created in %s: %s\n", dir, strings.Join(report.Created, ", "))
	}
	if len(report.Kept) > 0 {
		fmt.Fprintf(s.err, "exists, kept: %s\n", strings.Join(report.Kept, ", "))
	}
	if asJSON {
		s.reports(madePKI{Secrets: o.secretsDir(), Created: append([]string{}, report.Created...), Kept: append([]string{}, report.Kept...)})
	}
	return err
}

// noArgs makes stray words a wrong command line.
func noArgs(cmd *cobra.Command, args []string) error {
	if err := cobra.NoArgs(cmd, args); err != nil {
		return usageError{err}
	}
	return nil
}
