package kernel

import (
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/rogpeppe/go-internal/txtar"

	"slipway/internal/golden"
)

func TestFilesGolden(t *testing.T) {
	for name, p := range map[string]Profile{"default": Default(), "changed": changed(t)} {
		t.Run(name, func(t *testing.T) {
			files, err := p.Files()
			if err != nil {
				t.Fatal(err)
			}
			compare(t, name, files)
		})
	}
}

// changed is the profile with one of every kind of change.
func changed(t *testing.T) Profile {
	t.Helper()
	p, err := Default().WithModules([]string{"vxlan", "zram"}, []string{"ip_vs_nq", "ip-vs-sed"})
	if err != nil {
		t.Fatal(err)
	}
	p, err = p.WithSysctls(map[string]string{"vm.swappiness": "10", "vm.max_map_count": "262144", "kernel.panic": "", "net.ipv4.vs.conntrack": "1"})
	if err != nil {
		t.Fatal(err)
	}
	p, err = p.WithLimits(map[string]string{"nofile": "1024:524288", "core": "unlimited", "memlock": "65536:infinity"})
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func compare(t *testing.T, name string, files []File) {
	t.Helper()
	var archive txtar.Archive
	for _, f := range files {
		archive.Files = append(archive.Files, txtar.File{Name: fmt.Sprintf("%04o %s", f.Mode, f.Path), Data: f.Content})
	}
	golden.Check(t, "testdata/"+name+".txtar", txtar.Format(&archive))
}

// TestChangesLeaveDefaultAlone guards against a merge that writes into the profile it was called on.
func TestChangesLeaveDefaultAlone(t *testing.T) {
	p := Default()
	if _, err := p.WithModules([]string{"vxlan"}, []string{"overlay"}); err != nil {
		t.Fatal(err)
	}
	if _, err := p.WithSysctls(map[string]string{"kernel.panic": "1", "vm.panic_on_oom": ""}); err != nil {
		t.Fatal(err)
	}
	if _, err := p.WithLimits(map[string]string{"core": "1"}); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(Default(), p); diff != "" {
		t.Errorf("the profile changed under its owner:\n%s", diff)
	}
}

func TestRefusals(t *testing.T) {
	p := Default()
	sysctl := func(key, value string) func() error {
		return func() error { _, err := p.WithSysctls(map[string]string{key: value}); return err }
	}
	limit := func(name, value string) func() error {
		return func() error { _, err := p.WithLimits(map[string]string{name: value}); return err }
	}
	for want, do := range map[string]func() error{
		`removing kernel module "ip_vs_x": not in the profile`: func() error { _, err := p.WithModules(nil, []string{"ip_vs_x"}); return err },
		`adding kernel module "a b": no module name`:           func() error { _, err := p.WithModules([]string{"a b"}, nil); return err },
		`removing sysctl "vm.x": not in the profile`:           sysctl("vm.x", ""),
		`setting sysctl "panic": no key`:                       sysctl("panic", "1"),
		`setting sysctl "a.b=1\nc": no key`:                    sysctl("a.b=1\nc", "1"),
		`holds a control character`:                            sysctl("vm.x", "1\nkernel.panic = 0"),
		`setting limit "stack": not known`:                     limit("stack", "1"),
		`"unlimited" is no number`:                             limit("nofile", "unlimited"),
		`"infinity:infinity" is no number`:                     limit("nofile", "infinity:infinity"),
		`setting sysctl "net.ipv4.conf.*.rp_filter": no key`:   sysctl("net.ipv4.conf.*.rp_filter", "1"),
		`soft value "2:1" is above the hard one`:               limit("nproc", "2:1"),
		`"" is no number`:                                      limit("core", ""),
		`its module "br_netfilter" is not loaded at boot`: func() error {
			changed, err := p.WithModules(nil, []string{"br_netfilter"})
			if err != nil {
				return fmt.Errorf("too early: %w", err)
			}
			_, err = changed.Files()
			return err
		},
		`none known for "debian" "bookworm"`:     func() error { _, err := FindStream("debian", "bookworm", ""); return err },
		`allowed are backports, stable`:          func() error { _, err := FindStream("debian", "trixie", "mainline"); return err },
		`"roothash=11": it is set by the image`:  func() error { _, err := Cmdline("squashfs", "00", []string{"roothash=11"}, true); return err },
		`it is not one kernel argument`:          func() error { _, err := Cmdline("squashfs", "00", []string{"quiet splash"}, true); return err },
		`reading kernel argument "ignition.x=1"`: func() error { _, err := Cmdline("squashfs", "00", []string{"ignition.x=1"}, true); return err },
	} {
		if err := do(); err == nil || !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), "too early") {
			t.Errorf("error %v, want one with %q", err, want)
		}
	}
}

func TestFindStream(t *testing.T) {
	for name, suite := range map[string]string{"": "trixie-backports", "backports": "trixie-backports", "stable": ""} {
		if s, err := FindStream("debian", "trixie", name); err != nil || s.Suite != suite || s.Package != "linux-image-amd64" {
			t.Errorf("FindStream(%q) = %+v, %v; want suite %q", name, s, err, suite)
		}
	}
}

func TestCmdline(t *testing.T) {
	const want = "rootfstype=squashfs ro console=ttyS0 loglevel=4 systemd.show_status=0 systemd.firstboot=no " +
		"systemd.verity=no damon_stat.enabled=N panic=5 console=tty0 roothash=abcd"
	if got, err := Cmdline("squashfs", "abcd", []string{"console=tty0"}, false); err != nil || got != want {
		t.Errorf("Cmdline = %q, %v\nwant      %q", got, err, want)
	}
}

// Without debug nothing opens a shell or starts something else than the node; with it, only what would break the boot is
// refused.
func TestRefuseArgument(t *testing.T) {
	doors := "systemd.debug_shell systemd.debug-shell=1 rd.systemd.debug_shell rd.break rd.break=mount rd.shell systemd.unit=rescue.target " +
		"rd.systemd.unit=emergency.target systemd.wants=debug-shell.service systemd.mask=slipwayd.service systemd.run=/bin/sh systemd.break " +
		"systemd.set_credential=a:b systemd.ssh_listen=vsock:1 emergency rescue single s S -b -s 1 3 kgdboc=ttyS0 systemd.setenv=A=b"
	for _, word := range strings.Fields(doors) {
		if why, hint := RefuseArgument(word, false); why == "" || !strings.Contains(hint, "debug: true") {
			t.Errorf("%s: %q, %q", word, why, hint)
		}
		if why, _ := RefuseArgument(word, true); why != "" {
			t.Errorf("%s with debug: %s", word, why)
		}
	}
	for _, word := range strings.Fields("init=/bin/sh rdinit=/bin/sh root=/dev/sda1 rootfstype=ext4 systemd.verity=no systemd.verity_root_data=/dev/sda ignition.platform.id=x slipway.wipe=demo rw") {
		if why, _ := RefuseArgument(word, true); why == "" {
			t.Errorf("%s is not refused", word)
		}
	}
	for _, word := range strings.Fields("console=tty0 quiet mitigations=off systemd.log_level=info systemd.show_status=1 systemd.watchdog-sec=30 default_hugepagesz=1G root_delay=1 rootdelay=5 s2ram=x") {
		if why, _ := RefuseArgument(word, false); why != "" {
			t.Errorf("%s: %s", word, why)
		}
	}
}

// TestTables guards what the tables promise: no duplicates, a reason for each line, nothing rejected that is set.
func TestTables(t *testing.T) {
	seen := map[string]bool{}
	check := func(kind, name, why string) {
		t.Helper()
		if name == "" || why == "" || seen[kind+name] {
			t.Errorf("%s %q: twice, or without a name or reason", kind, name)
		}
		seen[kind+name] = true
	}
	for _, m := range Modules() {
		check("module ", m.Name, m.Why)
	}
	for _, m := range append(Drivers(), Cards()...) {
		check("driver ", m.Name, m.Why)
	}
	for _, s := range Sysctls() {
		check("sysctl ", s.Key, s.Why)
		if s.Module != sysctlModule(s.Key) {
			t.Errorf("sysctl %q: module %q, the families say %q", s.Key, s.Module, sysctlModule(s.Key))
		}
	}
	for _, l := range Limits() {
		check("limit ", l.Name, l.Why)
		if err := l.check(); err != nil {
			t.Error(err)
		}
	}
	for _, r := range Rejected() {
		check("rejected ", r.Setting, r.Why)
		key, value, _ := strings.Cut(r.Setting, " = ")
		for _, s := range Sysctls() {
			if s.Key == key && s.Value == value {
				t.Errorf("%q is rejected and set", r.Setting)
			}
		}
	}
}
