//go:build fleet

package fleet_test

import (
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// status is a node's status document, as far as tests look at it.
type status struct {
	Node, Step, State, WaitingFor, LastError string
	Formed, Serving                          bool
	Steps                                    []struct{ Name, State string }
	Notices                                  []notice
}

type notice struct{ Kind, Name, Text string }

// Statuses is what all nodes that are on say over the network, and what keeps some from answering.
func (f *fleet) Statuses() ([]status, error) {
	var on []string
	for _, name := range f.order {
		if n := f.nodes[name]; n.init != 0 {
			n.mustBeOn(f.t)
			on = append(on, name)
		}
	}
	out, err := f.image.run(f.dir, f.image.slipway(), append([]string{"status", "-f", f.spec, "--json"}, on...)...)
	var all struct{ Nodes []status } // with an error it is a document
	var into any = &all
	if err == nil {
		into = &all.Nodes
	}
	return all.Nodes, errors.Join(err, json.Unmarshal([]byte(out), into))
}

// status is what one node says now.
func (f *fleet) status(name string) status {
	f.t.Helper()
	all, err := f.Statuses()
	for _, s := range all {
		if s.Node == name {
			return s
		}
	}
	f.fatalf("%s does not answer: %v", name, err)
	return status{}
}

// console are the statuses that a machine has written on its console since it was switched on last.
func (f *fleet) console(name string) []status {
	f.t.Helper()
	said, err := os.ReadFile(filepath.Join(f.node(name).dir, "console.log"))
	if err != nil {
		f.fatal(err)
	}
	text := string(said)
	var all []status
	for line := range strings.Lines(text[max(0, strings.LastIndex(text, powerOn)):]) {
		if _, doc, found := strings.Cut(line, "slipway-status: "); found {
			var s status
			if json.NewDecoder(strings.NewReader(doc)).Decode(&s) == nil {
				all = append(all, s)
			}
		}
	}
	return all
}

// under is the same fleet for a subtest.
func (f *fleet) under(t *testing.T) *fleet {
	g := *f
	g.t = t
	return &g
}
