package firstboot

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"net/url"
	"slices"
	"time"

	"slipway/firstboot/kube"
	"slipway/node"
)

// Control planes keep the entry of every node that introduced itself in the cluster, an object a node, so that all of them have it,
// and those that come later. What is read there counts for no more than what a node brings: its signature is checked again.

const entriesPath = "/api/v1/namespaces/" + node.EntriesNamespace + "/configmaps"

// entryLabel marks the objects among others in the namespace; entryKey is where in them the entry is.
const (
	entryLabel = "slipway/entry"
	entryKey   = "entry"
)

// entryObject is a ConfigMap that holds an entry.
type entryObject struct {
	APIVersion string            `json:"apiVersion"`
	Kind       string            `json:"kind"`
	Metadata   kube.Metadata     `json:"metadata"`
	Data       map[string]string `json:"data"`
}

// observeEntries is done when the cluster keeps all entries that this node has, and this node has read all that it keeps.
func (n *machine) observeEntries(ctx context.Context) (Finding, error) {
	if !n.entries.allRead() {
		if _, _, err := n.readEntries(ctx); err != nil {
			return Finding{}, err
		}
	}
	for _, name := range slices.Sorted(maps.Keys(n.roster.Loose(1))) {
		return NeedAgain("the entry of node "+name+" to be kept", n.keepEntries), nil
	}
	return OK(), nil
}

// keepAtOnce is how many entries are written in one go.
const keepAtOnce = 500

// keepEntries writes some; the step comes again for the others.
func (n *machine) keepEntries(ctx context.Context) error {
	c, err := n.api()
	if err != nil {
		return err
	}
	loose := n.roster.Loose(keepAtOnce)
	return together(slices.Sorted(maps.Keys(loose)), func(name string) error {
		if err := n.keepEntry(ctx, c, name, loose[name]); err != nil {
			return fmt.Errorf("keeping the entry of node %q: %w", name, err)
		}
		return nil
	})
}

// keepEntry writes an entry, unless a newer one is there. Another control plane may do the same: who comes second is refused by the
// object's version, and looks again.
func (n *machine) keepEntry(ctx context.Context, c *kube.Client, name string, s node.SignedEntry) error {
	var have entryObject
	err := c.Get(ctx, entriesPath+"/"+name, &have)
	if err != nil && !kube.NotFound(err) {
		return err
	}
	if err == nil && n.takeEntry(have) {
		return nil
	}
	text, err := json.Marshal(s)
	if err != nil {
		return err
	}
	body, err := json.Marshal(entryObject{
		APIVersion: "v1", Kind: "ConfigMap", Data: map[string]string{entryKey: string(text)},
		Metadata: kube.Metadata{Name: name, UID: have.Metadata.UID, ResourceVersion: have.Metadata.ResourceVersion, Labels: map[string]string{entryLabel: "true"}},
	})
	if err != nil {
		return err
	}
	err = c.Apply(ctx, entriesPath+"/"+name, body)
	if status, ok := errors.AsType[*kube.StatusError](err); ok && status.Code == 409 {
		return nil
	}
	if err == nil {
		n.roster.Keep(name, s.Body, true)
	}
	return err
}

// readEntries reads all that the cluster keeps, and gives the version from which to watch.
func (n *machine) readEntries(ctx context.Context) (*kube.Client, string, error) {
	c, err := n.api()
	if err != nil {
		return nil, "", err
	}
	version, err := c.Each(ctx, entriesPath, entriesQuery(), n.readEntry)
	if err != nil {
		return nil, "", fmt.Errorf("listing entries: %w", err)
	}
	n.entries.setRead()
	return c, version, nil
}

func entriesQuery() url.Values { return url.Values{"labelSelector": {entryLabel + "=true"}} }

func (n *machine) readEntry(data []byte) {
	var o entryObject
	if err := json.Unmarshal(data, &o); err != nil {
		n.log("passing over an entry: %v", err)
		return
	}
	n.takeEntry(o)
}

// takeEntry says whether an object holds what this node knows of its node, now that it has read it. What is wrong in it, or out of
// date, is written over if this node knows better, and otherwise passed over.
func (n *machine) takeEntry(o entryObject) bool {
	name := o.Metadata.Name
	s, err := node.ParseEntry([]byte(o.Data[entryKey]))
	if err == nil {
		_, _, err = n.roster.Admit(s)
	}
	if err != nil {
		n.log("passing over the entry of %q in the cluster: %v", name, err)
		n.roster.Keep(name, "", false)
		return false
	}
	n.roster.Keep(name, s.Body, true)
	return true
}

// watchEntries learns what other control planes keep, until the context ends. It reads all again whenever a watch ends.
func (n *machine) watchEntries(ctx context.Context) {
	for ctx.Err() == nil {
		if c, version, err := n.readEntries(ctx); err == nil {
			err = c.Watch(ctx, entriesPath, entriesQuery(), version, n.entryChanged)
			if err != nil && ctx.Err() == nil {
				n.log("watching entries: %v", err)
			}
		}
		n.Clock.Sleep(ctx, 2*time.Second)
	}
}

// entryChanged takes a change in. An object that somebody deleted is written again: removing a node is not done like this.
func (n *machine) entryChanged(kind string, data []byte) {
	if kind != kube.Deleted {
		n.readEntry(data)
		return
	}
	var o entryObject
	if json.Unmarshal(data, &o) == nil {
		n.roster.Keep(o.Metadata.Name, "", false)
	}
}
