package peer

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/netip"
	"time"

	"slipway/node"
)

// ErrStranger is a node's answer to one that it does not know: introduce yourself.
var ErrStranger = errors.New("this node is not known there")

// Neighbour is what a node needs to know of another to reach its pods.
type Neighbour struct {
	Name    string       `json:"name"`
	Address netip.Addr   `json:"address"`
	Pods    netip.Prefix `json:"pods"`
}

// List is every node with pods, encoded once for all who ask.
type List struct {
	Tag  string // of this very list, quoted as HTTP wants it
	Data []byte // JSON: an array of Neighbours

	Again time.Duration // when who got it is expected again, if it was told
}

// NewList encodes neighbours, sorted as they are.
func NewList(all []Neighbour) (List, error) {
	data, err := json.Marshal(all)
	if err != nil {
		return List{}, fmt.Errorf("encoding nodes: %w", err)
	}
	return ListOf(data), nil
}

// ListOf is the list that was encoded so.
func ListOf(data []byte) List {
	sum := sha256.Sum256(data)
	return List{Tag: `"` + hex.EncodeToString(sum[:16]) + `"`, Data: data}
}

// ParseList reads the neighbours of a list.
func ParseList(l List) ([]Neighbour, error) {
	var all []Neighbour
	if err := decodeStrict(l.Data, &all); err != nil {
		return nil, fmt.Errorf("reading nodes: %w", err)
	}
	for _, n := range all {
		if !node.IsDNSLabel(n.Name) || !n.Address.Is4() || !n.Pods.IsValid() || n.Pods != n.Pods.Masked() {
			return nil, fmt.Errorf("reading nodes: %q at %s with pods %s is none", n.Name, n.Address, n.Pods)
		}
	}
	return all, nil
}

// introduce takes the entry of the caller itself: of its name and of the key that it has just used.
func (s *Server) introduce(w http.ResponseWriter, r *http.Request, caller Caller) {
	data, err := io.ReadAll(http.MaxBytesReader(w, r.Body, node.MaxEntry+1))
	if err != nil {
		http.Error(w, fmt.Sprintf("reading entry: %v", plain(err)), http.StatusBadRequest)
		return
	}
	entry, err := node.ParseEntry(data)
	if err == nil {
		err = s.o.Node.Introduce(caller, entry)
	}
	if err != nil {
		http.Error(w, err.Error(), http.StatusForbidden)
		return
	}
	w.WriteHeader(http.StatusOK)
}

// nodes costs next to nothing for one that has the list already.
func (s *Server) nodes(w http.ResponseWriter, r *http.Request, caller Caller) {
	list, ok := s.o.Node.Nodes()
	if !ok {
		http.Error(w, "not all nodes are known here yet", http.StatusServiceUnavailable)
		return
	}
	sayAgain(w, s.again(&s.lists, caller))
	w.Header().Set("ETag", list.Tag)
	if r.Header.Get("If-None-Match") == list.Tag {
		w.WriteHeader(http.StatusNotModified)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	w.Write(list.Data) // a caller that has gone away is its own business
}

// Introduce shows the node the caller's own entry. The error is a Refusal, of code 403, if the node does not take it.
func (c *Client) Introduce(ctx context.Context, entry node.SignedEntry) error {
	data, err := json.Marshal(entry)
	if err != nil {
		return fmt.Errorf("encoding entry: %w", err)
	}
	if _, err := c.do(ctx, http.MethodPost, introducePath, data); err != nil {
		return fmt.Errorf("introducing this node to %q: %w", c.node.Name, err)
	}
	return nil
}

// Nodes asks for the list of all nodes; changed is false if that is the one that the caller has.
func (c *Client) Nodes(ctx context.Context, tag string) (list List, changed bool, err error) {
	resp, err := c.send(ctx, c.http, http.MethodGet, nodesPath, nil, http.Header{"If-None-Match": {tag}})
	if err == nil && resp.StatusCode == http.StatusNotModified {
		resp.Body.Close()
		return List{Tag: tag, Again: againOf(resp)}, false, nil
	}
	var data []byte
	if err == nil {
		data, err = answerOf(resp, maxList)
	}
	if err != nil {
		return List{}, false, fmt.Errorf("asking %q for the nodes: %w", c.node.Name, err)
	}
	list = ListOf(data)
	list.Again = againOf(resp)
	return list, true, nil
}
