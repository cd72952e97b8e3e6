package peer

import (
	"fmt"
	"maps"
	"regexp"
	"slices"

	"slipway/node"
)

// Testimony is what one node tells another that it knows of their cluster. Each exchange carries one either way.
type Testimony struct {
	Instance string              `json:"instance"`          // of who speaks; empty for the operator
	Started  map[string][]string `json:"started,omitempty"` // etcd node -> its instances known to have started a member; the speaker's own among them
	Formed   bool                `json:"formed"`            // the cluster of this id and epoch is known to have formed: it had a quorum, or its API has served
}

// Bounds of a testimony. More members than mostNodes etcd does not carry, and nobody remembers more than a few instances
// (package journal).
const (
	mostNodes     = 32
	mostInstances = 8
	maxTestimony  = 32 << 10 // bytes as JSON
)

var instanceShape = regexp.MustCompile(`^[0-9a-f]{32}$`)

// IsInstance says whether a text is the id of an instance: 16 random bytes in lower-case hex.
func IsInstance(text string) bool { return instanceShape.MatchString(text) }

// ParseTestimony reads strictly what a caller sent.
func ParseTestimony(data []byte) (Testimony, error) {
	var t Testimony
	if err := decodeStrict(data, &t); err != nil {
		return Testimony{}, fmt.Errorf("reading testimony: %w", err)
	}
	if err := t.check(); err != nil {
		return Testimony{}, fmt.Errorf("reading testimony: %w", err)
	}
	return t, nil
}

func (t Testimony) check() error {
	if t.Instance != "" && !IsInstance(t.Instance) {
		return fmt.Errorf("%q is no instance", t.Instance)
	}
	if len(t.Started) > mostNodes {
		return fmt.Errorf("it is about %d nodes, and the most are %d", len(t.Started), mostNodes)
	}
	for _, name := range slices.Sorted(maps.Keys(t.Started)) {
		if !node.IsDNSLabel(name) {
			return fmt.Errorf("%q is no node's name", name)
		}
		if n := len(t.Started[name]); n > mostInstances {
			return fmt.Errorf("it has %d instances of %q, and the most are %d", n, name, mostInstances)
		}
		for _, instance := range t.Started[name] {
			if !IsInstance(instance) {
				return fmt.Errorf("%q is no instance of %q", instance, name)
			}
		}
	}
	return nil
}

// Has says whether an instance of a node is said to have started a member.
func (t Testimony) Has(node, instance string) bool { return slices.Contains(t.Started[node], instance) }
