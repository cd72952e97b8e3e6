package qemu

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"slipway/internal/testtool"
	"slipway/qemu/lan"
)

// These tests run the real QEMU, but only its firmware: there is nothing on the disks.

func tools(t *testing.T) Tools {
	t.Helper()
	var found Tools
	for name, path := range map[string]*string{ToolQEMU: &found.QEMU, ToolImg: &found.Img} {
		*path = testtool.Find(t, name)
	}
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	found.Switch = []string{self, "switch"}
	return found
}

// TestMain lets Up run this program as the switch.
func TestMain(m *testing.M) {
	if len(os.Args) < 2 || os.Args[1] != "switch" {
		os.Exit(m.Run())
	}
	if err := lan.Serve(context.Background(), lan.Sockets{Uplink: os.Args[3], Nodes: os.Args[4:]}); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

type bench struct {
	m   Manager
	req UpRequest
}

// newBench makes a cluster with an empty image. Its folder's path is longer than a socket address can be.
func newBench(t *testing.T, nodes int) bench {
	t.Helper()
	found := tools(t)
	lab, err := FromSpec(specOf(nodes))
	if err != nil {
		t.Fatal(err)
	}
	dir := filepath.Join(t.TempDir(), strings.Repeat("long", 30))
	b := bench{m: Manager{Dir: filepath.Join(dir, "qemu", "demo"), Lab: lab}}
	b.req.Artefacts = Artefacts{Image: filepath.Join(dir, "demo.raw"), Ignition: map[string]string{}}
	write(t, b.req.Artefacts.Image, make([]byte, 1<<20))
	for _, m := range lab.Machines {
		b.req.Artefacts.Ignition[m.Name] = filepath.Join(dir, m.Name+".ign")
		write(t, b.req.Artefacts.Ignition[m.Name], []byte("{}"))
	}
	b.req.Options = Options{CPUs: 1, MemoryMiB: 256}
	if b.req.Host, err = Inspect(t.Context(), found, TCG, ""); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if _, err := b.m.Down(context.Background(), DownRequest{Hard: true}); err != nil {
			t.Error(err)
		}
	})
	return b
}

func write(t *testing.T, path string, data []byte) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, data, 0o600); err != nil {
		t.Fatal(err)
	}
}

// up runs Up with edits and returns what was done, joined.
func (b bench) up(t *testing.T, edits ...func(*UpRequest)) string {
	t.Helper()
	req := b.req
	for _, e := range edits {
		e(&req)
	}
	reports, err := b.m.Up(t.Context(), req)
	if err != nil {
		t.Fatal(err)
	}
	return did(reports)
}

func (b bench) down(t *testing.T, req DownRequest) string {
	t.Helper()
	reports, err := b.m.Down(t.Context(), req)
	if err != nil {
		t.Fatal(err)
	}
	return did(reports)
}

func did(reports []Report) string {
	var all []string
	for _, r := range reports {
		all = append(all, r.Node+" "+r.Did)
	}
	return strings.Join(all, ", ")
}

func expect(t *testing.T, want, got string) {
	t.Helper()
	if want != got {
		t.Errorf("want %q, got %q", want, got)
	}
}

func fresh(r *UpRequest) { r.Fresh = true }

func TestLifecycle(t *testing.T) {
	b := newBench(t, 1)
	expect(t, "n1 not running", b.down(t, DownRequest{}))
	expect(t, "n1 started", b.up(t))
	expect(t, "n1 already running", b.up(t))
	s, err := b.m.NodeStatus("n1")
	if err != nil || !s.Running || s.Accel != TCG || s.Ports.API == 0 || s.Ports.Peer == s.Ports.API {
		t.Fatalf("status %+v, %v", s, err)
	}
	if _, err := b.m.Up(t.Context(), UpRequest{Artefacts: b.req.Artefacts, Host: b.req.Host, Fresh: true}); !errors.Is(err, errFreshRunning) {
		t.Errorf("a running node got a fresh disk: %v", err)
	}
	marker := filepath.Join(s.Dir, "marker")
	write(t, marker, nil)
	expect(t, "n1 cut", b.down(t, DownRequest{Hard: true}))
	expect(t, "n1 not running", b.down(t, DownRequest{}))
	expect(t, "n1 powered on", b.up(t))
	if after, _ := b.m.NodeStatus("n1"); after.Ports != s.Ports || !isFile(marker) {
		t.Errorf("ports or disk changed over a power cycle: %+v, then %+v", s, after)
	}
	expect(t, "n1 cut: it did not power off in time", b.down(t, DownRequest{Timeout: 10 * time.Millisecond}))
	expect(t, "n1 started", b.up(t, fresh))
	if isFile(marker) {
		t.Error("a fresh start kept the old folder")
	}
	expect(t, "n1 cut", b.down(t, DownRequest{Hard: true, Delete: true}))
	if s, _ := b.m.NodeStatus("n1"); s.Disk || s.Running {
		t.Errorf("deleted, and still there: %+v", s)
	}
}

func TestChangedArtefacts(t *testing.T) {
	b := newBench(t, 1)
	b.up(t)
	b.down(t, DownRequest{Hard: true})
	write(t, b.req.Artefacts.Ignition["n1"], []byte(`{"ignition":{}}`))
	reports, err := b.m.Up(t.Context(), b.req)
	if err != nil || !strings.Contains(reports[0].Note, "only the first boot") {
		t.Fatalf("no word about the changed config: %+v, %v", reports, err)
	}
	b.down(t, DownRequest{Hard: true})
	write(t, b.req.Artefacts.Image, make([]byte, 2<<20))
	if _, err := b.m.Up(t.Context(), b.req); err == nil || !strings.Contains(err.Error(), "--fresh") {
		t.Fatalf("a disk was used on top of another image: %v", err)
	}
	expect(t, "n1 started", b.up(t, fresh))
}

func TestManyNodes(t *testing.T) {
	b := newBench(t, 2)
	only := func(r *UpRequest) { r.Nodes = []string{"n2"} }
	expect(t, "n2 started", b.up(t, only))
	expect(t, "n1 started, n2 already running", b.up(t))
	st, err := LoadState(b.m.Dir)
	if err != nil || !st.Switch.alive() || !st.Network.alive() {
		t.Fatalf("no network runs: %+v, %+v, %v", st.Switch, st.Network, err)
	}
	b.down(t, DownRequest{Hard: true, Nodes: []string{"n1"}})
	if !st.Switch.alive() || !st.Network.alive() {
		t.Error("stopping one node took the network from the other")
	}
	expect(t, "n1 powered on, n2 already running", b.up(t))
	expect(t, "n1 cut, n2 cut", b.down(t, DownRequest{Hard: true}))
	if st.Switch.alive() || st.Network.alive() {
		t.Error("the network still runs with no node on it")
	}
}

func TestUpRefuses(t *testing.T) {
	b := newBench(t, 1)
	taken := func(r *UpRequest) { r.Fixed = map[string]Ports{"n1": {API: busyPort(t)}} }
	for _, tc := range []struct {
		name, want string
		edit       func(*UpRequest)
	}{
		{"no image", "slipway build", func(r *UpRequest) { r.Artefacts.Image += ".gone" }},
		{"no config", "slipway ignition", func(r *UpRequest) { r.Artefacts.Ignition = nil }},
		{"no such node", `no node "n9"`, func(r *UpRequest) { r.Nodes = []string{"n9"} }},
		{"port taken", "is taken", taken},
	} {
		t.Run(tc.name, func(t *testing.T) {
			req := b.req
			tc.edit(&req)
			_, err := b.m.Up(t.Context(), req)
			var input InputError
			if !errors.As(err, &input) || !strings.Contains(err.Error(), tc.want) {
				t.Fatalf("want an input error with %q, got %v", tc.want, err)
			}
			if isFile(filepath.Join(b.m.Dir, "nodes", "n1", fileDisk)) {
				t.Error("a refused start made a disk")
			}
		})
	}
}

func busyPort(t *testing.T) int {
	l, err := listenAny()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	return portOf(l)
}

func TestQEMUThatEnds(t *testing.T) {
	b := newBench(t, 1)
	req := b.req
	req.Host.Code = "/nonexistent/firmware.fd"
	_, err := b.m.Up(t.Context(), req)
	if err == nil || !strings.Contains(err.Error(), "it said") || !strings.Contains(err.Error(), "/nonexistent/firmware.fd") {
		t.Fatalf("want qemu's own words, got %v", err)
	}
	expect(t, "n1 powered on", b.up(t))
}

func TestBusy(t *testing.T) {
	b := newBench(t, 1)
	release, err := lock(b.m.Dir)
	if err != nil {
		t.Fatal(err)
	}
	defer release()
	var busy BusyError
	if _, err := b.m.Up(t.Context(), b.req); !errors.As(err, &busy) || busy.ExitCode() != 4 {
		t.Fatalf("want a busy error, got %v", err)
	}
	release()
}

// A recorded number may by now belong to somebody else.
func TestNeverStopsOthers(t *testing.T) {
	b := newBench(t, 1)
	other := exec.Command("sleep", "100")
	if err := other.Start(); err != nil {
		t.Fatal(err)
	}
	defer func() { other.Process.Kill(); other.Wait() }()
	it := &Running{PID: other.Process.Pid, Dir: mustWd(t), Argv: []string{"sleep", "100"}}
	if err := waitFor(t.Context(), it.alive); err != nil { // just after the start it has no command line yet
		t.Fatal(err)
	}
	if err := os.MkdirAll(b.m.Dir, 0o700); err != nil {
		t.Fatal(err)
	}
	st := State{Machines: map[string]MachineState{"n1": {Process: &Running{PID: other.Process.Pid, Dir: b.m.Dir, Argv: []string{"qemu"}}}}}
	if err := st.save(b.m.Dir); err != nil {
		t.Fatal(err)
	}
	expect(t, "n1 not running", b.down(t, DownRequest{Hard: true}))
	if !it.alive() {
		t.Error("another program was stopped")
	}
}

func mustWd(t *testing.T) string {
	wd, err := os.Getwd()
	if err != nil {
		t.Fatal(err)
	}
	return wd
}

func TestConsole(t *testing.T) {
	b := newBench(t, 1)
	b.up(t)
	s, err := b.m.NodeStatus("n1")
	if err != nil {
		t.Fatal(err)
	}
	write(t, s.Serial, []byte("hello\n"))
	var out bytes.Buffer
	if err := b.m.PrintSerial(t.Context(), "n1", &out, false); err != nil || !strings.HasPrefix(out.String(), "hello\n") {
		t.Errorf("%q, %v", out.String(), err)
	}
	if err := b.m.Attach(t.Context(), "n1", strings.NewReader("abc\x1dnever"), &out); err != nil {
		t.Error(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 3*followEvery)
	defer cancel()
	if err := b.m.PrintSerial(ctx, "n1", &out, true); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("following a running machine ended with %v", err)
	}
	b.down(t, DownRequest{Hard: true})
	if err := b.m.PrintSerial(t.Context(), "n1", &out, true); err != nil {
		t.Errorf("following a stopped machine: %v", err)
	}
	var input InputError
	if err := b.m.Attach(t.Context(), "n1", strings.NewReader(""), &out); !errors.As(err, &input) {
		t.Errorf("attaching to a stopped machine: %v", err)
	}
}
