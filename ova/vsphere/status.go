package vsphere

import "fmt"

// Row is how one node's machine is.
type Row struct {
	Node      string   `json:"node,omitempty"` // "" for a machine whose node left the spec
	VM        string   `json:"vm"`
	Power     string   `json:"power"`     // on, off, absent
	Ours      bool     `json:"ours"`      // it carries our mark
	Tagged    bool     `json:"tagged"`    // ... and our tag
	Guestinfo string   `json:"guestinfo"` // present, emptied by the guest alone, scrubbed, absent
	Differs   []string `json:"differs,omitempty"`
}

// Status compares what was found with what is wanted: a row a node, and one for every machine of the cluster that no
// node asks for.
func Status(want Cluster, have World) []Row {
	var rows []Row
	known := map[string]bool{}
	for _, n := range want.Nodes {
		known[n.VM] = true
		m, there := have.Machines[n.VM]
		r := row(n.Name, n.VM, m, there)
		r.Ours = there && m.isOurs(want.ID, n.Name)
		if r.Ours {
			r.Differs = append(want.differences(n, m, have), otherImage(m, have.Machines[want.Template])...)
		}
		if other := have.renamed(want.ID, n.VM); other != "" {
			r.Differs = append(r.Differs, fmt.Sprintf("its machine is called %q now", other))
		}
		if have.stray(want.ID, n.Name) != nil && !there {
			r.Differs = append(r.Differs, "its machine is in another folder")
		}
		rows = append(rows, r)
	}
	for _, name := range have.renamedOnes(want.ID) {
		if vm := have.Machines[name].Extra[markMachine]; !known[vm] {
			r := row("", name, have.Machines[name], true)
			r.Ours, r.Differs = true, []string{fmt.Sprintf("no node in the spec is this one, which was called %q", vm)}
			rows = append(rows, r)
		}
	}
	for _, name := range have.copies(want.ID) {
		r := row("", name, have.Machines[name], true)
		r.Differs = []string{"somebody made it of the machine of node " + have.Machines[name].Extra[markNode]}
		rows = append(rows, r)
	}
	for _, name := range have.of(want.ID) {
		if !known[name] {
			r := row("", name, have.Machines[name], true)
			r.Ours, r.Differs = true, []string{"no node in the spec is this one"}
			rows = append(rows, r)
		}
	}
	return rows
}

func row(node, vm string, m Machine, there bool) Row {
	r := Row{Node: node, VM: vm, Power: "off", Guestinfo: "absent", Tagged: m.Tagged}
	switch {
	case !there:
		r.Power = "absent"
	case m.On:
		r.Power = "on"
	}
	switch {
	case m.emptied():
		r.Guestinfo = "emptied"
	case m.hasConfig():
		r.Guestinfo = "present"
	case m.scrubbed():
		r.Guestinfo = "scrubbed"
	}
	return r
}
