package vsphere

import (
	"bytes"
	"context"
	"crypto/sha256"
	"crypto/tls"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/vmware/govmomi/simulator"
	_ "github.com/vmware/govmomi/vapi/simulator"
	"github.com/vmware/govmomi/vim25/soap"
	"github.com/vmware/govmomi/vim25/types"

	"slipway/internal/grain"
	"slipway/ova"
	"slipway/ova/vmdk"
)

// lab is a simulated vCenter with a client of ours.
type lab struct {
	t     *testing.T
	model *simulator.Model
	cert  []byte
	pin   string   // thumbprint of its certificate
	url   *url.URL // with user and password
	*Client
	steps *steps
	mu    sync.Mutex                    // of the three below, while a call is on its way out
	calls []string                      // of the client, by method
	meet  func(req soap.HasFault)       // may change a call on its way; may be nil
	lose  func(req soap.HasFault) error // may lose it; may be nil
	while func(req soap.HasFault)       // is called while it is on its way, for several at a time; may be nil
	reply func(res soap.HasFault)       // may change what comes back; may be nil
}

const password = "correct-horse-battery"

// newLab starts a vCenter with one datacenter, one cluster of three hosts and one datastore, over TLS.
func newLab(t *testing.T) *lab {
	t.Helper()
	m := simulator.VPX()
	m.Machine, m.Datastore, m.Host = 0, 1, 0
	if err := m.Create(); err != nil {
		t.Fatal(err)
	}
	m.Service.RegisterEndpoints = true
	m.Service.TLS = new(tls.Config)
	m.Service.Listen = &url.URL{User: url.UserPassword("operator", password)}
	server := m.Service.NewServer()
	l := &lab{t: t, model: m, url: server.URL, steps: &steps{}}
	l.cert = server.Certificate().Raw
	l.pin = fmt.Sprintf("%x", sha256.Sum256(l.cert))
	t.Cleanup(func() { server.Close(); m.Remove() })
	l.Client = l.connect()
	l.bare.RoundTripper = wire{l, l.bare.RoundTripper}
	return l
}

// wire notes and may change what goes to vCenter.
type wire struct {
	l    *lab
	next soap.RoundTripper
}

func (w wire) RoundTrip(ctx context.Context, req, res soap.HasFault) error {
	if err := w.l.out(req); err != nil {
		return err
	}
	if w.l.while != nil {
		w.l.while(req)
	}
	err := w.next.RoundTrip(ctx, req, res)
	if err == nil && w.l.reply != nil {
		w.l.reply(res)
	}
	return err
}

func (l *lab) out(req soap.HasFault) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.calls = append(l.calls, strings.TrimSuffix(strings.TrimPrefix(fmt.Sprintf("%T", req), "*methods."), "Body"))
	if l.meet != nil {
		l.meet(req)
	}
	if l.lose != nil {
		return l.lose(req)
	}
	return nil
}

func (l *lab) endpoint() Endpoint {
	u := *l.url
	u.User = nil
	return Endpoint{URL: &u, User: "operator", Password: password, Thumbprint: l.pin}
}

func (l *lab) connect() *Client {
	l.t.Helper()
	c, err := Connect(l.t.Context(), l.endpoint(), Options{Pause: time.Millisecond, Progress: l.steps})
	if err != nil {
		l.t.Fatal(err)
	}
	l.t.Cleanup(func() { c.Close(context.Background()) })
	return c
}

// steps is people watching.
type steps struct {
	mu     sync.Mutex
	moved  int64
	moving func(int64) // may be nil
}

func (s *steps) Begin(string) {}

func (s *steps) Bytes(done, total int64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if done > total {
		panic(fmt.Sprintf("%d of %d bytes", done, total))
	}
	s.moved = max(s.moved, done)
	if s.moving != nil {
		s.moving(done)
	}
}

func (s *steps) End(string, string, bool) {}

// testOVA makes a package with a disk of 8 GiB that holds text and nothing else.
func testOVA(t *testing.T, text string) []byte {
	t.Helper()
	raw, err := os.Create(filepath.Join(t.TempDir(), "disk.raw"))
	if err == nil {
		_, err = raw.WriteString(text)
	}
	if err == nil {
		err = raw.Truncate(8 << 30)
	}
	if err != nil {
		t.Fatal(err)
	}
	defer raw.Close()
	src, err := grain.File(raw)
	if err != nil {
		t.Fatal(err)
	}
	name := filepath.Join(t.TempDir(), "demo.vmdk")
	out, err := os.Create(name)
	if err != nil {
		t.Fatal(err)
	}
	defer out.Close()
	info, err := vmdk.Write(t.Context(), out, src, vmdk.Options{})
	if err != nil {
		t.Fatal(err)
	}
	disk, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	return pack(t, ova.Disk{
		File: "demo.vmdk", Capacity: info.Capacity, Size: info.Size, SHA256: sha256.Sum256(disk),
		Open: func() (io.ReadCloser, error) { return os.Open(name) },
	})
}

func pack(t *testing.T, disk ova.Disk) []byte {
	t.Helper()
	var out bytes.Buffer
	err := ova.Write(t.Context(), &out, ova.Package{
		Name: "demo", Product: ova.Product{Name: "Slipway", Vendor: "Slipway", Version: "1"}, Time: time.Unix(0, 0),
		Hardware: ova.Hardware{CPUs: 2, MemoryMiB: 2048, Networks: []string{"nodes"}}, Disks: []ova.Disk{disk},
	})
	if err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

func image(t *testing.T, file []byte) Image {
	t.Helper()
	img, err := OpenImage(bytes.NewReader(file), int64(len(file)))
	if err != nil {
		t.Fatal(err)
	}
	return img
}

// tampered changes a byte of the disk inside a package: one in its last grain.
func tampered(t *testing.T, file []byte) []byte {
	t.Helper()
	a, err := ova.Open(bytes.NewReader(file), int64(len(file)))
	if err != nil {
		t.Fatal(err)
	}
	disk, ok := a.Member("demo.vmdk")
	if !ok {
		t.Fatal("no disk")
	}
	out := bytes.Clone(file)
	out[disk.Data+disk.Size-2*512+20] ^= 1
	return out
}

// want is seven nodes, three of them control planes.
func want() Cluster {
	w := Cluster{ID: "demo", Template: "demo", SecureBoot: true, Place: Place{Datacenter: "DC0", Cluster: "DC0_C0", Datastore: "LocalDS_0"}}
	for i := range 7 {
		name := fmt.Sprintf("n%d", i+1)
		w.Nodes = append(w.Nodes, Node{
			Name: name, VM: "demo-" + name, CPUs: 4, MemoryMiB: 8192, Disk: 20 << 30, Network: "VM Network", Spread: i < 3,
			Guestinfo: Guestinfo{Data: "secret-of-" + name, Encoding: "gzip+base64", Digest: Digest([]byte(name))},
		})
	}
	return w
}

func wantImport(img Image) Import {
	return Import{Cluster: "demo", Place: want().Place, Network: "VM Network", Library: "slipway", Name: "demo", Image: img, Method: ByLibrary, Secure: true}
}

// imports runs one import.
func (l *lab) imports(w Import) (Plan, error) {
	p, carryOut, err := l.Prepare(l.t.Context(), w)
	if err != nil {
		return nil, err
	}
	return p, carryOut(l.t.Context())
}

// withTemplate imports, by the quicker way.
func (l *lab) withTemplate() *lab {
	l.t.Helper()
	w := wantImport(image(l.t, testOVA(l.t, "disk of the test")))
	w.Method = ByNFC
	if _, err := l.imports(w); err != nil {
		l.t.Fatal(err)
	}
	return l
}

// deploys runs one deployment, with nodes that report in at once, and gives the plan.
func (l *lab) deploys(w Cluster) (Plan, error) {
	h, err := l.Observe(l.t.Context(), w)
	if err != nil {
		return nil, err
	}
	p, err := NewPlan(w, h)
	if err != nil {
		return nil, err
	}
	return p, l.Deploy(l.t.Context(), w, h, p, Hooks{Wait: func(context.Context, string) error { return nil }})
}

// names lists the machines and templates that there are in the whole vCenter.
func (l *lab) names() string {
	var all []string
	for _, o := range l.model.Map().All("VirtualMachine") {
		all = append(all, o.(*simulator.VirtualMachine).Name)
	}
	return strings.Join(sorted(all), " ")
}

func (l *lab) vm(name string) *simulator.VirtualMachine {
	l.t.Helper()
	for _, o := range l.model.Map().All("VirtualMachine") {
		if vm := o.(*simulator.VirtualMachine); vm.Name == name {
			return vm
		}
	}
	l.t.Fatalf("there is no machine %q, only %s", name, l.names())
	return nil
}

// fails makes the simulator fail a method.
func (l *lab) fails(method string, f types.BaseMethodFault, message string, times int) {
	l.model.Service.AddFaultRule(&simulator.FaultInjectionRule{
		MethodName: method, ObjectType: "*", ObjectName: "*", Probability: 1, FaultType: simulator.FaultTypeCustom,
		Fault: f, Message: message, MaxCount: times, Enabled: true,
	})
}

// answers changes what the REST API answers below a path.
func (l *lab) answers(prefix string, change func(body []byte) []byte) {
	l.t.Helper()
	request, err := http.NewRequest(http.MethodPost, prefix, nil)
	if err != nil {
		l.t.Fatal(err)
	}
	next, _ := l.model.Service.ServeMux.Handler(request)
	l.model.Service.ServeMux.HandleFunc(prefix, func(w http.ResponseWriter, r *http.Request) {
		answer := httptest.NewRecorder()
		next.ServeHTTP(answer, r)
		w.WriteHeader(answer.Code)
		_, _ = w.Write(change(answer.Body.Bytes()))
	})
}

// rests reads a list from the REST API.
func (l *lab) rests(path string) string {
	l.t.Helper()
	var ids []string
	if err := l.rest.Do(l.t.Context(), l.rest.Resource(path).Request(http.MethodGet), &ids); err != nil {
		l.t.Fatal(err)
	}
	return strings.Join(ids, " ")
}
