package firstboot

import (
	"context"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"slipway/firstboot/journal"
	"slipway/firstboot/status"
	"slipway/node"
	"slipway/roles"
	"slipway/roles/worker"
)

// fakeWorld is a machine with its disk, its systemd and the cluster on it. Its state prints as sorted text.
type fakeWorld struct {
	t      *testing.T
	cfg    *node.Config
	out    roles.Output
	root   string
	now    time.Time
	boot   int
	units  map[string]time.Time // running since; gone at a power cut
	other  []string             // nodes on which etcd members of the same cluster run
	ready  bool                 // the own etcd member has been in a quorum since it started
	guest  map[string]string    // VMware variables
	peers  fakePeers
	routes map[string]map[string]string // by destination, as ip prints them
	ca     *x509.CertPool               // the peer CA, where a test signs entries
	node   *machine                     // of the last start
	api    *fakeAPI
	store  *fakeImages
	mu     sync.Mutex // over what is written side by side: the cluster, and the log
	log    []string
	wrong  []string // what must never happen
	asked  []string // names of the requests whose approval the API server was asked for

	segment Wire
	haproxy string // what it says of its only server

	known     map[string]string // units as systemd has read them
	removeOff bool              // Remove does nothing, as on a file system that cannot be written

	acts, crashAt int // every change is an act; the process dies at number crashAt
	crashAfter    bool
	acted         []string
}

// crash is what ends the process in the middle of something.
type crash struct{ act string }

// change does something that lasts, or dies before or after it.
func (w *fakeWorld) change(act string, do func() error) error {
	w.acts++
	w.acted = append(w.acted, act)
	if w.acts == w.crashAt && !w.crashAfter {
		panic(crash{act})
	}
	err := do()
	if w.acts == w.crashAt {
		panic(crash{act})
	}
	return err
}

func newWorld(t *testing.T, cfg *node.Config) *fakeWorld {
	t.Helper()
	out, err := roles.Render(cfg)
	if err != nil {
		t.Fatal(err)
	}
	return newWorldWith(t, cfg, out)
}

// newWorldWith is for tests that need many worlds of one rendering.
func newWorldWith(t *testing.T, cfg *node.Config, out roles.Output) *fakeWorld {
	w := &fakeWorld{
		t: t, cfg: cfg, out: out, root: t.TempDir(), now: time.Date(2026, 6, 1, 12, 0, 0, 0, time.UTC),
		guest: map[string]string{}, peers: fakePeers{}, segment: &fakeWire{},
	}
	w.api, w.store = newFakeAPI(w), newFakeImages(w)
	w.put("/run/ignition.json", `{"storage":{}}`)
	w.put("/sys/class/dmi/id/sys_vendor", "QEMU\n")
	w.powerOn()
	return w
}

func (w *fakeWorld) path(name string) string { return filepath.Join(w.root, name) }

// put places a file that the world brings; it is no act.
func (w *fakeWorld) put(name, content string) {
	w.t.Helper()
	if err := os.MkdirAll(filepath.Dir(w.path(name)), 0o755); err != nil {
		w.t.Fatal(err)
	}
	if err := os.WriteFile(w.path(name), []byte(content), 0o644); err != nil {
		w.t.Fatal(err)
	}
}

// powerOn starts the machine: nothing runs yet. What was in memory is gone, except for what a first boot leaves there.
func (w *fakeWorld) powerOn() {
	w.boot++
	w.units, w.known, w.ready = map[string]time.Time{}, map[string]string{}, false
	w.routes = map[string]map[string]string{}
	w.store.powerCut()
	if w.boot > 1 {
		if err := os.RemoveAll(w.path("/run")); err != nil {
			w.t.Fatal(err)
		}
	}
	w.put(bootIDPath, fmt.Sprintf("boot-%d\n", w.boot))
}

// start makes the daemon's engine on what is on the disk now.
func (w *fakeWorld) start() (*Engine, *[]status.Document) {
	w.t.Helper()
	j, lost := journal.Open(fakeFS{Prefix(w.root), w}, w.cfg.EtcdToken())
	instance, fleeting := openInstance(fakeFS{Prefix(w.root), w}, strings.NewReader("sixteen random bytes"))
	host := Host{FS: fakeFS{Prefix(w.root), w}, Run: fakeRunner{w}, Clients: w.api, Clock: fakeClock{w}, Wire: w.segment, Sockets: fakeSockets(w.haproxy)}
	n := newMachine(host, w.cfg, w.ca, instance, w.out, j, w.peers, func(format string, args ...any) {
		w.mu.Lock()
		defer w.mu.Unlock()
		w.log = append(w.log, fmt.Sprintf(format, args...))
	})
	n.noteMemory(lost, fleeting)
	w.node = n
	var said []status.Document
	e := &Engine{
		Node: w.cfg.Node, Steps: n.plan(), Clock: host.Clock, Journal: j, Notices: n.notices.List,
		Report: func(d status.Document) { said = append(said, d) },
	}
	return e, &said
}

// form runs the daemon until it serves or limit has passed on the world's clock, and gives its last status.
func (w *fakeWorld) form(limit time.Duration) status.Document {
	w.t.Helper()
	e, said := w.start()
	for end := w.now.Add(limit); w.now.Before(end); {
		w.node.meetAll(context.Background())
		if err := e.Pass(context.Background()); err != nil {
			w.t.Fatal(err)
		}
		if e.Serving() {
			break
		}
		if err := e.Clock.Sleep(context.Background(), e.pause()); err != nil {
			w.t.Fatal(err)
		}
	}
	return (*said)[len(*said)-1]
}

// String is the state as sorted text: what runs, what is on the disk, what is in the cluster. Times are left out.
func (w *fakeWorld) String() string {
	var lines []string
	for name := range w.units {
		lines = append(lines, "unit "+name)
	}
	for name, value := range w.guest {
		lines = append(lines, "guest "+name+" "+value)
	}
	lines = append(lines, w.api.lines()...)
	lines = append(lines, w.store.lines()...)
	err := filepath.WalkDir(w.root, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		info, err := d.Info()
		if err != nil {
			return err
		}
		data, err := os.ReadFile(path)
		name := strings.TrimPrefix(path, w.root)
		if name == journal.Path || strings.HasPrefix(name, "/proc/") {
			return err
		}
		lines = append(lines, fmt.Sprintf("file %s %o %s", name, info.Mode().Perm(), sum(data)[:8]))
		return err
	})
	if err != nil {
		w.t.Fatal(err)
	}
	lines = append(lines, w.journalLines()...)
	slices.Sort(lines)
	return strings.Join(lines, "\n") + "\n"
}

func (w *fakeWorld) journalLines() []string {
	s, err := journal.Open(Prefix(w.root), w.cfg.EtcdToken())
	if err != nil {
		w.t.Fatal(err)
	}
	j := s.Get()
	lines := []string{fmt.Sprintf("journal token=%s started=%s formed=%v", j.Token, j.Started, j.Formed)}
	for _, e := range j.Steps {
		lines = append(lines, "journal step "+e.Step)
	}
	return lines
}

// fakeFS counts changes, and leaves out the syncs, which are package disk's own test.
type fakeFS struct {
	Prefix
	w *fakeWorld
}

func (f fakeFS) MkdirAll(name string, mode fs.FileMode) error {
	return os.MkdirAll(f.w.path(name), mode)
}

func (f fakeFS) Rename(from, to string) error {
	return f.w.change("rename "+from, func() error { return os.Rename(f.w.path(from), f.w.path(to)) })
}

func (f fakeFS) WriteFile(name string, data []byte, mode fs.FileMode) error {
	return f.w.change("write "+name, func() error {
		tmp := f.w.path(name) + ".new"
		return errors.Join(os.WriteFile(tmp, data, mode), os.Chmod(tmp, mode), os.Rename(tmp, f.w.path(name)))
	})
}

func (f fakeFS) Remove(name string) error {
	return f.w.change("remove "+name, func() error {
		if f.w.removeOff {
			return nil
		}
		return os.Remove(f.w.path(name))
	})
}

// fakeClock is the world's clock: sleeping makes it later.
type fakeClock struct{ w *fakeWorld }

func (c fakeClock) Now() time.Time { return c.w.now }

func (c fakeClock) Sleep(ctx context.Context, d time.Duration) error {
	c.w.now = c.w.now.Add(d)
	return ctx.Err()
}

// fakeRunner is systemd, containerd and the VMware tools.
type fakeRunner struct{ w *fakeWorld }

func (r fakeRunner) Run(ctx context.Context, name string, args ...string) (string, error) {
	return r.Feed(ctx, "", name, args...)
}

func (r fakeRunner) Feed(_ context.Context, input, name string, args ...string) (string, error) {
	switch line := strings.Join(append([]string{name}, args...), " "); {
	case strings.HasPrefix(line, "systemctl show "):
		return shows(args, r.w.show), nil
	case strings.HasPrefix(line, "systemctl start "), strings.HasPrefix(line, "systemctl restart "):
		return "", r.w.change(line, func() error { return r.w.startUnit(args[len(args)-1], args[0] == "restart") })
	case line == "systemctl daemon-reload":
		return "", r.w.change(line, func() error { return r.w.readUnits() })
	case name == "ip":
		return r.w.ip(input, args)
	case name == "ctr":
		return r.w.store.ctr(args)
	case name == "sync":
		return "", r.w.store.sync()
	case name == "vmware-rpctool":
		return r.w.rpc(args[0])
	case name == "journalctl":
		return "E0601 12:00:00.000001    4711 main.go:1] it broke\n", nil
	}
	return "", fmt.Errorf("running %s: not in this world", name)
}

// ip shows and changes routes, which are gone at a power cut.
func (w *fakeWorld) ip(input string, args []string) (string, error) {
	if input == "" {
		text, err := json.Marshal(slices.Collect(maps.Values(w.routes)))
		return string(text), err
	}
	return "", w.change("ip "+strings.Join(args, " "), func() error {
		for line := range strings.Lines(input) {
			f := strings.Fields(line) // route add DST via GATEWAY proto NUMBER
			if f[1] == "del" {
				delete(w.routes, f[2])
			} else {
				w.routes[f[2]] = map[string]string{"dst": f[2], "gateway": f[4], "protocol": f[6]}
			}
		}
		return nil
	})
}

// distroUnits come with the image.
var distroUnits = []string{"containerd.service", "chrony.service", "docker.socket"}

// notifying units need a moment until they are ready.
var notifying = []string{"etcd.service", "kube-apiserver.service", "kubelet.service", "slipway-apilb.service", flannelUnit}

func (w *fakeWorld) active(name string) bool {
	since, running := w.units[name]
	if !running || slices.Contains(notifying, name) && w.now.Before(since.Add(3*time.Second)) {
		return false
	}
	if name != "etcd.service" {
		return true
	}
	w.ready = w.ready || w.quorum() // etcd says once that it is ready, and nothing when it loses the others again
	return w.ready
}

// quorum says whether the own etcd member and those elsewhere are a majority.
func (w *fakeWorld) quorum() bool {
	_, running := w.units["etcd.service"]
	return running && len(w.other)+1 > len(w.cfg.WithRole(node.Etcd))/2
}

// shows is what systemctl show prints of all units that it is asked for.
func shows(args []string, one func(unit string) string) string {
	var blocks []string
	for _, a := range args[1:] {
		if !strings.HasPrefix(a, "-") {
			blocks = append(blocks, one(a))
		}
	}
	return strings.Join(blocks, "\n")
}

func (w *fakeWorld) show(name string) string {
	load, state := "loaded", "inactive"
	if _, known := w.known[name]; !known && !slices.Contains(distroUnits, name) {
		if data, err := os.ReadFile(w.path(unitDir + name)); err == nil { // systemd reads a unit when it is first asked for it
			w.known[name] = string(data)
		} else {
			load = "not-found"
		}
	}
	if _, running := w.units[name]; running {
		state = "activating"
	}
	if w.active(name) {
		state = "active"
	}
	return fmt.Sprintf("LoadState=%s\nActiveState=%s\nSubState=dead\nResult=success\nJob=\n", load, state)
}

func (w *fakeWorld) readUnits() error {
	entries, err := os.ReadDir(w.path(unitDir))
	w.known = map[string]string{}
	for _, e := range entries {
		data, err := os.ReadFile(w.path(unitDir + e.Name()))
		if err != nil {
			return err
		}
		w.known[e.Name()] = string(data)
	}
	return err
}

// startUnit starts a unit with what it does at once, and watches over what must never happen.
func (w *fakeWorld) startUnit(name string, again bool) error {
	if _, running := w.units[name]; running && !again {
		return nil
	}
	switch name {
	case "etcd.service":
		if err := w.startEtcd(); err != nil {
			return err
		}
	case flannelUnit:
		w.startFlannel()
	case "kubelet.service":
		if _, err := os.Stat(w.path("/run/ignition.json")); err == nil {
			w.wrong = append(w.wrong, "the kubelet started before the scrub")
		}
		w.api.kubeletStarted()
	}
	w.units[name] = w.now
	return nil
}

// startFlannel writes what it found, if it finds where its node's pods are.
func (w *fakeWorld) startFlannel() {
	if w.api.ownNode().Spec.PodCIDR == "" {
		w.wrong = append(w.wrong, "flannel started before there are pods for it")
	}
	w.put(worker.FlannelSubnet, "FLANNEL_NETWORK=10.244.0.0/16\nFLANNEL_SUBNET=10.244.0.1/24\nFLANNEL_MTU=1450\nFLANNEL_IPMASQ=false\n")
}

func (w *fakeWorld) startEtcd() error {
	env, err := os.ReadFile(w.path(etcdEnv))
	if err != nil {
		return err
	}
	logs, _ := filepath.Glob(w.path("/var/lib/etcd/member/wal/*.wal"))
	if len(logs) > 0 {
		return nil
	}
	if !strings.Contains(string(env), "ETCD_INITIAL_CLUSTER_STATE=new\n") {
		w.wrong = append(w.wrong, "etcd started without data, and not as new")
		return nil
	}
	if len(w.api.objects) > 0 {
		w.wrong = append(w.wrong, "a second cluster was formed")
	}
	w.put("/var/lib/etcd/member/wal/0.wal", w.cfg.EtcdToken())
	return nil
}

func (w *fakeWorld) rpc(command string) (string, error) {
	verb, rest, _ := strings.Cut(command, " ")
	name, value, _ := strings.Cut(rest, " ")
	if verb == "info-set" {
		return "", w.change("guest "+name, func() error { w.guest[name] = value; return nil })
	}
	if v, ok := w.guest[name]; ok {
		return v + "\n", nil
	}
	return "", errors.New("running vmware-rpctool: exit status 1: No value found")
}
