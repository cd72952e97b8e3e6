// Package status is the one document in which a node says how far its formation is: on the console, one line a change,
// and at the peer API.
//
// Start with Document and Reporter; Board collects what is no step's business, Lines keeps a stopped console from stopping
// the node. The package holds no secrets and does no I/O of its own: lines go to an io.Writer.
package status

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"
)

// Prefix starts every status line, so that a reader finds it among what else a console shows.
const Prefix = "slipway-status: "

// ScrubStep is the name of the step in which a node removes what is left of its config. What others hold of it, such as
// vCenter, is to be removed after that.
const ScrubStep = "scrub"

// NeedsNetwork says whether a step waits for pods that can run, and so for a pod network: with cni: none the user's own. The others
// are done without one.
func NeedsNetwork(step string) bool { return slices.Contains(networkSteps, step) }

// networkSteps are names of package firstboot's plan, whose test holds them to it.
var networkSteps = []string{"node-ready", "cluster"}

// State says how a node or a step is doing.
type State string

// The states. A node is Serving when all its steps are Done.
const (
	Pending State = "pending" // its turn has not come
	Working State = "working" // it is being done
	Waiting State = "waiting" // something else must come first; nothing is wrong
	Failed  State = "failed"  // the last try failed; there will be another
	Done    State = "done"
	Serving State = "serving"
)

// Step is one step of the formation.
type Step struct {
	Name  string `json:"name"`
	State State  `json:"state"`
}

// Document is a node's status. Step, State, WaitingFor and LastError speak of the first step that is not done.
type Document struct {
	Node       string    `json:"node"`
	Step       string    `json:"step"`
	State      State     `json:"state"`
	WaitingFor string    `json:"waitingFor,omitempty"`
	Since      time.Time `json:"since"` // when Step came to State
	LastError  string    `json:"lastError,omitempty"`
	NextRetry  time.Time `json:"nextRetry,omitzero"`
	Formed     bool      `json:"formed"`  // the cluster has formed once, as this node knows
	Serving    bool      `json:"serving"` // this node does all that it is there for
	Steps      []Step    `json:"steps,omitempty"`
	Notices    []Notice  `json:"notices,omitempty"`
}

// StepDone says whether the node has done a step, as it was when it last looked.
func (d Document) StepDone(name string) bool {
	return d.Serving || slices.Contains(d.Steps, Step{Name: name, State: Done})
}

// Line is the document as one console line, without the line end.
func (d Document) Line() (string, error) {
	data, err := json.Marshal(d)
	if err != nil {
		return "", fmt.Errorf("encoding status: %w", err)
	}
	return Prefix + string(data), nil
}

// ParseLine finds a status document in a console line; ok is false for any other line.
func ParseLine(line string) (d Document, ok bool) {
	_, text, found := strings.Cut(line, Prefix)
	if !found {
		return Document{}, false
	}
	err := json.NewDecoder(strings.NewReader(text)).Decode(&d)
	return d, err == nil && d.Node != ""
}

// same compares two documents without the times: a retry that changes nothing is no news.
func (d Document) same(o Document) bool {
	return d.Node == o.Node && d.Step == o.Step && d.State == o.State && d.WaitingFor == o.WaitingFor &&
		d.LastError == o.LastError && d.Formed == o.Formed && d.Serving == o.Serving && slices.Equal(d.Steps, o.Steps) && slices.Equal(d.Notices, o.Notices)
}
