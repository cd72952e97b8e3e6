package ova

import (
	"bytes"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
)

// Namespaces of a descriptor.
const (
	nsOVF   = "http://schemas.dmtf.org/ovf/envelope/1"
	nsRASD  = "http://schemas.dmtf.org/wbem/wscim/1/cim-schema/2/CIM_ResourceAllocationSettingData"
	nsVSSD  = "http://schemas.dmtf.org/wbem/wscim/1/cim-schema/2/CIM_VirtualSystemSettingData"
	nsCIM   = "http://schemas.dmtf.org/wbem/wscim/1/common"
	nsVMW   = "http://www.vmware.com/schema/ovf"
	nsXSI   = "http://www.w3.org/2001/XMLSchema-instance"
	nsXML   = "http://www.w3.org/XML/1998/namespace"
	nsXMLNS = "xmlns"
)

// Limits of a tree.
const (
	maxDepth      = 32
	maxTokens     = 20_000
	maxAttributes = 32
)

// node is one element of an XML document.
type node struct {
	name  xml.Name
	attrs []xml.Attr
	kids  []*node
	at    int64 // offset in the document, bytes
	text  strings.Builder
}

// treeError is what is wrong with a document, and where.
type treeError struct {
	at  int64
	err error
}

func (e *treeError) Error() string { return e.err.Error() }
func (e *treeError) Unwrap() error { return e.err }

// parseTree reads a document with one root, declared namespaces and no document type.
func parseTree(b []byte) (*node, error) {
	var (
		decoder = xml.NewDecoder(bytes.NewReader(b))
		path    = []*node{{}} // the first one holds the root
		count   int
	)
	for {
		at := decoder.InputOffset()
		token, err := decoder.Token()
		if errors.Is(err, io.EOF) {
			if len(path[0].kids) == 1 {
				return path[0].kids[0], nil
			}
			err = errors.New("there is no element")
		}
		if err == nil {
			count++
			path, err = grow(path, token, at)
		}
		if err == nil && (len(path) > maxDepth || count > maxTokens) {
			err = fmt.Errorf("there are more than %d tokens, or elements nested deeper than %d", maxTokens, maxDepth)
		}
		if err != nil {
			return nil, &treeError{at, err}
		}
	}
}

// grow adds a token below the last element of path.
func grow(path []*node, token xml.Token, at int64) ([]*node, error) {
	last := path[len(path)-1]
	switch t := token.(type) {
	case xml.StartElement:
		if len(path) == 1 && len(last.kids) > 0 {
			return path, errors.New("there is a second root element")
		}
		n := &node{name: t.Name, attrs: slices.Clone(t.Attr), at: at}
		last.kids = append(last.kids, n)
		return append(path, n), n.checkNames()
	case xml.EndElement:
		return path[:len(path)-1], nil
	case xml.CharData:
		if len(path) == 1 && len(bytes.TrimSpace(t)) > 0 {
			return path, errors.New("there is text outside the root element")
		}
		last.text.Write(t)
	case xml.Directive:
		return path, errors.New("there is a document type")
	}
	return path, nil
}

// checkNames refuses what only a namespace-aware parser would miss.
func (n *node) checkNames() error {
	if !slices.Contains([]string{nsOVF, nsRASD, nsVSSD, nsCIM, nsVMW}, n.name.Space) {
		return fmt.Errorf("element %q is of unknown namespace %q", short(n.name.Local), short(n.name.Space))
	}
	if len(n.attrs) > maxAttributes {
		return fmt.Errorf("element %q has more than %d attributes", short(n.name.Local), maxAttributes)
	}
	for i, a := range n.attrs {
		if !slices.Contains([]string{"", nsXMLNS, nsXML, nsXSI, nsOVF, nsVMW}, a.Name.Space) {
			return fmt.Errorf("attribute %q is of unknown namespace %q", short(a.Name.Local), short(a.Name.Space))
		}
		if slices.ContainsFunc(n.attrs[:i], func(b xml.Attr) bool { return a.Name == b.Name }) {
			return fmt.Errorf("attribute %q is there twice", short(a.Name.Local))
		}
	}
	return nil
}

// all lists the children of that name.
func (n *node) all(space, local string) []*node {
	var found []*node
	for _, k := range n.kids {
		if k.name == (xml.Name{Space: space, Local: local}) {
			found = append(found, k)
		}
	}
	return found
}

// attr is the value of an attribute, "" without it.
func (n *node) attr(space, local string) string {
	for _, a := range n.attrs {
		if a.Name == (xml.Name{Space: space, Local: local}) {
			return a.Value
		}
	}
	return ""
}

// value is the text of the first child of that name.
func (n *node) value(space, local string) string {
	for _, k := range n.all(space, local) {
		return k.text.String()
	}
	return ""
}

// walk calls f with n and everything below.
func (n *node) walk(f func(*node)) {
	f(n)
	for _, k := range n.kids {
		k.walk(f)
	}
}
