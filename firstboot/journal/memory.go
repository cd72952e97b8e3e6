package journal

import (
	"maps"
	"slices"
)

// MostInstances is how many instances of one node are remembered. Two would do to find out that any instance is not the
// first; who remembers more can be told of them, and never forgets one for another, so that what nodes tell each other
// comes to an end.
const MostInstances = 4

// Memory is what a node knows of a cluster's members, from what it saw and from what others told. It only grows.
type Memory struct {
	Token    string              `json:"token,omitempty"`    // of the cluster that it is about
	Started  map[string][]string `json:"started,omitempty"`  // etcd node -> its instances that have started a member, or were about to
	FormedBy string              `json:"formedBy,omitempty"` // who was the first to say that the cluster has formed; this node among them
}

// MemoryOf is what is known of the cluster of this token.
func (j Journal) MemoryOf(token string) Memory {
	if j.Memory.Token != token {
		return Memory{Token: token}
	}
	return j.Memory
}

// Has says whether an instance of a node is known to have started a member.
func (m Memory) Has(node, instance string) bool { return slices.Contains(m.Started[node], instance) }

// AddStarted remembers that an instance of a node has started a member, and says whether that was news.
func (m *Memory) AddStarted(node, instance string) bool {
	known := m.Started[node]
	if slices.Contains(known, instance) || len(known) >= MostInstances {
		return false
	}
	if m.Started == nil {
		m.Started = map[string][]string{}
	}
	m.Started[node] = append(slices.Clone(known), instance)
	return true
}

// AddFormed remembers that somebody said that the cluster has formed, and says whether that was news.
func (m *Memory) AddFormed(by string) bool {
	if m.FormedBy != "" {
		return false
	}
	m.FormedBy = by
	return true
}

func (m Memory) clone() Memory {
	m.Started = maps.Clone(m.Started) // its slices are never written to
	return m
}
