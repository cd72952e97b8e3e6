package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/spf13/cobra"

	"slipway/internal/durable"
)

// bundleEnding is a bundle's format.
const bundleEnding = ".tar.zst"

func newSupportCmd(s streams) *cobra.Command {
	var o askOptions
	var out string
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "support [NODE...]",
		Short: "Collect what helps to find out what is wrong, without secrets",
		Long: `Writes a bundle (tar, zstd) of what each node, or each one named, tells about itself: status, health of etcd, API server, VIP and
certificates, /readyz of the API server, units, the journals of Slipway's units, the kernel's messages, configs, cards and
routes. A node that does not answer is named in the bundle and here, and the bundle is made without it.

What goes in is chosen by a list of what may: no key, kubeconfig or token is on it, nor what your own units and pods log; and every
line passes a filter for key material beside. The file is made for you alone (mode 0600) and appears whole or not at all. Read
docs/looking-inside.md before you give it away: names and addresses are in it.

` + lookHelp + `

Exits with 1 when no node answers; the bundle then says why.

` + exitCodeHelp,
		Example: "  slipway support -o bundle.tar.zst\n  slipway support cp1 cp2 -o bundle.tar.zst",
		RunE: func(cmd *cobra.Command, args []string) error {
			o.nodes = args
			return runSupport(cmd.Context(), s, o, out, asJSON)
		},
	}
	o.addFlags(cmd)
	cmd.Flags().StringVarP(&out, "output", "o", "support"+bundleEnding, "the file to write")
	cmd.Flags().BoolVar(&asJSON, "json", false, "print one line of JSON: the file, and how each node answered")
	return cmd
}

// bundleReport is summary.json in the bundle, and what --json prints.
type bundleReport struct {
	File    string       `json:"file"`
	Cluster string       `json:"cluster"`
	Made    time.Time    `json:"made"`
	Slipway string       `json:"slipway"` // version
	Nodes   []bundleNode `json:"nodes"`
}

// bundleNode is one node's part.
type bundleNode struct {
	Node  string `json:"node"`
	Files int    `json:"files"`
	Error string `json:"error,omitempty"` // why there is nothing, or not everything
}

// bundleTime bounds the asking of one node, and atOnce how many are asked at a time.
const (
	bundleTime = 3 * time.Minute
	atOnce     = 8
)

func runSupport(ctx context.Context, s streams, o askOptions, out string, asJSON bool) error {
	if err := checkBundle(out); err != nil {
		return err
	}
	loaded, err := s.load(o.spec)
	if err != nil {
		return err
	}
	nodes, err := o.targetsOf(loaded.Spec)
	if err != nil {
		return err
	}
	report := bundleReport{File: filepath.Base(out), Cluster: loaded.Spec.Cluster.ID, Made: time.Now().UTC().Truncate(time.Second), Slipway: buildVersion()}
	err = durable.Fill(out, 0o600, func(f *os.File) error {
		b, err := newBundle(f, report.Made)
		if err != nil {
			return err
		}
		report.Nodes = b.collect(ctx, s, nodes)
		if err := ctx.Err(); err != nil {
			return err
		}
		return b.finish(report)
	})
	if err != nil {
		return fmt.Errorf("writing %q: %w", out, err)
	}
	if asJSON {
		s.reports(report)
	}
	if !slices.ContainsFunc(report.Nodes, func(n bundleNode) bool { return n.Files > 0 }) {
		return fmt.Errorf("asking nodes: no answer from any of %d; %s says why", len(nodes), out)
	}
	fmt.Fprintf(s.err, "%s: written\n", out)
	return nil
}

// checkBundle refuses a file that cannot be a bundle.
func checkBundle(out string) error {
	if !strings.HasSuffix(out, bundleEnding) {
		return usageError{fmt.Errorf("reading --output: a bundle is a *%s file, and %q is none", bundleEnding, out)}
	}
	if info, err := os.Stat(filepath.Dir(out)); err != nil || !info.IsDir() {
		return usageError{fmt.Errorf("reading --output: there is no folder %q", filepath.Dir(out))}
	}
	return nil
}

// collect asks all nodes, some at a time, and tells of each how it went.
func (b *bundle) collect(ctx context.Context, s streams, nodes []target) []bundleNode {
	parts := make([]bundleNode, len(nodes))
	places := make(chan struct{}, atOnce)
	var wait sync.WaitGroup
	for i, n := range nodes {
		wait.Go(func() {
			places <- struct{}{}
			defer func() { <-places }()
			parts[i] = b.ask(ctx, n)
		})
	}
	wait.Wait()
	for _, p := range parts {
		if ctx.Err() == nil && p.Error != "" {
			fmt.Fprintf(s.err, "%s: %s\n", p.Node, dash(p.Error))
		}
	}
	return parts
}

// ask adds what one node gives.
func (b *bundle) ask(parent context.Context, n target) bundleNode {
	ctx, cancel := context.WithTimeout(parent, bundleTime)
	defer cancel()
	p := bundleNode{Node: n.name}
	var err error
	if p.Files, err = b.receive(ctx, n); err != nil {
		if errors.Is(err, context.DeadlineExceeded) {
			err = fmt.Errorf("%w, after %s", err, bundleTime)
		}
		p.Error = err.Error()
	}
	return p
}
