package firstboot

import (
	"os"
	"strings"
	"testing"
	"time"

	"slipway/firstboot/kube"
	"slipway/firstboot/peer"
	"slipway/firstboot/status"
	"slipway/node"
	"slipway/roles/worker"
)

// withNetwork is a contract with another pod network.
func withNetwork(cfg *node.Config, cni string) *node.Config {
	if cfg.Network.CNI = cni; cni == node.CNIFlannel {
		cfg.Network.Flannel.Backend = node.FlannelVXLAN
	}
	return cfg
}

// TestFlannel: a machine that is a whole cluster gets its pods' network from the inventory, then flannel, then is ready; after a power
// cut, which takes the runtime's configuration along, again; and with another MTU its pods are told.
func TestFlannel(t *testing.T) {
	w := newWorld(t, withNetwork(single(t), node.CNIFlannel))
	w.put(flannelProgram, "")
	if last := w.form(5 * time.Minute); !last.Serving {
		t.Fatalf("not serving: %+v", last)
	}
	w.hasMTU(1450)
	if err := os.Remove(w.path(worker.FlannelConflist)); err != nil { // by tmpfiles.d
		t.Fatal(err)
	}
	w.powerOn()
	if last := w.form(5 * time.Minute); !last.Serving {
		t.Fatalf("not serving after a power cut: %+v", last)
	}
	w.put(worker.FlannelSubnet, "FLANNEL_MTU=8950\n")
	w.form(5 * time.Minute)
	w.hasMTU(8950)
	if len(w.wrong) > 0 {
		t.Error(w.wrong)
	}
}

func (w *fakeWorld) hasMTU(want int) {
	w.t.Helper()
	have, err := os.ReadFile(w.path(worker.FlannelConflist))
	if err != nil {
		w.t.Fatal(err)
	}
	text, err := worker.Conflist(w.cfg, want)
	if err != nil || string(have) != string(text) {
		w.t.Errorf("%v, the runtime has\n%s\nwant\n%s", err, have, text)
	}
}

// TestFlannelWaits: what is missing is said, and flannel does not start without it.
func TestFlannelWaits(t *testing.T) {
	for want, prepare := range map[string]func(*fakeWorld){
		"this image has no flannel\nhint: build": func(*fakeWorld) {},
		"this node's pods are 10.244.7.0/24 in the cluster": func(w *fakeWorld) {
			w.put(flannelProgram, "")
			w.api.objects[nodesPath+"/n1"] = map[string]any{"metadata": map[string]any{"name": "n1"}, "spec": map[string]any{"podCIDR": "10.244.7.0/24"}}
		},
	} {
		w := newWorld(t, withNetwork(single(t), node.CNIFlannel))
		prepare(w)
		last := w.form(time.Minute)
		if last.Serving || w.active(flannelUnit) || !strings.Contains(last.LastError, want) {
			t.Errorf("%q: %+v", want, last)
		}
	}
}

// TestNoNetwork: with cni: none the cluster forms, and says which nodes wait for a pod network.
func TestNoNetwork(t *testing.T) {
	const want = "a pod network on n1: the spec leaves it to you (cni: none)"
	w := newWorld(t, withNetwork(single(t), node.CNINone))
	last := w.form(2 * time.Minute)
	if last.Serving || !last.Formed || last.Step != "node-ready" || last.State != status.Waiting || last.WaitingFor != want {
		t.Errorf("a machine that is all: %+v", last)
	}
	if self := w.api.ownNode(); self.Spec.PodCIDR != "10.244.0.0/24" {
		t.Errorf("who brings a network is not told where the pods are: %+v", self.Spec)
	}
	w.put("/etc/cni/net.d/05-mine.conflist", "{}")
	if last := w.form(2 * time.Minute); !last.Serving {
		t.Errorf("with a network: %+v", last)
	}

	cfg := contract(t, node.Node{Name: "cp1", Roles: []node.Role{node.Etcd, node.ControlPlane}}, node.Node{Name: "w1", Roles: []node.Role{node.Worker}})
	w = newWorld(t, withNetwork(cfg, node.CNINone))
	for _, name := range []string{"w2", "w3", "w4", "w5", "w6", "w7", "w8"} {
		o := object{Metadata: kube.Metadata{Name: name, UID: name}}
		o.Status.Conditions = []kube.Condition{withoutNetwork}
		w.api.nodes = append(w.api.nodes, o)
	}
	last = w.form(2 * time.Minute)
	if want := "a pod network on w2, w3, w4, w5, w6, 2 more: the spec leaves it to you (cni: none)"; !last.Formed || last.Step != "cluster" || last.WaitingFor != want {
		t.Errorf("a control plane: %+v, want %q", last, want)
	}
}

func TestFlannelMTU(t *testing.T) {
	for text, want := range map[string]int{
		"A=1\nFLANNEL_MTU=1450\n": 1450, "FLANNEL_MTU=65536": 65536, "": 0, "FLANNEL_MTU=": 0, "FLANNEL_MTU=x\n": 0, "FLANNEL_MTU=100": 0, "FLANNEL_MTU=99999999": 0,
	} {
		if got, err := flannelMTU(text); got != want || (err == nil) != (want > 0) {
			t.Errorf("%q: %d, %v", text, got, err)
		}
	}
}

// TestFlannelRoutes: a worker leaves the way to other nodes' pods to flannel, a control plane that is none has routes.
func TestFlannelRoutes(t *testing.T) {
	for role, want := range map[node.Role]int{node.Worker: 0, node.ControlPlane: 1} {
		cfg := contract(t, node.Node{Name: "n1", Roles: []node.Role{role}}, node.Node{Name: "cp1", Roles: []node.Role{node.Etcd, node.ControlPlane}})
		w := newWorld(t, withNetwork(cfg, node.CNIFlannel))
		w.start()
		around, err := peer.ParseList(listOf(t, 21))
		if err != nil {
			t.Fatal(err)
		}
		w.node.around.list, w.node.around.all = listOf(t, 21), around
		if changes, err := w.node.routeChanges(t.Context()); err != nil || len(changes) != want {
			t.Errorf("%s: %q, %v", role, changes, err)
		}
	}
}
