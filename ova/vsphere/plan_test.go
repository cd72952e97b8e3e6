package vsphere

import (
	"errors"
	"fmt"
	"maps"
	"path/filepath"
	"strings"
	"testing"

	"github.com/vmware/govmomi/vim25/types"

	"slipway/internal/golden"
	"slipway/ova"
)

// world is a vCenter in which w was deployed and has taken its configs.
func world(w Cluster) World {
	h := World{
		Machines: map[string]Machine{w.Template: {Name: w.Template, Template: true, Disk: 8 << 30, Committed: 1 << 30, Extra: map[string]string{markCluster: w.ID, markImage: "image-1"}}},
		Networks: map[string]string{"VM Network": "network VM Network"},
		DRS:      true, Free: 100 << 30, Rule: &Rule{},
	}
	for _, n := range w.Nodes {
		m := machineOf(w, n)
		h.Machines[n.VM] = m
		if n.Spread {
			h.Rule.VMs = append(h.Rule.VMs, m.ref)
		}
	}
	return h
}

func machineOf(w Cluster, n Node) Machine {
	return Machine{
		Name: n.VM, whole: true, On: true, CPUs: n.CPUs, MemoryMiB: n.MemoryMiB, Disk: n.Disk, Network: "network " + n.Network, Firmware: efi, SecureBoot: w.SecureBoot, Tagged: true,
		Extra: map[string]string{markCluster: w.ID, markNode: n.Name, markMachine: n.VM, markImage: "image-1", markConfig: n.Guestinfo.Digest, markScrubbed: n.Guestinfo.Digest, keyUUID: "TRUE"},
		ref:   types.ManagedObjectReference{Type: "VirtualMachine", Value: "vm-" + n.Name},
	}
}

// fresh is the machine as clone leaves it: off, with its config.
func fresh(w Cluster, n Node) Machine {
	m := machineOf(w, n)
	m.On = false
	delete(m.Extra, markScrubbed)
	m.Extra[ova.KeyData], m.Extra[ova.KeyEncoding] = n.Guestinfo.Data, n.Guestinfo.Encoding
	return m
}

// TestPlans pins what is decided: testdata/plan/*.txt holds the plan or the error, and the status.
func TestPlans(t *testing.T) {
	for name, change := range map[string]func(*Cluster, *World){
		"nothing_there": func(w *Cluster, h *World) {
			maps.DeleteFunc(h.Machines, func(_ string, m Machine) bool { return !m.Template })
			h.Rule = nil
		},
		"as_it_should_be": func(*Cluster, *World) {},
		"half_deployed": func(w *Cluster, h *World) {
			h.Machines["demo-n1"] = fresh(*w, w.Nodes[0])
			m := fresh(*w, w.Nodes[1])
			m.Tagged, m.Firmware, m.Extra[ova.KeyData] = false, "bios", "something else"
			h.Machines["demo-n2"] = m
			on := fresh(*w, w.Nodes[2])
			on.On = true
			h.Machines["demo-n3"] = on
			delete(h.Machines, "demo-n4")
		},
		"started_once": func(w *Cluster, h *World) { // and off since, whatever the spec says by now
			for i, mark := range []func(Machine){
				func(m Machine) { m.Extra[markStarted] = "true" },
				func(m Machine) { m.Extra[ova.KeyData], m.Extra[ova.KeyEncoding] = "e30K", "base64" },
			} {
				m := fresh(*w, w.Nodes[i])
				mark(m)
				h.Machines[m.Name] = m
				w.Nodes[i].MemoryMiB, w.Nodes[i].Guestinfo.Data = 1024, "secret-of-late"
			}
		},
		"replaced": func(w *Cluster, h *World) {
			delete(h.Machines, "demo-n3")
			m := h.Machines["demo-n7"]
			m.On = false
			h.Machines["demo-n7"] = m
			w.Nodes[6].MemoryMiB *= 2
		},
		"replaced_with_volumes": func(w *Cluster, h *World) {
			m := h.Machines["demo-n2"]
			m.Attached = []string{"[fast] fcd/one.vmdk"}
			h.Machines["demo-n2"] = m
		},
		"drifted": func(w *Cluster, h *World) {
			for i := range w.Nodes {
				w.Nodes[i].MemoryMiB *= 2
			}
			w.Nodes[0].CPUs, w.Nodes[0].Disk, w.Nodes[0].MAC, w.Nodes[0].Guestinfo.Digest = 8, 30<<30, "00:50:56:00:00:01", "new"
			h.Networks["VM Network"] = "port group pg-1"
			m := h.Machines["demo"]
			m.Extra[markImage] = "image-2"
			h.Machines["demo-n1"].Extra[keyUUID] = "FALSE"
		},
		"switched_off": func(w *Cluster, h *World) {
			m := h.Machines["demo-n7"]
			m.On = false
			h.Machines["demo-n7"] = m
		},
		"guestinfo_again": func(w *Cluster, h *World) { h.Machines["demo-n7"].Extra[ova.KeyData] = "e30K" },
		"more_control_planes": func(w *Cluster, h *World) {
			w.Nodes[3].Spread, w.Nodes[4].Spread = true, true
			h.DRS = false
		},
		"node_gone": func(w *Cluster, h *World) { w.Nodes = w.Nodes[:6] },
		"not_ours": func(w *Cluster, h *World) {
			clear(h.Machines["demo-n2"].Extra)
			h.Machines["demo-n3"].Extra[markCluster] = "other"
		},
		"unreadable": func(w *Cluster, h *World) { h.Machines["demo-n2"] = Machine{Name: "demo-n2"} },
		"moved": func(w *Cluster, h *World) {
			h.Strays = append(h.Strays, h.Machines["demo-n2"])
			delete(h.Machines, "demo-n2")
		},
		"attached_disks": func(w *Cluster, h *World) {
			m := h.Machines["demo-n2"]
			m.Attached = []string{"[fast] fcd/one.vmdk", "[fast] fcd/two.vmdk"}
			h.Machines["demo-n2"] = m
		},
		"no_host": func(w *Cluster, h *World) {
			delete(h.Machines, "demo-n2")
			h.DRS = false
		},
		"cloned_by_hand": func(w *Cluster, h *World) {
			m := h.Machines["demo-n2"]
			m.Name, m.Tagged = "demo-n2-debug", false
			h.Machines[m.Name] = m
		},
		"renamed": func(w *Cluster, h *World) {
			m := h.Machines["demo-n2"]
			m.Name = "control plane 2"
			h.Machines[m.Name] = m
			delete(h.Machines, "demo-n2")
		},
		"renamed_and_gone": func(w *Cluster, h *World) { // from the spec
			m := h.Machines["demo-n7"]
			m.Name = "old worker"
			h.Machines[m.Name] = m
			delete(h.Machines, "demo-n7")
			w.Nodes = w.Nodes[:6]
		},
		"no_network": func(w *Cluster, h *World) {
			h.Networks = nil
			h.Absent = []error{errors.New(`finding the network "VM Network": it is not there`), errors.New(`finding the pool "x": it is not there`)}
			delete(h.Machines, "demo-n7")
		},
		"no_template":    func(w *Cluster, h *World) { delete(h.Machines, "demo") },
		"false_template": func(w *Cluster, h *World) { h.Machines["demo"] = Machine{Name: "demo"} },
		"no_space": func(w *Cluster, h *World) {
			maps.DeleteFunc(h.Machines, func(_ string, m Machine) bool { return !m.Template })
			h.Free = 7<<30 - 1
		},
	} {
		t.Run(name, func(t *testing.T) {
			w := want()
			h := world(w)
			change(&w, &h)
			var out strings.Builder
			var replace []string
			if strings.HasPrefix(name, "replaced") {
				replace = []string{"n2", "n3", "n7"}
			}
			p, err := NewPlan(w, h, replace...)
			fmt.Fprintf(&out, "-- deploy --\n%s", p)
			if err != nil {
				fmt.Fprintf(&out, "error: %v\n", err)
			}
			p, err = NewDestroyPlan(w, h)
			fmt.Fprintf(&out, "-- destroy --\n%s", p)
			if err != nil {
				fmt.Fprintf(&out, "error: %v\n", err)
			}
			fmt.Fprintln(&out, "-- status --")
			for _, r := range Status(w, h) {
				fmt.Fprintf(&out, "%-3s %s %s ours=%t tagged=%t %s %s\n", r.Node, r.VM, r.Power, r.Ours, r.Tagged, r.Guestinfo, strings.Join(r.Differs, "; "))
			}
			if strings.Contains(out.String(), "secret-of") {
				t.Error("a config is printed")
			}
			golden.Check(t, filepath.Join("testdata/plan", name+".txt"), out.String())
		})
	}
}
