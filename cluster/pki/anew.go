package pki

import (
	"fmt"
	"io/fs"
	"strings"
)

// NewKeys makes Issue give a node other keys, and with them other certificates and a newer entry, than it has in the store. Save
// puts them in the place of the former ones, which are lost: whoever has them is that node no longer.
func (p *PKI) NewKeys(node string) {
	p.store = anew{Store: p.store, prefix: "nodes/" + node + "/", written: map[string]bool{}}
}

// anew is a store in which one folder seems empty until it is written to.
type anew struct {
	Store
	prefix  string
	written map[string]bool
}

// Get reads an entry.
func (a anew) Get(name string) ([]byte, error) {
	if strings.HasPrefix(name, a.prefix) && !a.written[name] {
		return nil, fmt.Errorf("reading %q: %w", name, fs.ErrNotExist)
	}
	return a.Store.Get(name)
}

// Put writes an entry.
func (a anew) Put(name string, data []byte) error {
	err := a.Store.Put(name, data)
	a.written[name] = a.written[name] || err == nil
	return err
}
