package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"github.com/spf13/cobra"

	"slipway/cluster/ignition"
	"slipway/internal/durable"
)

func newIgnitionCmd(s streams) *cobra.Command {
	var o ignitionOptions
	cmd := &cobra.Command{
		Use:   "ignition",
		Short: "Write each node's Ignition config",
		Long: `Writes OUT/<cluster>.<node>.ign for every node: its contract, its certificates, name, network and time sources, and your
Butane snippets. The certificates are issued as needed and kept with the secrets, so the same spec gives the same files.

The files hold private keys (never those of the CAs): hand them to the machines and to nobody else.

With --format guestinfo it prints instead, as a line of JSON a node, the two values by which a VMware guest gets its
config. A config is at most 48 KiB, packed: serve larger ones yourself, to the nodes and nobody else, and say where with
--config-url. The values then point to BASE/<cluster>.<node>.ign, whose SHA-256 they hold, and the files are written as
well. A node knows its address from its config: until it has one it gets to BASE by DHCP alone, which --config-dhcp says
there is.

` + exitCodeHelp,
		Example: "  slipway ignition -f cluster.yaml -o out/\n  slipway ignition --format guestinfo | jq -r 'select(.node == \"n1\")[\"guestinfo.ignition.config.data\"]'",
		Args:    noArgs,
		RunE:    func(*cobra.Command, []string) error { return runIgnition(s, o) },
	}
	o.addFlags(cmd)
	f := cmd.Flags()
	f.StringVarP(&o.out, "output", "o", "out", "the folder to write to")
	f.StringVar(&o.format, "format", formatFiles, "files, or guestinfo")
	f.StringVar(&o.configURL, "config-url", "", "guestinfo: where you serve the files")
	f.BoolVar(&o.configDHCP, "config-dhcp", false, configDHCPHelp)
	f.BoolVar(&o.json, "json", false, "print one line of JSON: a list of configs, with --format guestinfo with their values")
	return cmd
}

// What `slipway ignition` makes.
const (
	formatFiles     = "files"
	formatGuestinfo = "guestinfo"
)

type ignitionOptions struct {
	clusterOptions
	out, format, configURL string
	configDHCP, json       bool
}

// check refuses flags that do not go together.
func (o ignitionOptions) check() error {
	if o.format != formatFiles && o.format != formatGuestinfo {
		return usageError{fmt.Errorf("reading --format: %q is none of %s, %s", o.format, formatFiles, formatGuestinfo)}
	}
	if o.configURL != "" && o.format != formatGuestinfo {
		return usageError{errors.New("--config-url goes with --format guestinfo")}
	}
	return checkConfigURL(o.configURL, o.configDHCP)
}

func runIgnition(s streams, o ignitionOptions) error {
	if err := o.check(); err != nil {
		return err
	}
	loaded, err := s.load(o.spec)
	if err != nil {
		return err
	}
	p, dir, err := o.openPKI()
	if err != nil {
		return err
	}
	defer dir.Close()
	var configs []nodeConfig
	var files []outFile
	set, err := ignition.Each(loaded, p, o.configURL != "", func(n ignition.Node) error {
		c, err := o.config(n)
		configs = append(configs, c)
		files = append(files, outFile{name: ignition.FileName(n.Config.Cluster.Name, n.Config.Node), size: len(n.Ignition), packed: n.Encoded})
		return err
	})
	if err != nil {
		return err
	}
	if o.format == formatGuestinfo {
		warnPlain(s, o.configURL)
	}
	if o.toFiles() {
		if err := inTheWay(o.out, files); err != nil { // before anything is written
			return err
		}
	}
	if err := set.Save(); err != nil {
		return err
	}
	if o.toFiles() {
		if err := o.write(s, files); err != nil {
			return err
		}
	}
	return o.print(s, configs)
}

// toFiles says whether files are written.
func (o ignitionOptions) toFiles() bool { return o.format == formatFiles || o.configURL != "" }

// config is what is told of a node's config.
func (o ignitionOptions) config(n ignition.Node) (nodeConfig, error) {
	c := nodeConfig{Node: n.Config.Node}
	if o.format == formatGuestinfo {
		pair, err := guestinfo(n.Config.Cluster.Name, n.Config.Node, n.Ignition, o.configURL)
		if err != nil {
			return c, err
		}
		c.Guestinfo = &pair
	}
	if o.json {
		c.Size, c.Encoded = len(n.Ignition), len(n.Encoded)
	}
	if o.json && o.toFiles() {
		c.File = filepath.Join(o.out, ignition.FileName(n.Config.Cluster.Name, n.Config.Node))
	}
	return c, nil
}

// print prints a line of each config that has values, or with --json one document.
func (o ignitionOptions) print(s streams, all []nodeConfig) error {
	if o.json {
		s.reports(all)
		return nil
	}
	if o.format != formatGuestinfo {
		return nil
	}
	for _, c := range all {
		if err := json.NewEncoder(s.out).Encode(c); err != nil {
			return fmt.Errorf("printing configs: %w", err)
		}
	}
	return nil
}

// write puts the files into the output folder, and says how large they are.
func (o ignitionOptions) write(s streams, files []outFile) error {
	if err := writeAll(o.out, files); err != nil {
		return err
	}
	for _, f := range files {
		fmt.Fprintf(s.err, "%s: %d bytes, %s as gzip+base64\n", filepath.Join(o.out, f.name), f.size, o.share(len(f.packed)))
	}
	return nil
}

// share says how much of the limit a config takes; served by URL it has none.
func (o ignitionOptions) share(encoded int) string {
	if o.configURL != "" {
		return fmt.Sprint(encoded)
	}
	return fmt.Sprintf("%d of at most %d", encoded, ignition.Limit)
}

// outFile is a file that a verb writes: its data, or a config of that size as it is handed over, which takes less memory.
type outFile struct {
	name   string
	data   []byte
	size   int
	packed []byte
}

// fill writes the file's bytes.
func (f outFile) fill(w io.Writer) error {
	data := f.data
	if f.packed != nil {
		var err error
		if data, err = ignition.Unpack(f.packed); err != nil {
			return err
		}
	}
	_, err := w.Write(data)
	return err
}

// writeAll puts files into dir, readable by the user alone: all of them or none.
func writeAll(dir string, files []outFile) error {
	if err := inTheWay(dir, files); err != nil {
		return err
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return fmt.Errorf("making the output folder: %w", err)
	}
	var all []durable.File
	for _, f := range files {
		all = append(all, durable.File{Name: f.name, Mode: 0o600, Fill: f.fill})
	}
	if err := durable.WriteAll(dir, all); err != nil {
		return fmt.Errorf("writing to %q: %w", dir, err)
	}
	return nil
}

// inTheWay refuses an output folder that is none, and files whose names others have.
func inTheWay(dir string, files []outFile) error {
	if info, err := os.Stat(dir); err == nil && !info.IsDir() {
		return usageError{fmt.Errorf("writing to %q: it is no folder", dir)}
	}
	for _, f := range files {
		if info, err := os.Stat(filepath.Join(dir, f.name)); err == nil && !info.Mode().IsRegular() {
			return usageError{fmt.Errorf("writing %q: %q is in the way and no file", f.name, filepath.Join(dir, f.name))}
		}
	}
	return nil
}
