package vsphere

import (
	"context"
	"strings"
	"testing"

	"github.com/vmware/govmomi/vim25/types"
)

// TestPlace: a folder, a pool and a port group of the user's, a node with another, and a MAC address.
func TestPlace(t *testing.T) {
	l := newLab(t)
	s, err := l.locate(t.Context(), want().Place)
	if err != nil {
		t.Fatal(err)
	}
	infra, err := s.folder.CreateFolder(t.Context(), "infra")
	if err != nil {
		t.Fatal(err)
	}
	if _, err = infra.CreateFolder(t.Context(), "k8s"); err != nil {
		t.Fatal(err)
	}
	if _, err := s.pool.Create(t.Context(), "tenant", types.DefaultResourceConfigSpec()); err != nil {
		t.Fatal(err)
	}
	place := Place{Folder: "infra/k8s", Pool: "tenant"} // the rest is the only one
	i := wantImport(image(t, testOVA(t, "disk of the test")))
	i.Place, i.Network = place, "DC0_DVPG0"
	if _, err := l.imports(i); err != nil {
		t.Fatal(err)
	}
	w := want()
	w.Place, w.Nodes = place, w.Nodes[:2]
	w.Nodes[0].Network, w.Nodes[1].MAC = "DC0_DVPG0", "00:50:56:3f:00:01"
	if _, err := l.deploys(w); err != nil {
		t.Fatal(err)
	}
	if p, err := l.deploys(w); err != nil || p.Changes() {
		t.Errorf("again: %v\n%s", err, p)
	}
	if m := newMachine(l.vm("demo-n1").VirtualMachine); !strings.HasPrefix(m.Network, "port group dvportgroup-") {
		t.Errorf("n1 is on %s", m.Network)
	}
	if m := newMachine(l.vm("demo-n2").VirtualMachine); m.Network != "network VM Network" || m.MAC != w.Nodes[1].MAC {
		t.Errorf("n2 is on %s as %s", m.Network, m.MAC)
	}
	for _, name := range []string{"demo", "demo-n1", "demo-n2"} {
		vm := l.vm(name)
		if vm.Parent == nil || *vm.Parent == s.folder.Reference() {
			t.Errorf("%s is in the root folder", name)
		}
		if name != "demo" && *vm.ResourcePool == s.pool.Reference() {
			t.Errorf("%s is in the root pool", name)
		}
	}
}

// TestPlaceNotFound: what is missing is named, and what is ambiguous as well.
func TestPlaceNotFound(t *testing.T) {
	l := newLab(t)
	for want, p := range map[string]Place{
		`finding the datacenter "x": `: {Datacenter: "x"},
		`finding the cluster "x": `:    {Cluster: "x"},
		`finding the pool "x": `:       {Pool: "x"},
		`finding the folder "x/y": `:   {Folder: "x/y"},
		`finding the datastore "x": `:  {Datastore: "x"},
	} {
		if _, err := l.locate(t.Context(), p); err == nil || !strings.HasPrefix(err.Error(), want) {
			t.Errorf("%+v: %v", p, err)
		}
	}
	s, err := l.locate(t.Context(), Place{})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := s.networks(t.Context(), []Node{{}}); err == nil || err.Error() != "choosing the network: there is more than one\nhint: name it under vsphere.network of the spec" {
		t.Errorf("%v", err)
	}
	if _, err := s.networks(context.Background(), []Node{{Network: "x"}}); err == nil || !strings.HasPrefix(err.Error(), `finding the network "x": `) {
		t.Errorf("%v", err)
	}
}
