package main

import (
	"errors"
	"fmt"
	"net"
	"net/url"
	"path/filepath"
	"strconv"

	"github.com/spf13/cobra"
)

func newKubeconfigCmd(s streams) *cobra.Command {
	var o clusterOptions
	var out, server, machines string
	cmd := &cobra.Command{
		Use:   "kubeconfig",
		Short: "Write an administrator's kubeconfig",
		Long: `Writes a kubeconfig for the cluster's API at its VIP, its load balancer or its only control plane. It makes whoever holds
it an administrator (group system:masters).

` + exitCodeHelp,
		Example: "  slipway kubeconfig -f cluster.yaml -o kubeconfig && kubectl --kubeconfig kubeconfig get nodes",
		Args:    noArgs,
		RunE:    func(*cobra.Command, []string) error { return runKubeconfig(s, o, out, server, machines) },
	}
	o.addFlags(cmd)
	cmd.Flags().StringVarP(&out, "output", "o", "-", "the file to write, mode 0600; - for standard output")
	cmd.Flags().StringVar(&server, "server", "", "URL of the API, for example behind a port forward")
	cmd.Flags().StringVar(&machines, "qemu", "", qemuFlagHelp)
	return cmd
}

func runKubeconfig(s streams, o clusterOptions, out, server, machines string) error {
	if err := checkServer(server); err != nil {
		return err
	}
	if server != "" && machines != "" {
		return usageError{errors.New("reading the command line: --server and --qemu both say where the API is")}
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
	if err := p.Check(loaded.Spec.Cluster.ID); err != nil {
		return err
	}
	switch {
	case machines != "":
		if server, err = forwardedAPI(loaded.Spec, machines); err != nil {
			return err
		}
	case server == "":
		host, port := loaded.Spec.APIEndpoint()
		server = "https://" + net.JoinHostPort(host, strconv.Itoa(port))
	}
	text, err := p.Kubeconfig(loaded.Spec.Cluster.Name, server)
	if err != nil {
		return err
	}
	if out == "-" {
		_, err = s.out.Write(text)
		return err
	}
	if err := writeAll(filepath.Dir(out), []outFile{{name: filepath.Base(out), data: text}}); err != nil {
		return err
	}
	fmt.Fprintf(s.err, "%s: administrator of %q at %s\n", out, loaded.Spec.Cluster.Name, server)
	return nil
}

// checkServer refuses what cannot be the URL of an API server; nothing is fine.
func checkServer(server string) error {
	u, err := url.Parse(server)
	if server != "" && (err != nil || u.Scheme != "https" || u.Host == "") {
		return usageError{fmt.Errorf("reading --server: %q is not a URL like https://127.0.0.1:6443", server)}
	}
	return nil
}
