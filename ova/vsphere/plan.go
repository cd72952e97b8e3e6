package vsphere

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
)

// Verb is what one step of a plan does.
type Verb string

// The verbs.
const (
	Clone   Verb = "clone"    // from the template, with everything that is wanted, and check it
	Adjust  Verb = "adjust"   // what an interrupted run left, and check it
	Tag     Verb = "tag"      //
	Spread  Verb = "spread"   // write the anti-affinity rule
	Mark    Verb = "mark"     // that others have started it
	PowerOn Verb = "power on" // check once more before
	Wait    Verb = "wait"     // for the node to have scrubbed what it holds itself
	Scrub   Verb = "scrub"    // remove the config, and check that it is gone
	Keep    Verb = "keep"     // nothing is to be done
	Differs Verb = "differs"  // nothing is done, but it is not what is wanted
	Leave   Verb = "leave"    // the config where it is

	TakeBack Verb = "take back" // what the verb in Detail did; in no plan, but told when a deployment fails

	Unspread Verb = "unspread" // remove the rule
	PowerOff Verb = "power off"
	Delete   Verb = "delete"

	MakeLibrary    Verb = "make library"
	Upload         Verb = "upload"
	DropItem       Verb = "drop item"
	RenameItem     Verb = "rename item"
	MakeTemplate   Verb = "make template"
	DropTemplate   Verb = "drop template"
	RenameTemplate Verb = "rename"
)

// Action is one step.
type Action struct {
	Do     Verb
	On     string // name of the machine, or of what else is touched
	Detail string // for people
	node   int    // index of the node, where there is one
}

// TakesBack says whether a took back what b did.
func (a Action) TakesBack(b Action) bool {
	return a.Do == TakeBack && a.On == b.On && a.Detail == string(b.Do)
}

// Plan is what is to be done, in order.
type Plan []Action

// Changes says whether anything is to be done at all.
func (p Plan) Changes() bool {
	return slices.ContainsFunc(p, func(a Action) bool { return a.Do != Keep && a.Do != Differs && a.Do != Leave })
}

// WithoutWaiting is the plan of a run that waits for no node: configs stay where they are for those that do not have
// theirs for certain.
func (p Plan) WithoutWaiting() Plan {
	var all Plan
	for i, a := range p {
		switch {
		case a.Do == Wait:
			all = append(all, Action{Leave, a.On, "its config stays in vCenter until a run that waits", a.node})
		case a.Do == Scrub && i > 0 && p[i-1].Do == Wait:
		default:
			all = append(all, a)
		}
	}
	return all
}

// String is a line an action.
func (p Plan) String() string {
	var b strings.Builder
	for _, a := range p {
		fmt.Fprintln(&b, a)
	}
	return b.String()
}

func (a Action) String() string {
	return strings.TrimSpace(fmt.Sprintf("%-13s  %-16s  %s", a.Do, a.On, a.Detail))
}

// NewPlan decides what leads from have to want: first all machines are made, then all switched on, then each is waited
// for and its config taken away. Machines that were ever started are left as they are, but those of the nodes to replace,
// which are deleted and made anew. A name that is taken by what is not ours refuses everything.
func NewPlan(want Cluster, have World, replace ...string) (Plan, error) {
	template, err := want.template(have)
	if err != nil {
		return nil, err
	}
	errs := []error{want.mayReplace(have, replace)}
	create, have := want.replace(have, replace)
	var start, finish Plan
	fresh := 0
	errs = append(errs, have.Absent...)
	for i, n := range want.Nodes {
		m, there := have.Machines[n.VM]
		switch {
		case there && !m.isOurs(want.ID, n.Name):
			errs = append(errs, notOurs(n, m))
		case !there && have.stray(want.ID, n.Name) != nil:
			errs = append(errs, have.stray(want.ID, n.Name))
		case !there && have.renamed(want.ID, n.VM) != "":
			errs = append(errs, have.otherName(want.ID, n.VM))
		case !there:
			fresh++
			errs = append(errs, want.linkable(n, template))
			create = append(create, Action{Clone, n.VM, n.describe(), i}, Action{Tag, n.VM, tagCategory + "/" + want.ID, i})
			start = append(start, Action{PowerOn, n.VM, "", i})
			finish = append(finish, reportIn(n, i)...)
		default:
			create = append(create, want.repair(i, m, template, have)...)
			if !m.On {
				start = append(start, Action{PowerOn, n.VM, "", i})
			}
			if !m.scrubbed() {
				finish = append(finish, reportIn(n, i)...)
			} else if m.hasConfig() {
				finish = append(finish, Action{Scrub, n.VM, "guestinfo was set again", i})
			}
		}
	}
	errs = append(errs, have.room(fresh, template, want.Linked))
	if err := errors.Join(errs...); err != nil {
		return nil, err
	}
	create = append(create, want.spread(have)...)
	return want.complete(append(append(create, start...), finish...)), nil
}

// room refuses when so many machines more do not fit in.
func (h World) room(fresh int, template Machine, linked bool) error {
	if fresh > 0 && !h.DRS && len(h.Hosts) == 0 && len(h.Absent) == 0 {
		return noHost()
	}
	if len(h.Absent) > 0 || linked {
		return nil // no datastore to ask, or next to nothing to ask of it
	}
	if need := int64(fresh) * template.Committed; need > h.Free {
		return fmt.Errorf("cloning %d machines: they take %d MiB at least, and the datastore has %d MiB left\nhint: make room, or name another one under vsphere.datastore", fresh, need>>20, h.Free>>20)
	}
	return nil
}

// template is the one to clone from.
func (w Cluster) template(have World) (Machine, error) {
	m, ok := have.Machines[w.Template]
	switch {
	case !ok:
		return m, fmt.Errorf("finding the template %q: it is not in the folder\nhint: slipway vsphere import", w.Template)
	case !m.Template || m.Extra[markImage] == "":
		return m, fmt.Errorf("finding the template %q: a machine of this name is there, but it is no template that slipway made\nhint: choose another name under vsphere.template", w.Template)
	case m.disk == nil && m.Disk == 0:
		return m, fmt.Errorf("finding the template %q: it has no disk", w.Template)
	}
	return m, nil
}

func notOurs(n Node, m Machine) error {
	whose := "it was not made by slipway"
	if c := m.Extra[markCluster]; c != "" {
		whose = fmt.Sprintf("it is node %q of cluster %q", m.Extra[markNode], c)
	} else if !m.whole {
		return fmt.Errorf("node %q: there is a machine %q already, and its configuration cannot be read\nhint: it may be in the making, its host or datastore may be away, or the user of GOVC_USERNAME may not look at it", n.Name, m.Name)
	}
	return fmt.Errorf("node %q: there is a machine %q already, and %s\nhint: rename or move it, or choose another folder under vsphere.folder", n.Name, m.Name, whose)
}

// renamed finds a machine that deploy made under this name and that has another one now. While one of this name is there
// the other is a copy that somebody made of it, with its marks.
func (h World) renamed(cluster, vm string) string {
	if _, there := h.Machines[vm]; there {
		return ""
	}
	for _, name := range slices.Sorted(maps.Keys(h.Machines)) {
		if m := h.Machines[name]; m.Extra[markCluster] == cluster && m.Extra[markNode] != "" && m.Extra[markMachine] == vm {
			return name
		}
	}
	return ""
}

// otherName names a machine of ours that was renamed.
func (h World) otherName(cluster, vm string) error {
	name := h.renamed(cluster, vm)
	return fmt.Errorf("node %q: its machine %q is called %q now\nhint: call it %q again, or delete it", h.Machines[name].Extra[markNode], vm, name, vm)
}

// stray refuses a machine of ours that somebody moved: a second one would have its address and its name in the cluster.
func (h World) stray(cluster, node string) error {
	for _, m := range h.Strays {
		if m.isOurs(cluster, node) {
			return fmt.Errorf("node %q: its machine %q is in another folder\nhint: move it back, or name its folder under vsphere.folder", node, m.Name)
		}
	}
	return nil
}

func reportIn(n Node, i int) Plan {
	return Plan{{Wait, n.VM, "for node " + n.Name, i}, {Scrub, n.VM, "", i}}
}

// repair is what a machine of ours lacks before it may be switched on, or that it is too late.
func (w Cluster) repair(i int, m, template Machine, have World) Plan {
	n := w.Nodes[i]
	var p Plan
	diff := append(w.differences(n, m, have), otherImage(m, template)...)
	switch {
	case !m.started():
		p = append(p, Action{Adjust, n.VM, strings.Join(diff, "; "), i})
	case len(diff) > 0:
		p = append(p, Action{Differs, n.VM, strings.Join(diff, "; "), i})
	}
	if m.started() && m.Extra[markStarted] == "" && !m.scrubbed() {
		p = append(p, Action{Mark, n.VM, "somebody else has started it", i})
	}
	if !m.Tagged {
		p = append(p, Action{Tag, n.VM, tagCategory + "/" + w.ID, i})
	}
	return p
}

// otherImage is the difference that only a new machine removes. Without a template there is none to tell.
func otherImage(m, template Machine) []string {
	if image := template.Extra[markImage]; image == "" || m.Extra[markImage] == image {
		return nil
	}
	return []string{"made of another image than the template"}
}

// spread writes the rule if it is not there, or not of the right machines. Which those are is not known before they
// are made.
func (w Cluster) spread(have World) Plan {
	var names []string
	right := have.Rule != nil
	for _, n := range w.Nodes {
		if n.Spread {
			names = append(names, n.VM)
			right = right && slices.Contains(have.Rule.VMs, have.Machines[n.VM].ref)
		}
	}
	if len(names) < 2 || right && len(have.Rule.VMs) == len(names) {
		return nil
	}
	detail := strings.Join(names, ", ") + " on hosts of their own"
	if !have.DRS {
		detail += "; DRS is off in this cluster, so it has no effect yet"
	}
	return Plan{{Spread, ruleName(w.ID), detail, -1}}
}

// complete says of every machine that nothing is done to that it is so.
func (w Cluster) complete(p Plan) Plan {
	var all Plan
	for i, n := range w.Nodes {
		if !slices.ContainsFunc(p, func(a Action) bool { return a.node == i && a.On == n.VM }) {
			all = append(all, Action{Keep, n.VM, "as it should be", i})
		}
	}
	return append(all, p...)
}

func (n Node) describe() string {
	text := fmt.Sprintf("%d CPUs, %d MiB, disk of %d MiB", n.CPUs, n.MemoryMiB, n.Disk>>20)
	if n.Network != "" {
		text += ", on " + n.Network
	}
	return text
}
