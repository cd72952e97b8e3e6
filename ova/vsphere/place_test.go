package vsphere

import (
	"context"
	"strings"
	"testing"

	"github.com/vmware/govmomi/object"
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
		`finding the folder "x/y": `:   {Folder: "x/y"},
	} {
		if _, err := l.locate(t.Context(), p); err == nil || !strings.HasPrefix(err.Error(), want) {
			t.Errorf("%+v: %v", p, err)
		}
	}
	s, err := l.locate(t.Context(), Place{Pool: "x", Datastore: "y"})
	if err != nil || len(s.absent) != 2 || !strings.HasPrefix(s.absent[0].Error(), `finding the pool "x": `) || !strings.HasPrefix(s.absent[1].Error(), `finding the datastore "y": `) {
		t.Fatalf("%v, %v", s, err)
	}
	if _, err := l.networks(t.Context(), s, []Node{{}}); err == nil || !strings.HasPrefix(err.Error(), "choosing the network: there is more than one:\n  /DC0/network/DC0_DVPG0 (dvportgroup-") || !strings.Contains(err.Error(), "\n  /DC0/network/VM Network (network-") {
		t.Errorf("%v", err)
	}
	if _, err := l.networks(t.Context(), s, []Node{{Network: "x"}}); err == nil || err.Error() != `finding the network "x": it is not there, or the user of GOVC_USERNAME may not see it` {
		t.Errorf("%v", err)
	}
}

// portGroup makes a distributed switch in a folder of networks, with a port group.
func (l *lab) portGroup(below *object.Folder, vds, name string) types.ManagedObjectReference {
	l.t.Helper()
	info, err := l.run(l.t.Context(), func(ctx context.Context) (*object.Task, error) {
		return below.CreateDVS(ctx, types.DVSCreateSpec{ConfigSpec: &types.DVSConfigSpec{Name: vds}})
	})
	if err != nil {
		l.t.Fatal(err)
	}
	dvs := object.NewDistributedVirtualSwitch(l.vim, info.Result.(types.ManagedObjectReference))
	_, err = l.run(l.t.Context(), func(ctx context.Context) (*object.Task, error) {
		return dvs.AddPortgroup(ctx, []types.DVPortgroupConfigSpec{{Name: name, Type: "earlyBinding"}})
	})
	if err != nil {
		l.t.Fatal(err)
	}
	all, err := l.entities(l.t.Context(), below.Reference(), "DistributedVirtualPortgroup")
	if err != nil {
		l.t.Fatal(err)
	}
	e, err := choose("network", name, "", all)
	if err != nil {
		l.t.Fatal(err)
	}
	return e.ref
}

// TestNetworksByPath: a port group is known by its path, by a name that only one has, and by the id of vCenter's if no
// name is like it.
func TestNetworksByPath(t *testing.T) {
	l := newLab(t)
	s, err := l.locate(t.Context(), want().Place)
	if err != nil {
		t.Fatal(err)
	}
	infra, err := s.folders.NetworkFolder.CreateFolder(t.Context(), "infra")
	if err != nil {
		t.Fatal(err)
	}
	lab, err := s.folders.NetworkFolder.CreateFolder(t.Context(), "lab")
	if err != nil {
		t.Fatal(err)
	}
	one, other := l.portGroup(infra, "DVS1", "nodes"), l.portGroup(lab, "DVS2", "nodes")
	looksLikeOther := l.portGroup(infra, "DVS3", other.Value)
	for name, want := range map[string]types.ManagedObjectReference{
		"infra/nodes": one, "/DC0/network/lab/nodes": other, one.Value: one, other.Value: looksLikeOther,
	} {
		if got, err := l.networks(t.Context(), s, []Node{{Network: name}}); err != nil || got[name].ref != want {
			t.Errorf("%s: %+v, %v", name, got[name], err)
		}
	}
	_, err = l.networks(t.Context(), s, []Node{{Network: "nodes"}})
	want := "choosing the network: \"nodes\" may mean more than one:\n  /DC0/network/infra/nodes (" + one.Value + ")\n  /DC0/network/lab/nodes (" + other.Value + ")\nhint: say which under vsphere.network of the spec, by its path or by the id in brackets"
	if err == nil || err.Error() != want {
		t.Errorf("got  %v\nwant %s", err, want)
	}
	for _, what := range []struct {
		p    Place
		want string
	}{{Place{Cluster: "/DC0/host/DC0_C0", Datastore: "/DC0/datastore/LocalDS_0"}, "/DC0/host/DC0_C0"}} {
		if s, err := l.locate(t.Context(), what.p); err != nil || s.cluster.InventoryPath != what.want || s.datastore == nil {
			t.Errorf("%+v: %v", what, err)
		}
	}
}
