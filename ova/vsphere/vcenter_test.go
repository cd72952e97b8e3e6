package vsphere

import (
	"context"
	"errors"
	"net"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/vmware/govmomi/object"
	"github.com/vmware/govmomi/vim25/methods"
	"github.com/vmware/govmomi/vim25/soap"
	"github.com/vmware/govmomi/vim25/types"

	"slipway/ova"
)

// These tests make the simulator do what a real vCenter does and it does not by itself.

// TestInterruptedDeployOfItem: vCenter goes on making the machine when the caller hangs up; it is waited for and removed.
func TestInterruptedDeployOfItem(t *testing.T) {
	l := newLab(t)
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	const prefix = "/rest/com/vmware/vcenter/ovf/library-item/"
	request, err := http.NewRequest(http.MethodPost, prefix, nil)
	if err != nil {
		t.Fatal(err)
	}
	next, _ := l.model.Service.ServeMux.Handler(request)
	l.model.Service.ServeMux.HandleFunc(prefix, func(w http.ResponseWriter, r *http.Request) {
		cancel()
		time.Sleep(50 * time.Millisecond)
		next.ServeHTTP(w, r)
	})
	_, carryOut, err := l.Prepare(ctx, wantImport(image(t, testOVA(t, "disk"))))
	if err != nil {
		t.Fatal(err)
	}
	if err := carryOut(ctx); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
	if got := l.names(); got != "" {
		t.Errorf("left %s", got)
	}
}

// TestInterruptedAtPowerOn: a machine that was switched on is not deleted, and nor are the others.
func TestInterruptedAtPowerOn(t *testing.T) {
	l := newLab(t).withTemplate()
	w := want()
	h := observed(t, l, w)
	p, err := NewPlan(w, h)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	l.meet = func(req soap.HasFault) {
		if _, on := req.(*methods.PowerOnVM_TaskBody); on {
			cancel()
		}
	}
	if err := l.Deploy(ctx, w, h, p, Hooks{}); err != context.Canceled {
		t.Errorf("got %v", err)
	}
	if slices.Contains(l.calls, "Destroy_Task") || len(strings.Fields(l.names())) != 8 {
		t.Errorf("there are %s", l.names())
	}
	l.meet = nil
	if _, err := l.deploys(w); err != nil {
		t.Errorf("going on: %v", err)
	}
}

// TestNetworkGoesAway for a moment while a task runs, and for longer.
func TestNetworkGoesAway(t *testing.T) {
	l := newLab(t).withTemplate()
	w := want()
	w.Nodes = w.Nodes[:1]
	cloning, lost, most := false, 0, 5
	l.lose = func(req soap.HasFault) error {
		switch req.(type) {
		case *methods.CloneVM_TaskBody:
			cloning = true
		case *methods.RetrievePropertiesBody, *methods.RetrievePropertiesExBody:
			if cloning && lost < most {
				lost++
				return errors.New("connection reset by peer")
			}
		}
		return nil
	}
	if _, err := l.deploys(w); err != nil || lost != most {
		t.Fatalf("for a moment: %v", err)
	}
	w.Nodes = want().Nodes[1:2]
	cloning, lost, most = false, 0, mostBlind
	if _, err := l.deploys(w); err == nil || !strings.HasPrefix(err.Error(), "cloning demo-n2: looking at Task:") || !strings.Contains(err.Error(), "connection reset by peer\nhint: vCenter goes on with it") {
		t.Fatalf("for longer: %v", err)
	}
	if p, err := l.deploys(w); err != nil || !strings.HasPrefix(p.String(), "adjust         demo-n2") {
		t.Errorf("the next run: %v\n%s", err, p)
	}
}

// TestPasswordIsRefusedOnce: an expired session whose password was changed costs one login, not one a call.
func TestPasswordIsRefusedOnce(t *testing.T) {
	l := newLab(t).withTemplate()
	l.expire()
	l.fails("Login", &types.InvalidLogin{}, "Cannot complete login due to an incorrect user name or password.", 0)
	l.calls = nil
	for range 3 {
		if _, err := l.deploys(want()); err == nil || !strings.Contains(err.Error(), "incorrect user name") {
			t.Errorf("got %v", err)
		}
	}
	logins := slices.DeleteFunc(slices.Clone(l.calls), func(method string) bool { return method != "Login" })
	if len(logins) != 1 {
		t.Errorf("%d logins", len(logins))
	}
}

// TestWithoutDRS: vCenter chooses no host then, so we do, in turn, and none that is in maintenance.
func TestWithoutDRS(t *testing.T) {
	l := newLab(t)
	s, err := l.locate(t.Context(), want().Place)
	if err != nil {
		t.Fatal(err)
	}
	_, err = l.run(t.Context(), func(ctx context.Context) (*object.Task, error) {
		return s.cluster.Reconfigure(ctx, &types.ClusterConfigSpecEx{DrsConfig: &types.ClusterDrsConfigInfo{Enabled: types.NewBool(false)}}, true)
	})
	if err != nil {
		t.Fatal(err)
	}
	hosts, err := s.cluster.Hosts(t.Context())
	if err != nil || len(hosts) != 3 {
		t.Fatalf("%d hosts, %v", len(hosts), err)
	}
	_, err = l.run(t.Context(), func(ctx context.Context) (*object.Task, error) {
		return hosts[0].EnterMaintenanceMode(ctx, 0, false, nil)
	})
	if err != nil {
		t.Fatal(err)
	}
	named := map[string]bool{}
	l.meet = func(req soap.HasFault) {
		switch r := req.(type) {
		case *methods.CloneVM_TaskBody:
			named["clone"] = r.Req.Spec.Location.Host != nil
		case *methods.ImportVAppBody:
			named["import"] = r.Req.Host != nil
		case *methods.CreateImportSpecBody:
			named["spec"] = r.Req.Cisp.(*types.OvfCreateImportSpecParams).HostSystem != nil
		}
	}
	l.withTemplate()
	w := want()
	if _, err := l.deploys(w); err != nil {
		t.Fatal(err)
	}
	if !named["clone"] || !named["import"] || !named["spec"] {
		t.Errorf("a host is named in %v", named)
	}
	on := map[types.ManagedObjectReference]int{}
	for _, n := range w.Nodes {
		on[*l.vm(n.VM).Runtime.Host]++
	}
	if len(on) != 2 || on[hosts[0].Reference()] != 0 || on[hosts[1].Reference()] < 3 {
		t.Errorf("machines by host: %v", on)
	}
}

// TestMoved: a machine in another folder is found by its tag, and no second one is made.
func TestMoved(t *testing.T) {
	l := newLab(t).withTemplate()
	w := want()
	if _, err := l.deploys(w); err != nil {
		t.Fatal(err)
	}
	s, err := l.locate(t.Context(), w.Place)
	if err != nil {
		t.Fatal(err)
	}
	attic, err := s.folder.CreateFolder(t.Context(), "attic")
	if err != nil {
		t.Fatal(err)
	}
	_, err = l.run(t.Context(), func(ctx context.Context) (*object.Task, error) {
		return attic.MoveInto(ctx, []types.ManagedObjectReference{l.vm("demo-n2").Self})
	})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := l.deploys(w); err == nil || !strings.HasPrefix(err.Error(), `node "n2": its machine "demo-n2" is in another folder`) {
		t.Errorf("got %v", err)
	}
}

// TestVanished: a machine that somebody deletes between two calls does not fail the second.
func TestVanished(t *testing.T) {
	l := newLab(t).withTemplate()
	there, gone := l.vm("demo").Self, types.ManagedObjectReference{Type: "VirtualMachine", Value: "vm-gone"}
	all, err := l.machines(t.Context(), []types.ManagedObjectReference{gone, there})
	if err != nil || len(all) != 1 || all[0].Name != "demo" {
		t.Errorf("%v, %v", all, err)
	}
	if err := l.remove(t.Context(), gone); err != nil {
		t.Errorf("removing it: %v", err)
	}
}

// TestConfigIsSentOnce: vCenter records what changes are sent, so the config is in one call only, and in no later one.
func TestConfigIsSentOnce(t *testing.T) {
	l := newLab(t).withTemplate()
	w := want()
	w.Nodes = w.Nodes[:1]
	var sent []string
	look := func(call string, options []types.BaseOptionValue) {
		for _, o := range options {
			if v := o.GetOptionValue(); v.Key == ova.KeyData {
				sent = append(sent, call+" "+v.Value.(string))
			}
		}
	}
	l.meet = func(req soap.HasFault) {
		switch r := req.(type) {
		case *methods.CloneVM_TaskBody:
			look("clone", r.Req.Spec.Config.ExtraConfig)
		case *methods.ReconfigVM_TaskBody:
			look("change", r.Req.Spec.ExtraConfig)
		}
	}
	if _, err := l.deploys(w); err != nil {
		t.Fatal(err)
	}
	if got := strings.Join(sent, "; "); got != "clone secret-of-n1; change " {
		t.Errorf("sent %q", got)
	}
}

// TestOtherNameOfVCenter: uploads go to the name that vCenter has for itself; the pinned certificate is enough there.
func TestOtherNameOfVCenter(t *testing.T) {
	l := newLab(t)
	other := *l.url
	other.User, other.Host = nil, net.JoinHostPort("localhost", l.url.Port())
	request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, other.String(), nil)
	if err != nil {
		t.Fatal(err)
	}
	response, err := l.bare.Client.Client.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	response.Body.Close()
}

// TestProxyAndPin: through a proxy another certificate would do, so that is refused; other hosts are reached.
func TestProxyAndPin(t *testing.T) {
	through := func(*http.Request) (*url.URL, error) { return &url.URL{Host: "proxy.example.org:3128"}, nil }
	guarded := withoutProxy(through, "vcenter.example.org")
	ask := func(host string) (*url.URL, error) {
		return guarded(&http.Request{URL: &url.URL{Scheme: "https", Host: host}})
	}
	if _, err := ask("vcenter.example.org:443"); err == nil || !strings.Contains(err.Error(), "through the proxy proxy.example.org:3128\nhint: ") {
		t.Errorf("vCenter: %v", err)
	}
	if p, err := ask("esxi.example.org"); err != nil || p == nil {
		t.Errorf("another host: %v, %v", p, err)
	}
}

// TestWordsOfREST: sentences instead of JSON.
func TestWordsOfREST(t *testing.T) {
	const answer = `400 Bad Request: {"type":"com.vmware.vapi.std.errors.already_exists","value":{"messages":[{"args":["demo"],"default_message":"An item with name demo already exists.","id":"x"}]}}`
	if got := said(errors.New(answer)).Error(); got != "vCenter says: An item with name demo already exists." {
		t.Errorf("got %s", got)
	}
	for _, other := range []string{"400 Bad Request: <html>", "400 Bad Request: {}", "400 Bad Request: [1]", "no route to host"} {
		if got := said(errors.New(other)).Error(); got != other {
			t.Errorf("got %s, want %s", got, other)
		}
	}
}

// TestLacking names privilege and object, as old and new vCenters say them.
func TestLacking(t *testing.T) {
	ref := types.ManagedObjectReference{Type: "Folder", Value: "group-v3"}
	for want, f := range map[string]*types.NoPermission{
		"this privilege on the object":                       {},
		"VirtualMachine.Inventory.Create on Folder:group-v3": {Object: &ref, PrivilegeId: "VirtualMachine.Inventory.Create"},
		"a, b on Folder:group-v3": {Object: &ref, PrivilegeId: "a", MissingPrivileges: []types.NoPermissionEntityPrivileges{
			{Entity: ref, PrivilegeIds: []string{"a", "b"}},
		}},
	} {
		if got := (&TaskError{Words: "no", Fault: f}).Error(); got != "vCenter says: no\nhint: give the user of GOVC_USERNAME "+want {
			t.Errorf("got %s, want %s", got, want)
		}
	}
}

// TestNamesOfHosts: the inventory writes a slash as %2f, hosts do not, and both are the same port group.
func TestNamesOfHosts(t *testing.T) {
	backing := func(name string) types.BaseVirtualDeviceBackingInfo {
		return &types.VirtualEthernetCardNetworkBackingInfo{VirtualDeviceDeviceBackingInfo: types.VirtualDeviceDeviceBackingInfo{DeviceName: name}}
	}
	if a, b := backingKey(backing("10.0.0.0%2f24")), backingKey(backing("10.0.0.0/24")); a != b || a != "network 10.0.0.0/24" {
		t.Errorf("%q, %q", a, b)
	}
	m := Machine{Extra: map[string]string{}}
	m.keep(&types.OptionValue{Key: "disk.enableUUID", Value: "TRUE"})
	if m.Extra[keyUUID] != "TRUE" {
		t.Errorf("%v", m.Extra)
	}
}
