//go:build fleet

package fleet_test

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"go.yaml.in/yaml/v3"
)

const (
	bridge  = "switch"
	gateway = "10.99.0.1" // of every topology: the test's own address
)

// fleet is the nodes of one spec. All of its methods end the test when they fail.
type fleet struct {
	t     *testing.T
	image *image
	dir   string
	spec  string
	vip   string // empty when there is none
	nodes map[string]*node
	order []string
	why   string // the test ended
}

// node is one machine: a container, or a virtual one (virtual_test.go). Its disk outlives it: PowerCut and Start are a power cut,
// Wipe makes it blank.
type node struct {
	name, address string
	card          string // its network card's name
	roles         []string
	id            int
	dir           string
	nspawn        *exec.Cmd
	init          int           // the container's first process, 0 when it is off
	off           chan struct{} // closed when it is off
}

// newFleet renders the spec's node configs and connects its machines, which are off and blank.
func newFleet(t *testing.T, spec string) *fleet {
	t.Helper()
	im, err := theImage()
	if err != nil {
		t.Fatal(err)
	}
	f := &fleet{t: t, image: im, dir: filepath.Join(im.dir, strings.ReplaceAll(t.Name(), "/", "-")), nodes: map[string]*node{}}
	if err := os.RemoveAll(f.dir); err != nil {
		t.Fatal(err)
	}
	if err := os.MkdirAll(f.dir, 0o755); err != nil {
		t.Fatal(err)
	}
	f.spec = filepath.Join(f.dir, "cluster.yaml")
	if err := adapt(spec, f.spec); err != nil {
		t.Fatal(err)
	}
	f.slipway("pki", "init", "-f", f.spec)
	f.slipway("ignition", "-f", f.spec, "-o", f.dir)
	t.Cleanup(f.close)
	f.read()
	return f
}

// adapt makes a spec fit for the switch: in its subnet, with the test as the balancer that is somebody else's, and with the cards
// named, as a card without a name may be none that has a kind, which these have.
func adapt(from, to string) error {
	data, err := os.ReadFile(from)
	if err != nil {
		return err
	}
	text := strings.NewReplacer("10.0.0.", "10.99.0.", "10.77.0.", "10.99.0.", "api.example.com", gateway).Replace(string(data))
	var doc map[string]any
	if err := yaml.Unmarshal([]byte(text), &doc); err != nil {
		return fmt.Errorf("reading %s: %w", from, err)
	}
	for _, n := range doc["nodes"].([]any) {
		if n := n.(map[string]any); n["interface"] == nil {
			n["interface"] = map[string]any{"name": "eth0"}
		}
	}
	if data, err = yaml.Marshal(doc); err != nil {
		return err
	}
	return os.WriteFile(to, data, 0o644)
}

// read learns the nodes from the spec, and plugs each into the switch.
func (f *fleet) read() {
	f.t.Helper()
	data, err := os.ReadFile(f.spec)
	if err != nil {
		f.fatal(err)
	}
	var doc struct {
		Network struct{ VIP string }
		Nodes   []struct {
			Name, Address string
			Roles         []string
			Interface     struct{ Name string }
		}
	}
	if err := yaml.Unmarshal(data, &doc); err != nil {
		f.fatal(err)
	}
	f.vip = doc.Network.VIP
	for i, n := range doc.Nodes {
		address, _, _ := strings.Cut(n.Address, "/")
		f.nodes[n.Name] = &node{name: n.Name, address: address, card: n.Interface.Name, roles: n.Roles, id: i, dir: filepath.Join(f.dir, n.Name)}
		f.order = append(f.order, n.Name)
		f.plug(f.nodes[n.Name])
	}
}

// plug makes the node's network namespace, with one card, eth0.
func (f *fleet) plug(n *node) {
	f.t.Helper()
	if n.isVirtual() {
		f.plugVirtual(n)
		return
	}
	must(f.t, "ip", "netns", "add", n.name)
	must(f.t, "ip", "link", "add", n.port(), "type", "veth", "peer", "name", "eth0", "address", n.mac(), "netns", n.name)
	must(f.t, "ip", "link", "set", n.port(), "master", bridge)
	must(f.t, "ip", "-n", n.name, "link", "set", "lo", "up")
}

// port is the node's end at the switch.
func (n *node) port() string { return fmt.Sprintf("port%d", n.id) }

func (n *node) etcUpper() string { return filepath.Join(n.dir, "var/lib/slipway/etc/upper") }
func (n *node) root() string     { return filepath.Join(n.dir, "root") }

// with are the nodes of a role.
func (f *fleet) with(role string) []*node {
	var found []*node
	for _, name := range f.order {
		if slices.Contains(f.nodes[name].roles, role) {
			found = append(found, f.nodes[name])
		}
	}
	return found
}

func (f *fleet) node(name string) *node {
	f.t.Helper()
	n, ok := f.nodes[name]
	if !ok {
		f.fatalf("no node %s", name)
	}
	return n
}

// Start switches machines on; without names all of them.
func (f *fleet) Start(names ...string) {
	f.t.Helper()
	if len(names) == 0 {
		names = f.order
	}
	for _, name := range names {
		n := f.node(name)
		if n.init != 0 {
			f.fatalf("%s is on", name)
		}
		if err := f.boot(n); err != nil {
			f.fatalf("starting %s: %v", name, err)
		}
	}
}

// boot is what the initrd does, and then the image's systemd as the container's first process.
func (f *fleet) boot(n *node) error {
	if n.isVirtual() {
		return f.bootVirtual(n)
	}
	first, err := f.mountState(n)
	if err != nil {
		return err
	}
	if first {
		config := filepath.Join(f.dir, fmt.Sprintf("%s.%s.ign", f.cluster(), n.name))
		if err := command(f.image.ignition, "--root", n.root(), config); err != nil {
			return err
		}
	}
	if err := command("ip", "link", "set", n.port(), "up"); err != nil {
		return err
	}
	console, err := os.OpenFile(filepath.Join(n.dir, "console.log"), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o644)
	if err != nil {
		return err
	}
	defer console.Close()
	fmt.Fprintln(console, powerOn)
	cmd := exec.Command("systemd-nspawn", "-q", "-D", n.root(), "-M", n.name, "--register=no", "--keep-unit",
		"--network-namespace-path=/run/netns/"+n.name, "--capability=all", "--bind=/dev/kmsg", "--console=read-only",
		"--resolv-conf=off", "--timezone=off", "--link-journal=no", "--boot")
	cmd.Env = append(os.Environ(), "SYSTEMD_NSPAWN_UNIFIED_HIERARCHY=1", "SYSTEMD_NSPAWN_API_VFS_WRITABLE=network", "SYSTEMD_NSPAWN_LOCK=0")
	cmd.Stdout, cmd.Stderr = console, console
	group, err := n.makeCgroup()
	if err != nil {
		return err
	}
	defer group.Close()
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true, UseCgroupFD: true, CgroupFD: int(group.Fd())}
	if err := cmd.Start(); err != nil {
		return err
	}
	n.nspawn, n.off = cmd, make(chan struct{})
	go func() {
		cmd.Wait()
		close(n.off)
	}()
	if err := n.findInit(); err != nil {
		return err
	}
	return n.pretendKernel()
}

// powerOn is written to a console when its machine is switched on.
const powerOn = "fleet: power on"

// mountState puts /var and /etc's overlay over the image's root, as the initrd does, and says whether this is the first
// boot of a blank machine.
func (f *fleet) mountState(n *node) (first bool, err error) {
	state := filepath.Join(n.dir, "var")
	if _, err := os.Stat(state); errors.Is(err, os.ErrNotExist) {
		first = true
		if err := os.MkdirAll(n.dir, 0o755); err != nil {
			return false, err
		}
		if err := command("cp", "-a", filepath.Join(f.image.root, "usr/share/slipway/factory/var"), state); err != nil {
			return false, err
		}
	}
	work := filepath.Join(filepath.Dir(n.etcUpper()), "work")
	for _, dir := range []string{n.root(), n.etcUpper(), work} {
		if err := os.MkdirAll(dir, 0o755); err != nil {
			return false, err
		}
	}
	return first, errors.Join(
		command("mount", "--bind", f.image.root, n.root()),
		command("mount", "--bind", state, filepath.Join(n.root(), "var")),
		command("mount", "-t", "overlay", "overlay", "-o", fmt.Sprintf("lowerdir=%s/etc,upperdir=%s,workdir=%s", f.image.root, n.etcUpper(), work), filepath.Join(n.root(), "etc")))
}

// findInit waits for the container's first process: the child of systemd-nspawn that is number 1 of its own namespace. An
// earlier child makes that namespace, and ends.
func (n *node) findInit() error {
	children := fmt.Sprintf("/proc/%d/task/%d/children", n.nspawn.Process.Pid, n.nspawn.Process.Pid)
	for end := time.Now().Add(10 * time.Second); time.Now().Before(end); time.Sleep(10 * time.Millisecond) {
		text, _ := os.ReadFile(children)
		for _, pid := range strings.Fields(string(text)) {
			about, _ := os.ReadFile("/proc/" + pid + "/status")
			if firstOfItsOwn.Match(about) {
				n.init, _ = strconv.Atoi(pid)
				return nil
			}
		}
		select {
		case <-n.off:
			said, _ := os.ReadFile(filepath.Join(n.dir, "console.log"))
			return fmt.Errorf("systemd-nspawn ended: %s", tail(string(said), 5))
		default:
		}
	}
	return errors.New("systemd-nspawn has no child")
}

// pretendKernel shows the node what it would have of a kernel of its own: the sysctls that the kubelet wants and would set, which are
// the host's here, so that a container cannot, and its own console by the names of the consoles that the host has.
func (n *node) pretendKernel() error {
	const script = `set -e
for s in vm/overcommit_memory=1 kernel/panic=10 kernel/panic_on_oops=1; do
  file=/dev/sysctl-${s//[^a-z]/}
  echo ${s#*=} > $file
  mount --bind $file /proc/sys/${s%=*}
done
for console in $(cat /sys/class/tty/console/active); do
  [ -e /dev/$console ] || ln -s console /dev/$console
done`
	var err error
	for range 50 { // /proc comes some time after the process
		if err = command("nsenter", "-t", fmt.Sprint(n.init), "-m", "/bin/bash", "-c", script); err == nil {
			return nil
		}
		time.Sleep(20 * time.Millisecond)
	}
	return err
}

// firstOfItsOwn is a line of proc(5)'s status: a process's number here, and in its own namespace.
var firstOfItsOwn = regexp.MustCompile(`(?m)^NSpid:\t\d+\t1$`)

func (n *node) mustBeOn(t *testing.T) {
	t.Helper()
	select {
	case <-n.off:
		t.Fatalf("%s went off by itself", n.name)
	default:
	}
}

// PowerCut switches machines off as a power cut does: no process gets to do anything more, and the card is dead.
func (f *fleet) PowerCut(names ...string) {
	f.t.Helper()
	for _, name := range names {
		n := f.node(name)
		if n.init == 0 {
			f.fatalf("%s is off", name)
		}
		must(f.t, "ip", "link", "set", n.port(), "down")
		if err := syscall.Kill(n.init, syscall.SIGKILL); err != nil && !errors.Is(err, syscall.ESRCH) {
			f.fatalf("cutting %s's power: %v", name, err)
		}
		select {
		case <-n.off:
		case <-time.After(20 * time.Second):
			f.fatalf("%s does not go off", name)
		}
		n.init, n.nspawn = 0, nil
		if err := f.unmount(n); err != nil {
			f.fatal(err)
		}
	}
}

// Unplug pulls the card of a machine that runs, Plug puts it back.
func (f *fleet) Unplug(name string) { f.link(name, "down") }
func (f *fleet) Plug(name string)   { f.link(name, "up") }

func (f *fleet) link(name, to string) {
	f.t.Helper()
	must(f.t, "ip", "link", "set", f.node(name).port(), to)
}

func (f *fleet) unmount(n *node) error {
	if n.isVirtual() {
		return nil
	}
	return errors.Join(removeCgroup(n.cgroup()), command("umount", filepath.Join(n.root(), "etc")), command("umount", filepath.Join(n.root(), "var")), command("umount", n.root()))
}

// Wipe makes machines that are off as blank as they came.
func (f *fleet) Wipe(names ...string) {
	f.t.Helper()
	for _, name := range names {
		n := f.node(name)
		if n.init != 0 {
			f.fatalf("%s is on", name)
		}
		if err := errors.Join(os.RemoveAll(filepath.Join(n.dir, "var")), os.RemoveAll(filepath.Join(n.dir, "disk.qcow2"))); err != nil {
			f.fatal(err)
		}
	}
}

// close switches everything off and unplugs it.
func (f *fleet) close() {
	if f.t.Failed() {
		f.explain()
		f.t.Logf("%s failed: %s", f.t.Name(), cmp.Or(f.why, "see its errors above"))
	}
	for _, name := range f.order {
		if f.nodes[name].init != 0 {
			f.PowerCut(name)
		}
		must(f.t, "ip", "link", "del", f.nodes[name].port()) // its namespace goes some time after its name
		if !f.nodes[name].isVirtual() {
			must(f.t, "ip", "netns", "del", name)
		}
	}
}

// fatal ends the test. What it says is said again below what the nodes said, where a reader of a long log begins.
func (f *fleet) fatal(args ...any) {
	f.t.Helper()
	f.why = fmt.Sprint(args...)
	f.t.Fatal(args...)
}

func (f *fleet) fatalf(format string, args ...any) {
	f.t.Helper()
	f.fatal(fmt.Sprintf(format, args...))
}

// In runs a shell script in a node and returns what it printed.
func (f *fleet) In(name, script string) (string, error) {
	n := f.node(name)
	cmd := exec.Command("nsenter", "-t", fmt.Sprint(n.init), "-m", "-p", "-n", "-u", "-i", "/bin/bash", "-c", script)
	var out, errOut bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &errOut
	if err := cmd.Run(); err != nil {
		return out.String(), fmt.Errorf("in %s: %s: %w\n%s", name, script, err, errOut.String())
	}
	return strings.TrimSpace(out.String()), nil
}

// Wait waits until good says nil, and otherwise shows what it said last.
func (f *fleet) Wait(limit time.Duration, what string, good func() error) time.Duration {
	f.t.Helper()
	begin := time.Now()
	for {
		err := good()
		if err == nil {
			return time.Since(begin)
		}
		if time.Since(begin) > limit {
			f.fatalf("%s: not after %v: %v", what, limit, err)
		}
		time.Sleep(f.pause())
	}
}

// explain shows what each node said last.
func (f *fleet) explain() {
	for _, name := range f.order {
		said, _ := os.ReadFile(filepath.Join(f.nodes[name].dir, "console.log"))
		f.t.Logf("console of %s:\n%s", name, tail(string(said), 12))
		if n := f.nodes[name]; n.init != 0 && !n.isVirtual() {
			journal, _ := f.In(name, "systemctl --failed --no-legend --plain; journalctl -b -p warning --no-pager -o cat | tail -n 15")
			f.t.Logf("journal of %s:\n%s", name, journal)
		}
	}
}

func (f *fleet) cluster() string {
	f.t.Helper()
	var doc struct{ Cluster string }
	if err := json.Unmarshal([]byte(f.slipway("validate", "-f", f.spec, "--json")), &doc); err != nil {
		f.fatal(err)
	}
	return doc.Cluster
}

func (f *fleet) slipway(args ...string) string {
	f.t.Helper()
	out, err := f.image.run(f.dir, f.image.slipway(), args...)
	if err != nil {
		f.fatal(err)
	}
	return out
}

// run runs a program of the operator's, and gives what it printed also when it failed.
func (im *image) run(dir, program string, args ...string) (string, error) {
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, program, args...)
	cmd.Dir = dir
	var out, errOut bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &errOut
	err := cmd.Run()
	if err != nil {
		err = fmt.Errorf("%s %s: %w\n%s", filepath.Base(program), strings.Join(args, " "), err, errOut.String())
	}
	return out.String(), err
}

func tail(text string, lines int) string {
	all := strings.Split(strings.TrimRight(text, "\n"), "\n")
	return strings.Join(all[max(0, len(all)-lines):], "\n")
}

// Cut lets two machines not hear each other any more, while all others hear both.
func (f *fleet) Cut(a, b string) {
	f.t.Helper()
	for _, pair := range [][2]string{{a, b}, {b, a}} {
		f.mustIn(pair[0], fmt.Sprintf("nft 'add table inet cut; add chain inet cut in { type filter hook input priority -300; }; add rule inet cut in ip saddr %s drop'", f.node(pair[1]).address))
	}
}

// Heal undoes all cuts between machines that are on; with their power they go as well.
func (f *fleet) Heal() {
	f.t.Helper()
	for _, name := range f.order {
		if f.nodes[name].init != 0 {
			f.mustIn(name, "nft 'add table inet cut; delete table inet cut'")
		}
	}
}

// mustIn is In for what cannot fail.
func (f *fleet) mustIn(name, script string) string {
	f.t.Helper()
	said, err := f.In(name, script)
	if err != nil {
		f.fatal(err)
	}
	return said
}
