package firstboot

import (
	"cmp"
	"context"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"slipway/firstboot/kube"
	"slipway/firstboot/status"
	"slipway/internal/testtool"
	"slipway/roles"
)

// TestScrub: everything that holds a config goes, the rest stays, and the kubelet starts only after that.
func TestScrub(t *testing.T) {
	w := newWorld(t, single(t))
	secret := map[string]bool{
		"/run/ignition/base.ign": true, "/run/ignition/neednet": false, "/run/ignition/cached": true,
		"/etc/.ignition-result.json": false, "/var/lib/ignition/user.ign": true, "/boot/ignition/config": true,
	}
	w.put("/run/ignition/neednet", "")
	w.put("/run/ignition/cached", `{"ignition":{},"storage":{"files":[]}}`)
	w.put("/etc/.ignition-result.json", `{"provisioningDate":"2026-06-01"}`)
	for _, name := range []string{"/run/ignition/base.ign", "/var/lib/ignition/user.ign", "/boot/ignition/config"} {
		w.put(name, "{}")
	}
	if last := w.form(5 * time.Minute); !last.Serving {
		t.Fatalf("not serving: %+v", last)
	}
	for name, gone := range secret {
		if _, err := os.Lstat(w.path(name)); os.IsNotExist(err) != gone {
			t.Errorf("%s: gone should be %v, error %v", name, gone, err)
		}
	}
}

// TestScrubFails: a config that cannot be removed stops the kubelet, and the status names the file.
func TestScrubFails(t *testing.T) {
	w := newWorld(t, single(t))
	w.removeOff = true
	last := w.form(time.Minute)
	if last.Step != "scrub" || last.State != status.Failed || !strings.Contains(last.LastError, "/run/ignition.json") {
		t.Errorf("status %+v", last)
	}
	if _, running := w.units["kubelet.service"]; running {
		t.Error("the kubelet runs")
	}
}

// TestScrubVMware: the guest variables are replaced and read back; others are not touched.
func TestScrubVMware(t *testing.T) {
	w := newWorld(t, single(t))
	w.put("/sys/class/dmi/id/sys_vendor", "VMware, Inc.\n")
	w.guest = map[string]string{
		"guestinfo.ignition.config.data": "c2VjcmV0", "guestinfo.hostname": "n1",
		"guestinfo.ovfEnv": `<Property oe:key="guestinfo.ignition.config.data" oe:value="c2VjcmV0"/>`,
	}
	if last := w.form(5 * time.Minute); !last.Serving {
		t.Fatalf("not serving: %+v", last)
	}
	want := map[string]string{
		"guestinfo.ignition.config.data": "e30K", "guestinfo.ignition.config.data.encoding": "base64",
		"guestinfo.ovfEnv": "<Environment/>", "guestinfo.hostname": "n1",
	}
	for name, value := range want {
		if w.guest[name] != value {
			t.Errorf("%s is %q, want %q", name, w.guest[name], value)
		}
	}
}

// TestStaleFiles: what an earlier version rendered goes away; what is not slipwayd's stays.
func TestStaleFiles(t *testing.T) {
	w := newWorld(t, single(t))
	w.out.Files = append(w.out.Files, roles.File{Path: "/etc/slipway/old", Mode: 0o600, Content: []byte("old")})
	w.out.Units = append(w.out.Units, roles.Unit{Name: "old.service", Content: []byte("[Service]\n")})
	w.put("/etc/slipway/user", "mine")
	w.form(5 * time.Minute)
	if _, err := os.Stat(w.path("/etc/slipway/old")); err != nil {
		t.Fatal(err)
	}
	w.out, _ = roles.Render(w.cfg)
	w.out.Files[0].Content = append(w.out.Files[0].Content, '\n')
	w.out.Units[0].Content = append(w.out.Units[0].Content, '\n')
	w.form(5 * time.Minute)
	if got := w.known[w.out.Units[0].Name]; got != string(w.out.Units[0].Content) {
		t.Errorf("systemd goes by the former %s: %q", w.out.Units[0].Name, got)
	}
	for name, there := range map[string]bool{"/etc/slipway/old": false, unitDir + "old.service": false, "/etc/slipway/user": true} {
		if _, err := os.Stat(w.path(name)); os.IsNotExist(err) == there {
			t.Errorf("%s: there should be %v, error %v", name, there, err)
		}
	}
	if _, known := w.known["old.service"]; known {
		t.Error("systemd still knows the old unit")
	}
	got, err := os.ReadFile(w.path(w.out.Files[0].Path))
	if err != nil || string(got) != string(w.out.Files[0].Content) {
		t.Errorf("the changed file: %q, %v", got, err)
	}
}

// TestContainerdConfig: a runtime that was running before its config came is started again.
func TestContainerdConfig(t *testing.T) {
	w := newWorld(t, single(t))
	w.units["containerd.service"] = w.now
	w.form(5 * time.Minute)
	if got := strings.Join(w.acted, "\n"); strings.Count(got, "systemctl restart containerd.service") != 1 {
		t.Errorf("acts:\n%s", got)
	}
}

// TestUnitStates: every answer of systemd has one reading.
func TestUnitStates(t *testing.T) {
	for _, test := range []struct {
		show, want string
	}{
		{"LoadState=loaded\nActiveState=active\nSubState=running\nResult=success\nJob=0\n", "ok"},
		{"LoadState=loaded\nActiveState=activating\nSubState=start\nResult=success\nJob=7\n", "wait x.service to become ready"},
		{"LoadState=loaded\nActiveState=inactive\nSubState=dead\nResult=success\nJob=7\n", "wait x.service to become ready"},
		{"LoadState=loaded\nActiveState=inactive\nSubState=dead\nResult=success\nJob=\n", "act x.service to start"},
		{"LoadState=loaded\nActiveState=failed\nSubState=failed\nResult=exit-code\nJob=\n", "act x.service to start"},
		{"LoadState=loaded\nActiveState=activating\nSubState=auto-restart\nResult=exit-code\nJob=\n", "x.service keeps failing (exit-code): main.go:1] it broke"},
		{"LoadState=not-found\nActiveState=inactive\nSubState=dead\n", "there is no x.service on this node"},
	} {
		n := &machine{Host: Host{Run: showRunner(test.show), Clock: WallClock(time.Now)}}
		found, err := n.lookAt(context.Background(), "x.service")
		got := map[bool]string{true: "ok"}[found.done]
		switch {
		case err != nil:
			got = err.Error()
		case found.act:
			got = "act " + found.waiting
		case !found.done:
			got = "wait " + found.waiting
		}
		if got != test.want {
			t.Errorf("%q: %s, want %s", test.show, got, test.want)
		}
	}
}

// TestOneLook: steps that look at their units in the same moment start systemctl once, and what was done to a unit is seen at once.
func TestOneLook(t *testing.T) {
	w := newWorld(t, single(t))
	w.form(5 * time.Minute)
	n := w.node
	names := []string{"etcd.service", "kubelet.service", "chrony.service"}
	var starts atomic.Int32
	n.Run = countedRunner{n.Run, &starts, systemctl}
	look := func(what string, want int32, active bool) {
		t.Helper()
		starts.Store(0)
		for _, name := range names {
			if u, err := n.unit(t.Context(), name); err != nil || u.load != "loaded" || (u.active == "active") != active && name == "kubelet.service" {
				t.Errorf("%s: %s is %+v, %v", what, name, u, err)
			}
		}
		if got := starts.Load(); got != want {
			t.Errorf("%s: systemctl was started %d times, want %d", what, got, want)
		}
	}
	w.now = w.now.Add(sameMoment)
	look("at first", 1, true)
	look("at once again", 0, true)
	w.now = w.now.Add(sameMoment)
	delete(w.units, "kubelet.service")
	look("a moment later", 1, false)
	if err := n.change(t.Context(), "start", "--no-block", "kubelet.service"); err != nil {
		t.Fatal(err)
	}
	w.units["kubelet.service"] = w.now.Add(-time.Minute)
	look("after a start", 1, true)
	n.Run = showRunner("LoadState=loaded\n")
	w.now = w.now.Add(sameMoment)
	if _, err := n.unit(t.Context(), "etcd.service"); err == nil || !strings.Contains(err.Error(), "systemctl tells of 1 units") {
		t.Errorf("of an answer that is not about all: %v", err)
	}
}

// showRunner answers every systemctl show alike.
type showRunner string

func (r showRunner) Run(_ context.Context, name string, _ ...string) (string, error) {
	if name == "journalctl" {
		return "E0601 12:00:00.000001    4711 main.go:1] it broke\n", nil
	}
	return string(r), nil
}

func (r showRunner) Feed(ctx context.Context, _, name string, args ...string) (string, error) {
	return r.Run(ctx, name, args...)
}

// TestPrefix: the real file system writes whole files with the mode asked for, and leaves nothing beside them.
func TestPrefix(t *testing.T) {
	root := Prefix(t.TempDir())
	if err := root.MkdirAll("/a/b", 0o755); err != nil {
		t.Fatal(err)
	}
	for _, text := range []string{"one", "two"} {
		if err := root.WriteFile("/a/b/f", []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		if got, err := root.ReadFile("/a/b/f"); err != nil || string(got) != text {
			t.Errorf("read %q, %v", got, err)
		}
	}
	info, err := root.Stat("/a/b/f")
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("stat %v, %v", info, err)
	}
	if found, err := root.Glob("/a/b/*"); err != nil || strings.Join(found, " ") != "/a/b/f" {
		t.Errorf("found %q, %v", found, err)
	}
	if hidden, _ := filepath.Glob(filepath.Join(string(root), "a/b/.*")); len(hidden) > 0 {
		t.Errorf("left behind: %q", hidden)
	}
	if err := errors.Join(root.Remove("/a/b/f"), root.Remove("/a/b/f")); err != nil {
		t.Error(err)
	}
	if err := root.WriteFile("/nowhere/f", nil, 0o600); err == nil {
		t.Error("writing into a folder that is not there went well")
	}
}

// underStrace makes TestPrefixSyncs do its work in the folder that it names, and nothing else.
const underStrace = "SLIPWAY_TEST_PREFIX"

// TestPrefixSyncs watches the system calls: what package disk promises on a Disk, Prefix has from the kernel.
func TestPrefixSyncs(t *testing.T) {
	if dir := os.Getenv(underStrace); dir != "" {
		root := Prefix(dir)
		err := errors.Join(root.MkdirAll("/a/b", 0o755), root.WriteFile("/a/b/f", []byte("x"), 0o600),
			root.Rename("/a/b/f", "/a/b/g"), root.Remove("/a/b/g"))
		if err != nil {
			t.Fatal(err)
		}
		return
	}
	dir, trace := t.TempDir(), filepath.Join(t.TempDir(), "trace")
	cmd := exec.Command(testtool.Find(t, "strace"), "-f", "-y", "-qq", "-e", "trace=fsync,renameat,unlinkat", "-o", trace, os.Args[0], "-test.run=^TestPrefixSyncs$")
	cmd.Env = append(os.Environ(), underStrace+"="+dir)
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	text, err := os.ReadFile(trace)
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for line := range strings.Lines(string(text)) {
		if call := regexp.MustCompile(`(\w+)\(.*` + regexp.QuoteMeta(dir) + `([^">]*)`).FindStringSubmatch(line); call != nil {
			got = append(got, call[1]+" "+cmp.Or(regexp.MustCompile(`\.slipway-\d+`).ReplaceAllString(call[2], "TEMP"), "/"))
		}
	}
	want := `fsync /
fsync /a
fsync /a/b/TEMP
renameat /a/b/f
fsync /a/b
renameat /a/b/g
fsync /a/b
unlinkat /a/b/g
fsync /a/b`
	if calls := strings.Join(got, "\n"); calls != want {
		t.Errorf("system calls:\n%s\nwant:\n%s", calls, want)
	}
}

// TestExec: the real runner says which program failed and what it said.
func TestExec(t *testing.T) {
	out, err := Exec{}.Run(context.Background(), "/bin/sh", "-c", "echo out; echo bad   thing >&2; exit 3")
	if out != "out\n" || err == nil || err.Error() != "running sh: exit status 3: bad thing" {
		t.Errorf("%q, %v", out, err)
	}
	if out, err := (Exec{}).Feed(context.Background(), "fed", "/bin/cat"); out != "fed" || err != nil {
		t.Errorf("%q, %v", out, err)
	}
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Millisecond)
	defer cancel()
	if _, err := (Exec{}).Run(ctx, "/bin/sleep", "10"); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("error %v", err)
	}
}

func TestUnwell(t *testing.T) {
	for want, err := range map[string]error{
		"x to be ready: etcd failed":         &kube.StatusError{Code: 500, Message: "etcd failed"},
		"x to answer: dial: not on this day": errors.New("dial: not on this day"),
	} {
		if got := unwell("x", err); got.done || got.act || got.waiting != want {
			t.Errorf("got %+v, want %q", got, want)
		}
	}
}
