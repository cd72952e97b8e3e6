// Package journal is a node's durable memory of its formation: whether the cluster ever formed, and when each step was
// first done. Observation decides what is to be done next; the journal answers only what cannot be observed, above
// all "did I ever belong to a formed cluster?" after the data is gone. Memory is what it knows of others, for them.
//
// Start with Open and (*Store).Update. Every write is temporary file, fsync, rename, fsync of the folder. A journal that
// cannot be read, or that a newer slipwayd wrote, is put aside and never taken for an empty one.
package journal

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"path"
	"slices"
	"sync"
	"time"
)

// Path is where the journal lies on the node.
const Path = "/var/lib/slipway/journal.json"

const version = 1

// Entry says when a step was first done.
type Entry struct {
	Step string    `json:"step"`
	At   time.Time `json:"at"`
}

// Journal is the document. A journal of another token speaks of another cluster.
type Journal struct {
	Version  int       `json:"version"`
	Token    string    `json:"token,omitempty"` // "<cluster id>/<epoch>" of what is recorded
	Started  string    `json:"started,omitempty"`
	Formed   bool      `json:"formed"`         // the cluster was seen working
	Lost     bool      `json:"lost,omitempty"` // a journal before this one could not be read: Formed does not count when it is false
	FormedAt time.Time `json:"formedAt,omitzero"`
	Gone     string    `json:"gone,omitempty"`    // why the member's data was put aside: it can never come back as what it was
	Joining  string    `json:"joining,omitempty"` // id, in hex, of the learner that this node is, until it has a vote
	Steps    []Entry   `json:"steps,omitempty"`
	Memory   Memory    `json:"memory,omitzero"` // has a token of its own: data of one cluster does not keep a node from hearing of another
}

// Has says whether a step was ever done.
func (j Journal) Has(step string) bool {
	return slices.ContainsFunc(j.Steps, func(e Entry) bool { return e.Step == step })
}

// FormedAs says whether the cluster of this token was ever seen formed.
func (j Journal) FormedAs(token string) bool { return j.Formed && j.Token == token }

// StartedAs says whether this node has started a member of the cluster of this token, or was about to.
func (j Journal) StartedAs(token string) bool { return j.Started != "" && j.Token == token }

// LostAs says whether what was known of the cluster of this token may be lost.
func (j Journal) LostAs(token string) bool { return j.Lost && j.Token == token }

// Parse reads a journal strictly: a journal that cannot be trusted must not count as an empty one.
func Parse(data []byte) (Journal, error) {
	dec := json.NewDecoder(bytes.NewReader(data))
	dec.DisallowUnknownFields()
	var j Journal
	if err := dec.Decode(&j); err != nil {
		return Journal{}, fmt.Errorf("parsing journal: %w", err)
	}
	if _, err := dec.Token(); !errors.Is(err, io.EOF) {
		return Journal{}, errors.New("parsing journal: data after the document")
	}
	if j.Version != version {
		return Journal{}, fmt.Errorf("parsing journal: version %d is not %d", j.Version, version)
	}
	if j.Formed && j.Token == "" {
		return Journal{}, errors.New("parsing journal: formed, but without a token")
	}
	if j.Lost && j.Token == "" {
		return Journal{}, errors.New("parsing journal: lost, but without a token")
	}
	if j.Memory.Token == "" && (len(j.Memory.Started) > 0 || j.Memory.FormedBy != "") {
		return Journal{}, errors.New("parsing journal: memory, but without a token")
	}
	return j, nil
}

// FS is what the journal needs of a file system. WriteFile and Rename must be durable, WriteFile whole as well.
type FS interface {
	ReadFile(name string) ([]byte, error)
	Glob(pattern string) ([]string, error)
	MkdirAll(name string, mode fs.FileMode) error
	WriteFile(name string, data []byte, mode fs.FileMode) error
	Rename(from, to string) error
}

// Store is the journal on disk. It may be used from several goroutines.
type Store struct {
	fs  FS
	mu  sync.Mutex
	now Journal
}

// Get is the journal as it lies on disk.
func (s *Store) Get() Journal {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.now.clone()
}

func (j Journal) clone() Journal {
	j.Steps, j.Memory = slices.Clone(j.Steps), j.Memory.clone()
	return j
}

// Update changes the journal; it is on disk when Update returns nil, and unchanged otherwise.
func (s *Store) Update(change func(*Journal)) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	next := s.now.clone()
	change(&next)
	data, err := json.MarshalIndent(next, "", "  ")
	if err != nil {
		return fmt.Errorf("encoding journal: %w", err)
	}
	if err := s.fs.MkdirAll(path.Dir(Path), 0o700); err != nil {
		return fmt.Errorf("writing journal: %w", err)
	}
	if err := s.fs.WriteFile(Path, append(data, '\n'), 0o600); err != nil {
		return fmt.Errorf("writing journal: %w", err)
	}
	s.now = next
	return nil
}
