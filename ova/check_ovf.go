package ova

import (
	"bytes"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/vmware/govmomi/ovf"
)

// envelope is a descriptor under check.
type envelope struct {
	*checker
	base  int64 // of the descriptor in the archive
	files map[string]file
	disks map[string]int64 // capacity by identifier
	used  map[string]bool  // files, disks and instances by identifier that are referred to
}

// file is one entry of the References.
type file struct {
	Member
	at *node
}

func (e *envelope) wrong(n *node, format string, args ...any) {
	e.find(e.base+n.at, format, args...)
}

// descriptor checks the OVF descriptor by our own rules, then by govmomi's.
func (c *checker) descriptor(name string) {
	m, _ := c.Member(name)
	b, ok := c.small(m, maxDescriptor)
	if !ok {
		return
	}
	root, err := parseTree(b)
	if err != nil {
		at := m.Data
		if e := (*treeError)(nil); errors.As(err, &e) {
			at += e.at
		}
		c.find(at, "%q: %v", name, err)
		return
	}
	e := &envelope{checker: c, base: m.Data, files: map[string]file{}, disks: map[string]int64{}, used: map[string]bool{}}
	e.root(root)
	if err := strict(b); err != nil {
		c.find(m.Data, "%q: govmomi makes no virtual machine of it: %v", name, err)
	}
}

// strict is the verdict of govmomi, which fills the gaps of a descriptor less carefully than it reads it.
func strict(b []byte) (err error) {
	defer func() {
		if r := recover(); r != nil {
			err = fmt.Errorf("%v", r) // a descriptor without what another part of it refers to
		}
	}()
	parsed, err := ovf.Unmarshal(bytes.NewReader(b))
	if err != nil {
		return err
	}
	_, err = parsed.ToConfigSpecWithOptions(ovf.ToConfigSpecOptions{Strict: true})
	return err
}

func (e *envelope) root(root *node) {
	if root.name.Space != nsOVF || root.name.Local != "Envelope" {
		e.wrong(root, "root element is %q of namespace %q, want an OVF Envelope", short(root.name.Local), root.name.Space)
		return
	}
	root.walk(e.forbidden)
	if n := e.one(root, nsOVF, "References"); n != nil {
		e.references(n)
	}
	if n := e.one(root, nsOVF, "DiskSection"); n != nil {
		for _, d := range n.all(nsOVF, "Disk") {
			e.disk(d)
		}
	}
	var networks []string
	if n := e.one(root, nsOVF, "NetworkSection"); n != nil {
		networks = e.networks(n)
	}
	if n := e.one(root, nsOVF, "VirtualSystem"); n != nil {
		e.system(n, networks)
	}
	e.unused()
}

// one is the only child of that name.
func (e *envelope) one(parent *node, space, local string) *node {
	found := parent.all(space, local)
	if len(found) != 1 {
		e.wrong(parent, "%s has %d %s elements, want 1", parent.name.Local, len(found), local)
		return nil
	}
	return found[0]
}

// forbidden finds what importers refuse or drop.
func (e *envelope) forbidden(n *node) {
	switch n.name.Local {
	case "BootOrderSection", "VirtualSystemCollection", "DeploymentOptionSection":
		e.wrong(n, "%s must not be there", n.name.Local)
	case "ExtraConfig":
		e.wrong(n, "ExtraConfig must not be there: vCenter drops or refuses it; it is set through the API")
	}
	for _, a := range n.attrs {
		if strings.Contains(strings.ToLower(a.Value), "nvram") {
			e.wrong(n, "%q must not be there: content libraries look for such a file", short(a.Value))
		}
	}
}

// references compares the list of files with the archive.
func (e *envelope) references(list *node) {
	var names []string
	for _, n := range list.all(nsOVF, "File") {
		href, id := n.attr(nsOVF, "href"), n.attr(nsOVF, "id")
		names = append(names, href)
		if _, twice := e.files[id]; twice || id == "" {
			e.wrong(n, "file identifier %q is empty or not unique", short(id))
		}
		m, ok := e.Member(href)
		if !ok {
			e.wrong(n, "file %q is not in the archive", short(href))
			continue
		}
		e.files[id] = file{m, n}
		if size := n.attr(nsOVF, "size"); size != strconv.FormatInt(m.Size, 10) {
			e.wrong(n, "file %q has size %q, and %d bytes in the archive", href, short(size), m.Size)
		}
		for _, attr := range []string{"compression", "chunkSize"} {
			if v := n.attr(nsOVF, attr); v != "" {
				e.wrong(n, "file %q has %s %q, want none", href, attr, short(v))
			}
		}
	}
	e.inOrder(list, names)
}

// inOrder compares the order of files in the References with that in the archive.
func (e *envelope) inOrder(list *node, names []string) {
	var there []string
	for _, m := range e.Members {
		if m.Type != typeFile || strings.HasSuffix(m.Name, ".ovf") || strings.HasSuffix(m.Name, ".mf") || strings.HasSuffix(m.Name, ".cert") {
			continue
		}
		there = append(there, m.Name)
		if !slices.Contains(names, m.Name) {
			e.find(m.Offset, "%q is not in the References", m.Name)
		}
	}
	if !slices.Equal(there, names) {
		e.wrong(list, "References are %s, the archive holds %s", short(fmt.Sprintf("%q", names)), short(fmt.Sprintf("%q", there)))
	}
}

// disk compares an entry of the DiskSection with the file that it refers to.
func (e *envelope) disk(n *node) {
	id := n.attr(nsOVF, "diskId")
	if _, twice := e.disks[id]; twice || id == "" {
		e.wrong(n, "disk identifier %q is empty or not unique", short(id))
	}
	if got := n.attr(nsOVF, "format"); got != diskFormat {
		e.wrong(n, "disk %q has format %q, want %q", short(id), short(got), diskFormat)
	}
	units := n.attr(nsOVF, "capacityAllocationUnits")
	capacity, err := capacity(n.attr(nsOVF, "capacity"), units)
	if err != nil {
		e.wrong(n, "disk %q: %v", short(id), err)
	}
	e.disks[id] = capacity
	ref := n.attr(nsOVF, "fileRef")
	f, ok := e.files[ref]
	if !ok {
		e.wrong(n, "disk %q refers to file %q, which is not in the References", short(id), short(ref))
		return
	}
	e.used["file "+ref] = true
	e.report.Disks = append(e.report.Disks, AttachedDisk{f.Member, capacity})
}

// capacity is in bytes. Without units some importers count KiB.
func capacity(number, units string) (int64, error) {
	shift, ok := map[string]int{"byte": 0, "byte * 2^10": 10, "byte * 2^20": 20, "byte * 2^30": 30, "byte * 2^40": 40}[units]
	if !ok {
		return 0, fmt.Errorf("capacity has units %q, want such as \"byte * 2^20\"", short(units))
	}
	n, err := strconv.ParseInt(number, 10, 64)
	if err != nil || n < 1 || n > (1<<62)>>shift {
		return 0, fmt.Errorf("capacity %q is out of range", short(number))
	}
	if n<<shift%mib != 0 {
		return n << shift, fmt.Errorf("capacity of %d bytes is not a multiple of 1 MiB", n<<shift)
	}
	return n << shift, nil
}

func (e *envelope) networks(section *node) []string {
	var names []string
	for _, n := range section.all(nsOVF, "Network") {
		name := n.attr(nsOVF, "name")
		if name == "" || slices.Contains(names, name) {
			e.wrong(n, "network name %q is empty or not unique", short(name))
		}
		names = append(names, name)
	}
	return names
}

// unused finds files and disks that nothing refers to.
func (e *envelope) unused() {
	for _, id := range slices.Sorted(maps.Keys(e.files)) {
		if !e.used["file "+id] {
			e.wrong(e.files[id].at, "no disk refers to file %q", short(id))
		}
	}
	for _, id := range slices.Sorted(maps.Keys(e.disks)) {
		if !e.used["disk "+id] {
			e.find(e.base, "no device refers to disk %q", short(id))
		}
	}
}
