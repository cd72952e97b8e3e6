package initrd

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"unicode/utf16"

	"slipway/imagebuild/overlay"
)

// world is a folder that stands for / of an initrd, with two consoles, and programs that tests put before the real ones.
type world struct {
	t   *testing.T
	dir string
}

func newWorld(t *testing.T) world {
	t.Helper()
	w := world{t, t.TempDir()}
	w.put("sys/class/tty/console/active", "tty0 ttyS0\n")
	w.put("dev/tty0", "")
	w.put("dev/ttyS0", "")
	w.put("proc/cmdline", "ro roothash="+strings.Repeat("ab", 16)+strings.Repeat("cd", 16)+"\n")
	return w
}

func (w world) path(name string) string { return filepath.Join(w.dir, name) }

func (w world) put(name, text string) {
	w.t.Helper()
	if err := os.MkdirAll(filepath.Dir(w.path(name)), 0o755); err != nil {
		w.t.Fatal(err)
	}
	if err := os.WriteFile(w.path(name), []byte(text), 0o755); err != nil {
		w.t.Fatal(err)
	}
}

func (w world) get(name string) string {
	w.t.Helper()
	b, err := os.ReadFile(w.path(name))
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		w.t.Fatal(err)
	}
	return string(b)
}

// program puts a script before the real program of that name; each run leaves its arguments in ran/NAME.
func (w world) program(name, body string) {
	w.put("programs/"+name, "#!/bin/bash\nmkdir -p $root/ran; echo \"$@\" >> $root/ran/"+name+"\n"+body+"\n")
}

// run runs a script of the module, and says whether it succeeded. What it printed goes into the journal.
func (w world) run(script string, env ...string) (journal string, ok bool) {
	w.t.Helper()
	cmd := exec.Command("bash", filepath.Join("files/dracut", script))
	cmd.Env = append(os.Environ(), append(env, "root="+w.dir, "PATH="+w.path("programs")+":"+os.Getenv("PATH"))...)
	out, err := cmd.CombinedOutput()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		w.t.Fatal(err)
	}
	return string(out), err == nil
}

// says demands words on every console and in the journal.
func (w world) says(journal string, words ...string) {
	w.t.Helper()
	for where, text := range map[string]string{"tty0": w.get("dev/tty0"), "ttyS0": w.get("dev/ttyS0"), "journal": journal} {
		for _, word := range words {
			if !strings.Contains(text, word) {
				w.t.Errorf("%s does not say %q:\n%s", where, word, text)
			}
		}
	}
}

const (
	wal     = "sysroot/var/lib/etcd/member/wal/0.wal"
	journal = "sysroot/var/lib/slipway/journal.json"
	stamp   = "sysroot/var/lib/slipway/first-boot-complete"
	formed  = "{\n  \"version\": 1,\n  \"token\": \"demo/1\",\n  \"formed\": true\n}\n"
	lost    = "{\n  \"version\": 1,\n  \"token\": \"demo/1\",\n  \"formed\": false,\n  \"lost\": true\n}\n"
)

// TestFirstBoot: what is wiped, and what never is.
func TestFirstBoot(t *testing.T) {
	for name, c := range map[string]struct {
		files map[string]string
		wiped bool
		says  string // when it refuses
	}{
		"complete":           {map[string]string{stamp: ""}, false, ""},
		"half done":          {nil, true, ""},
		"began to form":      {map[string]string{journal: "{\"token\": \"demo/1\", \"formed\": false}"}, true, ""},
		"etcd data":          {map[string]string{wal: "x"}, false, "etcd data in /var/lib/etcd/member/wal, of cluster unknown"},
		"etcd and contract":  {map[string]string{wal: "x", "sysroot/var/lib/slipway/etc/upper/slipway/node.json": `{"version":1,"cluster":{"id":"c7","name":"n"}}`}, false, "of cluster c7"},
		"formed":             {map[string]string{journal: formed}, false, "a formed journal in /var/lib/slipway, of cluster demo"},
		"both":               {map[string]string{journal: formed, wal: "x"}, false, "wal and a formed journal"},
		"unreadable journal": {map[string]string{journal: "\x00\x00"}, false, "a formed journal"},
		"set aside":          {map[string]string{journal + ".unreadable-1": "\x00"}, false, "a formed journal"},
		"lost":               {map[string]string{journal: lost}, false, "the successor of a lost journal in /var/lib/slipway, of cluster demo"},
		"lost and set aside": {map[string]string{journal: lost, journal + ".unreadable-1": "\x00", journal + ".unreadable-2": "{"}, false, "lost journal in /var/lib/slipway and a formed journal"},
		"wipe was cut off":   {map[string]string{journal: formed, "sysroot/var/lib/etcd/x": "", "proc/cmdline": "slipway.wipe=demo\n"}, true, ""},
		"switch, fw_cfg":     {map[string]string{wal: "x", journal: formed, "sys/firmware/qemu_fw_cfg/by_name/opt/slipway/wipe/raw": "demo\n"}, true, ""},
		"other cluster":      {map[string]string{journal: formed, "sys/firmware/qemu_fw_cfg/by_name/opt/slipway/wipe/raw": "demo2"}, false, "slipway.wipe to demo"},
		"switch, argument":   {map[string]string{journal: formed, "proc/cmdline": "ro slipway.wipe=demo quiet\n"}, true, ""},
		"switch, guestinfo":  {map[string]string{journal: formed, "sys/class/dmi/id/sys_vendor": "VMware, Inc.\n"}, true, ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			w.program("chroot", "[ \"$*\" = \"$root/sysroot vmware-rpctool info-get guestinfo.slipway.wipe\" ] && echo demo")
			w.program("sgdisk", "")
			w.put("run/slipway/disk", "/dev/vdb /dev/vdb1\n")
			w.put("sys/class/block/vdb1/partition", "1\n")
			w.put("sysroot/usr/share/slipway/factory/var/log/a", "")
			w.put("sysroot/var/kept", "")
			for name, text := range c.files {
				w.put(name, text)
			}
			said, ok := w.run("firstboot")
			_, kept := os.Stat(w.path("sysroot/var/kept"))
			if wiped := kept != nil; wiped != c.wiped || ok != (c.says == "") {
				t.Fatalf("wiped %v, went on %v:\n%s", wiped, ok, said)
			}
			if c.says != "" {
				w.says(said, c.says, "fw_cfg opt/slipway/wipe")
			}
			_, first := os.Stat(w.path("run/ignition/firstboot"))
			_, made := os.Stat(w.path("sysroot/var/log/a"))
			if (first == nil) != c.wiped || (made == nil) != c.wiped {
				t.Errorf("first boot: %v, factory: %v", first, made)
			}
			if got := w.get("ran/sgdisk"); (got == "--partition-guid=1:R /dev/vdb\n") != c.wiped {
				t.Errorf("sgdisk ran with %q", got)
			}
		})
	}
}

// TestCutOffWipe: wherever a permitted wipe loses its power, the next start with the same switch goes on with it.
func TestCutOffWipe(t *testing.T) {
	for cut := 1; cut <= 6; cut++ {
		w := newWorld(t)
		w.program("sgdisk", "")
		w.put("run/slipway/disk", "/dev/vdb\n")
		w.put("proc/cmdline", "slipway.wipe=demo\n")
		w.put("sysroot/usr/share/slipway/factory/var/log/a", "")
		w.put(wal, "x")
		w.put(journal, formed)
		w.put(journal+".unreadable-1", "\x00")
		// In the middle of the folders, slipway's went first.
		w.program("rm", fmt.Sprintf(`[ $(wc -l < $root/ran/rm) = %d ] || exec /bin/rm "$@"
[[ " $* " != *"/sysroot/var/lib "* ]] || /bin/rm -r $root/sysroot/var/lib/slipway
exit 1`, cut))
		said, done := w.run("firstboot")
		w.program("rm", `exec /bin/rm "$@"`)
		if again, ok := w.run("firstboot"); !ok || done != (cut == 6) || w.get(wal) != "" || w.get(journal+".unreadable-1") != "" {
			t.Errorf("cut off at %d: done at once %v, then %v:\n%s%s", cut, done, ok, said, again)
		}
	}
}

const (
	rootUUID = "abababab-abab-abab-abab-abababababab"
	espUUID  = "11111111-2222-3333-4444-555555555555"
)

// TestDisk: which disk is taken, of those that lsblk shows.
func TestDisk(t *testing.T) {
	first := "/dev/vda\n/dev/vda1 /dev/vda " + espUUID + "\n/dev/vda2 /dev/vda " + rootUUID + "\n"
	copied := strings.ReplaceAll(first, "vda", "vdb")
	other := strings.ReplaceAll(copied, espUUID, strings.ToUpper("aaaaaaaa-2222-3333-4444-555555555555"))
	for name, c := range map[string]struct {
		lsblk, loader, disk, says string
	}{
		"one":                  {first, espUUID, "/dev/vda /dev/vda1", ""},
		"upper case":           {other, "AAAAAAAA-2222-3333-4444-555555555555", "/dev/vdb /dev/vdb1", ""},
		"two, from the first":  {first + other, espUUID, "/dev/vda /dev/vda1", ""},
		"two, from the second": {first + other, "aaaaaaaa-2222-3333-4444-555555555555", "/dev/vdb /dev/vdb1", ""},
		"two copies":           {first + copied, espUUID, "", "/dev/vda /dev/vdb are copies of one disk"},
		"no word of a loader":  {first, "", "/dev/vda ", ""},
		"an empty word":        {first + "/dev/sr0\n/dev/mapper/root /dev/vda2 \n", "\x00", "/dev/vda ", ""},
		"no word, two copies":  {first + other, "", "", "/dev/vda /dev/vdb are copies of one disk"},
		"loader's disk is not": {first, "99999999-2222-3333-4444-555555555555", "", "no disk has the partition that the boot loader was read from, 99999999-"},
		"no root beside it":    {"/dev/sda\n/dev/sda1 /dev/sda " + espUUID + "\n" + other, espUUID, "", "/dev/sda, which the boot loader was read from, does not have the root"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			w.put("lsblk", c.lsblk)
			w.program("lsblk", "cat $root/lsblk")
			w.program("udevadm", `[ "$1" != info ] || echo /devices/pci0/block/${@: -1:1}`)
			if c.loader != "" {
				w.put("sys/firmware/efi/efivars/LoaderDevicePartUUID-4a67b082-0a4c-41cf-b6c7-440b29bb8c4f", efiVariable(c.loader))
			}
			said, ok := w.run("disk", "tries=1")
			if got := strings.TrimSuffix(w.get("run/slipway/disk"), "\n"); got != c.disk || ok != (c.disk != "") {
				t.Fatalf("%q, %v:\n%s", got, ok, said)
			}
			if !ok {
				w.says(said, c.says)
				return
			}
			rules := w.get("run/udev/rules.d/90-slipway.rules")
			disk, _, _ := strings.Cut(c.disk, " ")
			for _, want := range []string{`DEVPATH!="/devices/pci0/block/` + disk + `/*", GOTO`, `=="` + rootUUID + `", SYMLINK+="slipway/root"`,
				`=="cdcdcdcd-cdcd-cdcd-cdcd-cdcdcdcdcdcd", SYMLINK+="slipway/verity"`} {
				if !strings.Contains(rules, want) {
					t.Errorf("no %s in\n%s", want, rules)
				}
			}
		})
	}
}

// TestDiskWithoutPath: a rule for no disk in particular would be one for all.
func TestDiskWithoutPath(t *testing.T) {
	for _, udevadm := range []string{`[ "$1" != info ]`, ":"} {
		w := newWorld(t)
		w.program("lsblk", "echo /dev/vda1 /dev/vda "+rootUUID)
		w.program("udevadm", udevadm)
		said, ok := w.run("disk", "tries=1")
		if rules := w.get("run/udev/rules.d/90-slipway.rules"); ok || rules != "" {
			t.Errorf("%s: went on %v with\n%s", udevadm, ok, rules)
		}
		w.says(said, "udev knows no device path of /dev/vda")
	}
}

// efiVariable is a text as systemd-boot stores it: attributes, then UTF-16 with a zero at its end.
func efiVariable(text string) string {
	b := []byte{6, 0, 0, 0}
	for _, u := range utf16.Encode([]rune(text + "\x00")) {
		b = append(b, byte(u), byte(u>>8))
	}
	return string(b)
}

const secret = "MIIEvQIBADANBgkqhkiG9w0BAQEFAASC"

// TestFailed: the report names units, results and our own reasons, and nothing that a unit printed, whatever it prints. A
// disk that hangs, and with it every sync, does not keep the machine.
func TestFailed(t *testing.T) {
	for step, release := range map[string]string{"initrd": "etc/initrd-release", "emergency": "etc/os-release"} {
		w := newWorld(t)
		w.put(release, "")
		w.put("run/slipway/reasons", "first reason\nsecond \"reason\"\n")
		w.program("journalctl", "echo '"+secret+"'")
		w.put("proc/sysrq-trigger", "")
		const hangs = `for i in {1..600}; do [ ! -s $root/proc/sysrq-trigger ] || exit; sleep 0.1; done > /dev/null 2>&1; echo "$0" >> $root/waited`
		w.program("sync", hangs)
		w.program("systemctl", `case "$*" in
reboot*) `+hangs+` ;;
list-units*) printf '%s\n' 'ignition-files.service loaded failed failed `+secret+`' 'dev-a\x2db.device loaded failed failed x' ;;
"show -P Result ignition-files.service") echo exit-code ;;
"show -P ExecMainStatus ignition-files.service") echo 1 ;;
"show -P Result"*) echo timeout; exit 0 ;;
esac`)
		said, _ := w.run("failed", "wait=0", "patience=1")
		w.says(said, `"step":"`+step+`"`, `first reason; second \"reason\"; failed units: ignition-files.service (exit-code, status 1), dev-a\\x2db.device (timeout)`)
		if all := said + w.get("dev/tty0") + w.get("dev/ttyS0"); strings.Contains(all, secret) {
			t.Errorf("a unit's words are told:\n%s", all)
		}
		_, text, _ := strings.Cut(w.get("dev/tty0"), "slipway-status: ")
		var doc struct{ LastError, NextRetry string }
		if err := json.NewDecoder(strings.NewReader(text)).Decode(&doc); err != nil || doc.NextRetry == "" || !strings.Contains(doc.LastError, `dev-a\x2db`) {
			t.Errorf("%v: %+v in %s", err, doc, text)
		}
		if ran := w.get("ran/systemctl"); !strings.HasSuffix(ran, "reboot --force --force\n") {
			t.Errorf("the machine does not start again: %s", ran)
		}
		if w.get("proc/sysrq-trigger") != "b\n" || w.get("waited") != "" {
			t.Errorf("the machine waits for %s", w.get("waited"))
		}
	}
}

// TestStoppedConsole: a console that takes nothing keeps neither the others nor the machine waiting.
func TestStoppedConsole(t *testing.T) {
	w := newWorld(t)
	if err := os.Remove(w.path("dev/tty0")); err != nil {
		t.Fatal(err)
	}
	if out, err := exec.Command("mkfifo", w.path("dev/tty0")).CombinedOutput(); err != nil {
		t.Fatal(err, string(out))
	}
	w.put("sysroot/x", "")
	w.put("run/ignition.env", "PLATFORM_ID=metal\n")
	if said, ok := w.run("config"); ok || !strings.Contains(w.get("dev/ttyS0"), "no node config") {
		t.Errorf("%v: %s", ok, said)
	}
}

// TestConfig: Ignition is content with no config at all; a first boot is not.
func TestConfig(t *testing.T) {
	for name, c := range map[string]struct {
		files map[string]string
		says  string
	}{
		"there":       {map[string]string{"sysroot/etc/slipway/node.json": "{}"}, ""},
		"qemu":        {map[string]string{"run/ignition.env": "PLATFORM_ID=qemu\n"}, "Platform qemu: fw_cfg opt/com.coreos/config is not set"},
		"empty":       {map[string]string{"run/ignition.env": "PLATFORM_ID=qemu\n", "sysroot/etc/slipway/node.json": ""}, "opt/com.coreos/config is not set"},
		"says little": {map[string]string{"run/ignition.env": "PLATFORM_ID=qemu\n", "sys/firmware/qemu_fw_cfg/by_name/opt/com.coreos/config/raw": ""}, "config holds a config without it"},
		"vmware":      {map[string]string{"run/ignition.env": "PLATFORM_ID=vmware\n"}, "guestinfo.ignition.config.data"},
		"metal":       {map[string]string{"run/ignition.env": "PLATFORM_ID=metal\n"}, "has no place for a config yet"},
	} {
		w := newWorld(t)
		for name, text := range c.files {
			w.put(name, text)
		}
		said, ok := w.run("config")
		if ok != (c.says == "") {
			t.Errorf("%s: %v, %s", name, ok, said)
		}
		if !ok {
			w.says(said, "/etc/slipway/node.json is missing", c.says, "looks again at every start")
		}
	}
}

// TestEmergencyIsTheSame: the root reports with the very scripts of the initrd.
func TestEmergencyIsTheSame(t *testing.T) {
	got, err := Emergency()
	if err != nil {
		t.Fatal(err)
	}
	text := func(e overlay.Entry) string {
		return fmt.Sprintf("%04o %s %s", e.Mode, filepath.Base(e.Path), e.Content)
	}
	var inModule []string
	for _, e := range entries(t) {
		inModule = append(inModule, text(e))
	}
	for _, e := range got {
		if !strings.Contains(strings.Join(inModule, "\n"), text(e)) {
			t.Errorf("%s is another one", e.Path)
		}
	}
	if len(got) != 2 {
		t.Errorf("%d scripts", len(got))
	}
}
