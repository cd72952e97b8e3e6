// Package inside is what an operator sees of a node: its journal, the kernel's messages, its units, how its part of the
// cluster does, and all of that at once. It reads and never changes anything, and works in whatever state the node is.
//
// Start with Node. Programs of the image do the reading (journalctl, dmesg, systemctl, ip); their arguments are made here from
// queries that are checked against patterns, and no shell is between. Key material does not leave: what goes out is chosen by a list
// of what may, and every line passes a filter (redact.go) beside. Who may ask, how much and how often, is package peer's business.
package inside

import (
	"context"
	"errors"
	"io"
	"time"

	"slipway/firstboot/status"
)

// ErrQuery is a question that makes no sense, ErrMissing one for something that the node does not have.
var (
	ErrQuery   = errors.New("bad question")
	ErrMissing = errors.New("not on this node")
)

// Files reads the node's file system, by absolute path.
type Files interface {
	ReadFile(name string) ([]byte, error)
	Glob(pattern string) ([]string, error) // sorted
}

// Runner runs a program without a shell.
type Runner interface {
	Run(ctx context.Context, name string, args ...string) (string, error)
}

// Streamer is Runner for long answers.
type Streamer interface {
	Stream(ctx context.Context, to io.Writer, name string, args ...string) error // its standard output, as it comes
}

// Node is the node that is looked into.
type Node struct {
	Files   Files
	Run     Runner
	Streams Streamer
	Now     func() time.Time
	Units   []string // that Slipway starts, sorted
	Status  func() status.Document
	Probe   func(context.Context) Health
	Ready   func(context.Context) (string, error) // /readyz?verbose of the own API server; nil without one
}

// Stream writes an answer that may be long, until its end or the context's.
type Stream func(ctx context.Context, to io.Writer) error

// Health is how the node's part of the cluster does now.
func (n *Node) Health(ctx context.Context) Health { return n.Probe(ctx) }
