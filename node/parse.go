package node

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
)

// Parse reads a node config strictly: unknown or repeated keys, trailing data and whatever Validate refuses are errors.
// It is the only parser of the contract, used when a config is rendered and again at boot.
func Parse(data []byte) (*Config, error) {
	var c Config
	if err := decodeStrict(data, &c); err != nil {
		return nil, fmt.Errorf("parsing node config: %w", err)
	}
	if err := c.Validate(); err != nil {
		return nil, fmt.Errorf("checking node config: %w", err)
	}
	return &c, nil
}

// Marshal writes the contract as it lies on the node: indented, keys in the order of the types, one newline at the end.
func (c *Config) Marshal() ([]byte, error) {
	data, err := json.MarshalIndent(c, "", "  ")
	if err != nil {
		return nil, fmt.Errorf("encoding node config: %w", err)
	}
	return append(data, '\n'), nil
}

// decodeStrict reads one JSON document that has no key that the type does not know, and none twice.
func decodeStrict(data []byte, into any) error {
	dec := json.NewDecoder(bytes.NewReader(data))
	dec.DisallowUnknownFields()
	if err := dec.Decode(into); err != nil {
		return err
	}
	return checkKeys(data)
}

// checkKeys refuses what encoding/json lets pass in valid JSON: a key twice in one object, and a second document.
func checkKeys(data []byte) error {
	dec := json.NewDecoder(bytes.NewReader(data))
	if err := checkValue(dec); err != nil {
		return err
	}
	if _, err := dec.Token(); !errors.Is(err, io.EOF) {
		return fmt.Errorf("data after the document at byte %d", dec.InputOffset())
	}
	return nil
}

func checkValue(dec *json.Decoder) error {
	token, err := dec.Token()
	if err != nil {
		return err
	}
	switch token {
	case json.Delim('{'):
		return checkObject(dec)
	case json.Delim('['):
		for dec.More() {
			if err := checkValue(dec); err != nil {
				return err
			}
		}
		_, err = dec.Token()
	}
	return err
}

func checkObject(dec *json.Decoder) error {
	seen := map[string]bool{}
	for dec.More() {
		token, err := dec.Token()
		if err != nil {
			return err
		}
		key, _ := token.(string)
		if seen[key] {
			return fmt.Errorf("key %q occurs twice, the second time at byte %d", key, dec.InputOffset())
		}
		seen[key] = true
		if err := checkValue(dec); err != nil {
			return err
		}
	}
	_, err := dec.Token()
	return err
}

// Self is this node's entry of the inventory. Validate guarantees that there is one; before it, Self may be the zero Node.
func (c *Config) Self() Node {
	n, _ := c.Lookup(c.Node)
	return n
}

// Lookup finds a node of the inventory by name.
func (c *Config) Lookup(name string) (Node, bool) {
	i := slices.IndexFunc(c.Nodes, func(n Node) bool { return n.Name == name })
	if i < 0 {
		return Node{}, false
	}
	return c.Nodes[i], true
}

// WithRole is the part of the inventory that has a role, in the spec's order.
func (c *Config) WithRole(role Role) []Node {
	var nodes []Node
	for _, n := range c.Nodes {
		if n.Has(role) {
			nodes = append(nodes, n)
		}
	}
	return nodes
}

// RoutesPods says whether a node reaches the pods of others by routes to their nodes. With flannel a worker has a way of its own; a
// control plane that is none has not, and its API server calls webhooks as well.
func (c *Config) RoutesPods(n Node) bool {
	switch c.Network.CNI {
	case CNIBridge:
		return n.Has(Worker) || n.Has(ControlPlane)
	case CNIFlannel:
		return n.Has(ControlPlane) && !n.Has(Worker)
	}
	return false
}

// Core says whether every node's config names the node. Others show their entries.
func (n Node) Core() bool { return n.Has(Etcd) || n.Has(ControlPlane) || n.Has(LB) }

// Has says whether the node has a role.
func (n Node) Has(role Role) bool { return slices.Contains(n.Roles, role) }

// EtcdToken is etcd's initial-cluster-token: another epoch is another cluster, so old data is never merged into it.
func (c *Config) EtcdToken() string { return fmt.Sprintf("%s/%d", c.Cluster.ID, c.Cluster.Epoch) }
