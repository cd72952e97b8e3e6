package main

import (
	"bytes"
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"io/fs"
	"regexp"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/spf13/cobra"
	"golang.org/x/tools/txtar"

	"slipway/cluster"
	"slipway/cluster/ignition"
)

func newRenderCmd(s streams) *cobra.Command {
	var o clusterOptions
	cmd := &cobra.Command{
		Use:   "render [NODE]",
		Short: "Show every file and unit that a node will have",
		Long: `Prints what the node will get: first what its Ignition config writes on first boot, then what slipwayd renders at every
boot from the node's contract (files, systemd units, cluster objects). Each entry is headed by its kind, path, mode and owner.
Private keys are never shown; certificates are shown as what they say. Nothing is written. The only node of a spec need not
be named.

` + exitCodeHelp,
		Example: "  slipway render -f cluster.yaml cp1",
		Args:    atMostOneNode,
		RunE: func(_ *cobra.Command, args []string) error {
			return runRender(s, o, strings.Join(args, ""))
		},
	}
	o.addFlags(cmd)
	return cmd
}

func runRender(s streams, o clusterOptions, node string) error {
	loaded, err := s.load(o.spec)
	if err != nil {
		return err
	}
	if node, err = pickNode(loaded.Spec, node); err != nil {
		return err
	}
	p, dir, err := o.openPKI()
	if err != nil {
		return err
	}
	defer dir.Close()
	nodes, _, err := ignition.Nodes(loaded, p, false)
	if err != nil {
		return err
	}
	for _, n := range nodes {
		if n.Config.Node != node {
			continue
		}
		listing, err := listNode(n)
		if err != nil {
			return err
		}
		_, err = s.out.Write(listing)
		return err
	}
	return fmt.Errorf("rendering %q: the spec has no such node", node)
}

// atMostOneNode is the rule of verbs about a single node.
func atMostOneNode(_ *cobra.Command, args []string) error {
	if len(args) > 1 {
		return usageError{fmt.Errorf("choosing a node: more than one is named: %s", strings.Join(args, " "))}
	}
	return nil
}

// pickNode checks the node's name, or finds the only one.
func pickNode(spec *cluster.Spec, name string) (string, error) {
	var all []string
	for _, n := range spec.Nodes {
		if n.Name == name {
			return name, nil
		}
		all = append(all, n.Name)
	}
	if name == "" && len(all) == 1 {
		return all[0], nil
	}
	if name == "" {
		return "", usageError{fmt.Errorf("choosing a node: the spec has %d\nhint: name one of %s", len(all), strings.Join(all, ", "))}
	}
	return "", usageError{fmt.Errorf("choosing a node: %q is not in the spec, which has: %s", name, strings.Join(all, ", "))}
}

// listNode is the whole node as a txtar archive.
func listNode(n ignition.Node) ([]byte, error) {
	entries, err := ignition.Decode(n.Ignition)
	if err != nil {
		return nil, err
	}
	a := txtar.Archive{Comment: fmt.Appendf(nil, "Node %s. Of Ignition, on first boot: \"ignition\"; of slipwayd, at every boot: \"slipwayd\".\n", n.Config.Node)}
	add := func(content []byte, words ...string) {
		a.Files = append(a.Files, txtar.File{Name: strings.TrimSpace(strings.Join(words, " ")), Data: readable(content)})
	}
	for _, e := range entries {
		add(e.Content, "ignition", e.Kind, e.Path, modeOf(e.Kind, fs.FileMode(e.Mode)), e.Owner, e.Note)
	}
	for _, f := range n.Roles.Files {
		add(f.Content, "slipwayd", "file", f.Path, modeOf("file", f.Mode), "root:root")
	}
	for _, u := range n.Roles.Units {
		add(u.Content, "slipwayd", "unit", "/run/systemd/system/"+u.Name, "0644", "root:root")
	}
	for _, obj := range n.Roles.Objects {
		add(obj.Content, "slipwayd", "object", obj.Path)
	}
	return txtar.Format(&a), nil
}

// modeOf prints permission bits for what has them.
func modeOf(kind string, m fs.FileMode) string {
	if kind != "file" && kind != "directory" {
		return "-"
	}
	return fmt.Sprintf("%04o", m)
}

// Secrets that may stand in a file: PEM blocks, and kubeconfig's keys.
var (
	pemBlock  = regexp.MustCompile(`(?s)-----BEGIN ([A-Z0-9 ]+)-----.*?-----END [A-Z0-9 ]+-----`)
	inlineKey = regexp.MustCompile(`(client-key-data:|AGE-SECRET-KEY-)\s*\S+`)
)

// readable makes content fit for eyes: no private keys, certificates in words, no binary.
func readable(content []byte) []byte {
	if !utf8.Valid(content) || bytes.ContainsRune(content, 0) {
		return fmt.Appendf(nil, "(%d bytes, not text)\n", len(content))
	}
	content = pemBlock.ReplaceAllFunc(content, func(block []byte) []byte {
		p, _ := pem.Decode(block)
		switch {
		case strings.Contains(string(pemBlock.FindSubmatch(block)[1]), "PRIVATE KEY"):
			return []byte("(private key, not shown)")
		case p == nil || p.Type != "CERTIFICATE":
			return block
		}
		c, err := x509.ParseCertificate(p.Bytes)
		if err != nil {
			return block
		}
		return describeCert(c)
	})
	content = inlineKey.ReplaceAll(content, []byte("$1 (private key, not shown)"))
	return content
}

// describeCert says what a certificate says.
func describeCert(c *x509.Certificate) []byte {
	usages := []string{}
	if c.IsCA {
		usages = append(usages, "CA")
	}
	for _, u := range c.ExtKeyUsage {
		switch u {
		case x509.ExtKeyUsageServerAuth:
			usages = append(usages, "server")
		case x509.ExtKeyUsageClientAuth:
			usages = append(usages, "client")
		}
	}
	names := append([]string(nil), c.DNSNames...)
	for _, ip := range c.IPAddresses {
		names = append(names, ip.String())
	}
	text := fmt.Appendf(nil, "certificate %s\n  issuer %s\n  for %s\n", c.Subject, c.Issuer, strings.Join(usages, ", "))
	if len(names) > 0 {
		text = fmt.Appendf(text, "  names %s\n", strings.Join(names, ", "))
	}
	return fmt.Appendf(text, "  valid %s to %s", c.NotBefore.Format(time.RFC3339), c.NotAfter.Format(time.RFC3339))
}
