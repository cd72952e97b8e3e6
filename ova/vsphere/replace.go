package vsphere

import (
	"errors"
	"fmt"
	"maps"
	"slices"
)

// replace plans the end of the machines of these nodes, and gives the world without them.
func (w Cluster) replace(have World, nodes []string) (Plan, World) {
	var p Plan
	have.Machines = maps.Clone(have.Machines)
	for i, n := range w.Nodes {
		m, there := have.Machines[n.VM]
		if !there || !slices.Contains(nodes, n.Name) || !m.isOurs(w.ID, n.Name) {
			continue
		}
		if m.On {
			p = append(p, Action{PowerOff, n.VM, "", i})
		}
		p = append(p, Action{Delete, n.VM, "to be replaced", i})
		delete(have.Machines, n.VM)
	}
	return p, have
}

// mayReplace refuses nodes that are not wanted at all, and machines with which something would go that is not theirs.
func (w Cluster) mayReplace(have World, nodes []string) error {
	var errs []error
	for _, name := range nodes {
		i := slices.IndexFunc(w.Nodes, func(n Node) bool { return n.Name == name })
		if i < 0 {
			errs = append(errs, fmt.Errorf("replacing %q: there is no such node", name))
			continue
		}
		if m := have.Machines[w.Nodes[i].VM]; m.isOurs(w.ID, name) {
			errs = append(errs, m.deletable())
		}
	}
	return errors.Join(errs...)
}
