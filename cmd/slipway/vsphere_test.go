package main

import (
	"bytes"
	"context"
	"crypto/sha256"
	"crypto/tls"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"
	"github.com/vmware/govmomi/simulator"
	_ "github.com/vmware/govmomi/vapi/simulator"
	"github.com/vmware/govmomi/vim25/types"

	"slipway/cluster"
	"slipway/cluster/ignition"
	"slipway/firstboot/peer"
	"slipway/firstboot/status"
	"slipway/internal/grain"
	"slipway/ova"
	"slipway/ova/vmdk"
)

const vcenterPassword = "correct-horse-battery"

// vcenter is a simulated vCenter: one datacenter, one cluster, one datastore, no machines.
type vcenter struct {
	model *simulator.Model
	url   *url.URL
	cert  []byte
}

func newVCenter() (*vcenter, func(), error) {
	m := simulator.VPX()
	m.Machine, m.Datastore, m.Host = 0, 1, 0
	if err := m.Create(); err != nil {
		return nil, nil, err
	}
	m.Service.RegisterEndpoints, m.Service.TLS = true, new(tls.Config)
	m.Service.Listen = &url.URL{User: url.UserPassword("operator", vcenterPassword)}
	server := m.Service.NewServer()
	u := *server.URL
	u.User = nil
	return &vcenter{m, &u, server.Certificate().Raw}, func() { server.Close(); m.Remove() }, nil
}

// ownVCenter runs one until the test ends, which knows it by its environment.
func ownVCenter(t *testing.T) (v *vcenter, env map[string]string) {
	t.Helper()
	v, stop, err := newVCenter()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(stop)
	env = v.env()
	for key, value := range env {
		t.Setenv(key, value)
	}
	return v, env
}

// demoOVA is a package in a folder of the test's.
func demoOVA(t *testing.T) string {
	t.Helper()
	pack := filepath.Join(t.TempDir(), "demo.ova")
	if err := writeOVA(pack, "disk of the test"); err != nil {
		t.Fatal(err)
	}
	return pack
}

func (v *vcenter) env() map[string]string {
	return map[string]string{
		"GOVC_URL": v.url.String(), "GOVC_USERNAME": "operator", "GOVC_PASSWORD": vcenterPassword, "GOVC_INSECURE": "", "GOVC_TLS_CA_CERTS": "",
		"THUMBPRINT": fmt.Sprintf("%X", sha256.Sum256(v.cert)),
	}
}

// startVCenter is the script command vcsim: it sets GOVC_* and THUMBPRINT, and writes the certificate to vcenter.pem.
func startVCenter(ts *testscript.TestScript, _ bool, _ []string) {
	v, stop, err := newVCenter()
	ts.Check(err)
	ts.Defer(stop)
	for key, value := range v.env() {
		ts.Setenv(key, value)
	}
	ts.Check(os.WriteFile(ts.MkAbs("vcenter.pem"), pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: v.cert}), 0o644))
}

// makeOVA is the script command ova FILE TEXT: a package with a disk of 8 GiB that begins with the text.
func makeOVA(ts *testscript.TestScript, _ bool, args []string) {
	if len(args) != 2 {
		ts.Fatalf("usage: ova FILE TEXT")
	}
	ts.Check(writeOVA(ts.MkAbs(args[0]), args[1]))
}

func writeOVA(name, text string) error {
	disk := name + ".vmdk"
	defer os.Remove(disk)
	out, err := os.Create(disk)
	if err != nil {
		return err
	}
	defer out.Close()
	info, err := vmdk.Write(context.Background(), out, grain.ReaderAt(strings.NewReader(text), int64(len(text))), vmdk.Options{})
	if err != nil {
		return err
	}
	data, err := os.ReadFile(disk)
	if err != nil {
		return err
	}
	var pack bytes.Buffer
	err = ova.Write(context.Background(), &pack, ova.Package{
		Name: "demo", Product: ova.Product{Name: "Slipway", Vendor: "Slipway", Version: "1"}, Time: time.Unix(0, 0),
		Hardware: ova.Hardware{CPUs: 2, MemoryMiB: 4096, Networks: []string{"nodes"}},
		Disks: []ova.Disk{{File: "demo.vmdk", Capacity: info.Capacity, Size: info.Size, SHA256: sha256.Sum256(data),
			Open: func() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(data)), nil }}},
	})
	if err != nil {
		return err
	}
	return os.WriteFile(name, pack.Bytes(), 0o644)
}

const vsphereSpec = statusSpec + `vsphere:
  network: VM Network
  machines:
    all: {cpus: 4, disk: 20GiB}
`

// TestVSphere is the life of a cluster on a vCenter, with nodes that really answer at their peer API.
func TestVSphere(t *testing.T) {
	_, env := ownVCenter(t)
	spec, addresses, _ := vsphereNodes(t)
	pack := demoOVA(t)
	pin := "--thumbprint=" + env["THUMBPRINT"]
	for _, step := range []struct {
		args []string
		want []string // lines that must be there
	}{
		{[]string{"import", pack}, []string{"demo: template of image sha256:"}},
		{[]string{"import", pack}, []string{"demo: the template is of this image already, nothing was changed\n"}},
		{append([]string{"deploy"}, addresses...), []string{
			"demo-n1: cloned: 4 CPUs, 4096 MiB, disk of 20480 MiB, on VM Network\n", "demo-n1: switched on\n", "n1: etcd waiting", "demo-n1: scrubbed by the node itself\n",
			"demo-n1: its config is removed from vCenter\n", "demo-n2: its config is removed from vCenter\n",
		}},
		{append([]string{"deploy"}, addresses...), []string{"demo-n1: nothing to do\ndemo-n2: nothing to do\nnothing was changed\n"}},
		{[]string{"status"}, []string{"NODE  VM       POWER  MARKED  GUESTINFO  DIFFERS\nn1    demo-n1  on     yes     scrubbed   -\nn2    demo-n2  on     yes     scrubbed   -\n"}},
		{[]string{"status", "--json"}, []string{`[{"node":"n1","vm":"demo-n1","power":"on","ours":true,"tagged":true,"guestinfo":"scrubbed"}`}},
		{[]string{"destroy", "--yes", "n2"}, []string{"demo-n2: switched off\ndemo-n2: deleted\n"}},
		{[]string{"status"}, []string{"n2    demo-n2  absent  -       absent     -\n"}},
		{[]string{"destroy", "--yes"}, []string{"demo-n1: switched off\ndemo-n1: deleted\n"}},
		{[]string{"destroy", "--yes"}, []string{"there is nothing of this cluster, nothing was changed\n"}},
	} {
		code, out := slipway(t, append([]string{"vsphere", step.args[0], "-f", spec, pin}, step.args[1:]...)...)
		for _, want := range step.want {
			if code != exitOK || !strings.Contains(out, want) {
				t.Fatalf("%v: exit %d:\n%swant in it:\n%s", step.args, code, out, want)
			}
		}
		if strings.Contains(out, vcenterPassword) {
			t.Errorf("%v printed the password:\n%s", step.args, out)
		}
	}
}

// vsphereNodes writes a spec with its secrets, and answers as its nodes.
func vsphereNodes(t *testing.T) (spec string, addresses []string, nodes []*statusNode) {
	t.Helper()
	spec = filepath.Join(t.TempDir(), "cluster.yaml")
	if err := os.WriteFile(spec, []byte(vsphereSpec), 0o644); err != nil {
		t.Fatal(err)
	}
	if code, out := slipway(t, "pki", "init", "-f", spec); code != exitOK {
		t.Fatal(out)
	}
	if code, out := slipway(t, "ignition", "-f", spec, "-o", t.TempDir()); code != exitOK {
		t.Fatal(out)
	}
	loaded, err := cluster.Load(spec)
	if err != nil {
		t.Fatal(err)
	}
	p, dir, err := (&clusterOptions{spec: spec}).openPKI()
	if err != nil {
		t.Fatal(err)
	}
	defer dir.Close()
	all, set, err := ignition.Contracts(loaded.Spec, p)
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range all {
		node := &statusNode{doc: status.Document{Node: c.Node, Step: "etcd", State: status.Waiting, Steps: []status.Step{{Name: status.ScrubStep, State: status.Done}}}}
		nodes = append(nodes, node)
		o, _ := serverOptions(t, set, c, node)
		server, err := peer.NewServer(o)
		if err != nil {
			t.Fatal(err)
		}
		listener, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		go server.Serve(listener)
		t.Cleanup(func() { server.Close() })
		addresses = append(addresses, "--address", c.Node+"="+listener.Addr().String())
	}
	return spec, addresses, nodes
}

// TestVSphereScrubFollowsTheNode: vCenter's copy of a config is removed after the node has scrubbed its own, not when it
// answers; until then status says that it is there.
func TestVSphereScrubFollowsTheNode(t *testing.T) {
	_, env := ownVCenter(t)
	spec, addresses, nodes := vsphereNodes(t)
	done := nodes[0].Status(peer.Caller{})
	nodes[0].set(status.Document{Node: "n1", Step: status.ScrubStep, State: status.Failed, LastError: "read-only file system", Steps: []status.Step{{Name: status.ScrubStep, State: status.Failed}}})
	pack := demoOVA(t)
	common := []string{"-f", spec, "--thumbprint", env["THUMBPRINT"]}
	do := func(code int, want string, verb string, args ...string) {
		t.Helper()
		if got, out := slipway(t, append(append([]string{"vsphere", verb}, common...), args...)...); got != code || !strings.Contains(out, want) {
			t.Errorf("%s %v: exit %d, want %q in\n%s", verb, args, got, want, out)
		}
	}
	do(exitOK, "demo: template", "import", pack)
	do(exitFailed, "waiting for demo-n1: it has not scrubbed its config within 300ms: scrub failed: read-only file system", "deploy", append(addresses, "--timeout", "300ms")...)
	do(exitOK, "n1    demo-n1  on     yes     present    -\nn2    demo-n2  on     yes     scrubbed   -\n", "status")
	nodes[0].set(done)
	do(exitOK, "demo-n1: its config is removed from vCenter\n", "deploy", addresses...)
	do(exitOK, "n1    demo-n1  on     yes     scrubbed   -\n", "status")
	do(exitOK, "demo-n2: deleted\ndemo-n2: cloned: ", "deploy", append(addresses, "--replace", "n2")...)
}

// TestVSphereTimeout is a node's own: what another one does not say in its time takes nothing from it.
func TestVSphereTimeout(t *testing.T) {
	_, env := ownVCenter(t)
	spec, addresses, nodes := vsphereNodes(t)
	waiting := status.Document{Step: status.ScrubStep, State: status.Working, Steps: []status.Step{{Name: status.ScrubStep, State: status.Working}}}
	done := nodes[1].doc
	nodes[0].set(waiting)
	nodes[1].set(waiting)
	nodes[1].asked = func() { time.AfterFunc(time.Second, func() { nodes[1].set(done) }) }
	pack := demoOVA(t)
	pin := "--thumbprint=" + env["THUMBPRINT"]
	if code, out := slipway(t, "vsphere", "import", pack, "-f", spec, pin); code != exitOK {
		t.Fatal(out)
	}
	code, out := slipway(t, append([]string{"vsphere", "deploy", "-f", spec, pin, "--timeout", "4s"}, addresses...)...)
	if code != exitFailed || !strings.Contains(out, "waiting for demo-n1: it has not scrubbed its config within 4s") || !strings.Contains(out, "demo-n2: its config is removed from vCenter\n") {
		t.Errorf("exit %d:\n%s", code, out)
	}
}

// TestVSphereTakenBack: machines that a failed deployment takes back are not reported as cloned.
func TestVSphereTakenBack(t *testing.T) {
	v, env := ownVCenter(t)
	spec, addresses, _ := vsphereNodes(t)
	pack := demoOVA(t)
	common := []string{"-f", spec, "--thumbprint", env["THUMBPRINT"]}
	if code, out := slipway(t, append([]string{"vsphere", "import", pack}, common...)...); code != exitOK {
		t.Fatal(out)
	}
	v.model.Service.AddFaultRule(&simulator.FaultInjectionRule{
		MethodName: "PowerOnVM_Task", ObjectType: "*", ObjectName: "*", Probability: 1, FaultType: simulator.FaultTypeCustom,
		Fault: &types.SystemError{}, Message: "No host is compatible.", Enabled: true,
	})
	deploy := append(append([]string{"vsphere", "deploy"}, common...), addresses...)
	code, out := slipway(t, deploy...)
	for _, want := range []string{"demo-n1: cloned: ", "\ndemo-n2: taken back: tag\n", "\ndemo-n2: taken back: clone\n", "\ndemo-n1: taken back: clone\n", "No host is compatible."} {
		if code != exitFailed || !strings.Contains(out, want) {
			t.Errorf("exit %d, want %q in\n%s", code, want, out)
		}
	}
	var doc, errOut bytes.Buffer
	code = run(t.Context(), append(deploy, "--json"), strings.NewReader(""), &doc, &errOut)
	var r struct {
		Actions []action
		Error   string
	}
	if err := json.Unmarshal(doc.Bytes(), &r); err != nil || code != exitFailed || r.Error == "" {
		t.Fatalf("exit %d, %v: %s", code, err, doc.String())
	}
	back := map[string]int{}
	for _, a := range r.Actions {
		if a.Do != "take back" {
			t.Errorf("reported as done: %+v", a)
		}
		back[a.On+" "+a.Detail]++
	}
	if back["demo-n1 clone"] != 1 || back["demo-n2 clone"] != 1 {
		t.Errorf("taken back: %v", back)
	}
}

// TestVSphereInterrupted: Ctrl-C in the middle of the upload exits with 130 and leaves neither item nor library.
func TestVSphereInterrupted(t *testing.T) {
	v, env := ownVCenter(t)
	ctx, interrupt := context.WithCancel(t.Context())
	defer interrupt()
	const dataPath = "/rest/com/vmware/cis/data/"
	request, err := http.NewRequest(http.MethodPut, dataPath, nil)
	if err != nil {
		t.Fatal(err)
	}
	next, _ := v.model.Service.ServeMux.Handler(request)
	v.model.Service.ServeMux.HandleFunc(dataPath, func(w http.ResponseWriter, r *http.Request) {
		if strings.HasSuffix(r.URL.Path, ".vmdk") {
			interrupt()
		}
		next.ServeHTTP(w, r)
	})
	dir := t.TempDir()
	spec, pack := filepath.Join(dir, "cluster.yaml"), filepath.Join(dir, "demo.ova")
	if err := errors.Join(os.WriteFile(spec, []byte(vsphereSpec), 0o644), writeOVA(pack, "disk of the test")); err != nil {
		t.Fatal(err)
	}
	args := []string{"vsphere", "import", pack, "-f", spec, "--thumbprint", env["THUMBPRINT"]}
	var out bytes.Buffer
	if code := run(ctx, args, strings.NewReader(""), &out, &out); code != exitCanceled || !strings.HasSuffix(out.String(), "slipway: interrupted\n") {
		t.Errorf("exit %d: %s", code, out.String())
	}
	code, text := slipway(t, append(args, "--dry-run")...)
	if code != exitOK || !strings.HasPrefix(text, "make library   slipway\nupload         slipway/demo") {
		t.Errorf("left something behind: exit %d, the next plan is\n%s", code, text)
	}
}
