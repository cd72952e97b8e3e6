//go:build qemu

package qemu_test

import (
	"encoding/base64"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// hush is what must never be seen: it stands in every config of these tests, in each way of writing it.
const hush = "-----BEGIN PRIVATE KEY-----\nMIIEvQIBADANBgkqhkiG9w0BAQEFAASCBKcwggSjAgEAAoIBAQC7VJTUt9Us8cKj\n"

// told are the pieces by which hush would be known, however it was written.
func told() []string {
	packed := base64.StdEncoding.EncodeToString([]byte(hush))
	return []string{"PRIVATE KEY", "PRIVATE%20KEY", "MIIEvQIBADANBgkqhkiG9w0BAQEFAASC", packed[8:40], packed[60:100]}
}

// config is an Ignition config with hush in a file, and more of its storage, ignition or other sections.
func config(storage, ignition, more string) string {
	return fmt.Sprintf(`{"ignition":{"version":"3.4.0"%s},"storage":{"files":[{"path":"/etc/hush","contents":{"source":"data:,%s"}},
{"path":"/etc/hush2","contents":{"source":"data:;base64,%s"}}%s}%s}`,
		ignition, url.PathEscape(hush), base64.StdEncoding.EncodeToString([]byte(hush)), storage, more)
}

// TestFailingConfigs: configs that fail in each of Ignition's stages. Status and the kernel's log name what failed, and
// nothing of what the config holds. The log of a boot that fails is lost with it, so the kernel writes all of it on the serial line.
func TestFailingConfigs(t *testing.T) {
	t.Parallel() // like all of this file: each machine has one processor and waits much
	l := theLab(t)
	for name, c := range map[string]struct{ config, says string }{
		"fetch-offline": {strings.TrimSuffix(config("]", "", ""), "}"), `ignition failed in stage fetch-offline: exit status 1`},
		"fetch": {config("]", `,"timeouts":{"httpTotal":3},"config":{"merge":[{"source":"http://10.0.2.2:9/more.ign"}]}`, ""),
			`ignition failed in stage fetch: exit status 1`},
		"kargs": {config("]", "", `,"kernelArguments":{"shouldExist":["quiet"]}`), `ignition failed in stage kargs: exit status 1`},
		"disks": {config(`],"filesystems":[{"device":"/dev/mapper/root","format":"ext4","wipeFilesystem":true}]`, "", ""),
			`ignition failed in stage disks: exit status 1`},
		"mount": {config(`],"filesystems":[{"device":"/dev/slipway/state","format":"ext4","path":"/srv","mountOptions":["nonsense"]}]`, "", ""),
			`ignition failed in stage mount: exit status 1`},
		"files":          {config(`,{"path":"/usr/lib/late","contents":{"source":"data:,x"}}]`, "", ""), `ignition failed in stage files: exit status 1`},
		"no node config": {config("]", "", ""), `no node config: .* fw_cfg opt/com.coreos/config holds a config without it`},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			path := filepath.Join(dir, "bad.ign")
			if err := os.WriteFile(path, []byte(c.config), 0o600); err != nil {
				t.Fatal(err)
			}
			console := bare{disks: []string{newDisk(t, l, dir, "disk.qcow2")}, config: path, extra: wholeLog}.run(t)
			failedStatus(t, console, "initrd", c.says)
			if !logOfIgnition.MatchString(console) {
				t.Errorf("the log is not on the console:\n%s", tail(console, 30))
			}
			for _, piece := range told() {
				if strings.Contains(console, piece) {
					t.Errorf("%q is on the console", piece)
				}
			}
		})
	}
}

// wholeLog has the kernel show its whole log on its consoles, the serial line among them.
const wholeLog = "ignore_loglevel"

// logOfIgnition is a line of Ignition's, which tells nothing to a console itself.
var logOfIgnition = regexp.MustCompile(`\] ignition: .`)

// failedStatus demands a status of a boot that failed, with the reason.
func failedStatus(t *testing.T, console, step, says string) {
	t.Helper()
	want := regexp.MustCompile(`slipway-status: \{"step":"` + step + `","state":"failed","lastError":".*` + says)
	if !want.MatchString(console) {
		t.Errorf("no %s in\n%s", want, tail(console, 30))
	}
}

// TestNoConfig: a machine without a config says where it looked, and takes one that comes later.
func TestNoConfig(t *testing.T) {
	t.Parallel()
	l := theLab(t)
	machine := bare{disks: []string{newDisk(t, l, t.TempDir(), "disk.qcow2")}, extra: "console=tty0"} // which is the last one then
	failedStatus(t, machine.run(t), "initrd", `no node config: .* Platform qemu: fw_cfg opt/com.coreos/config is not set`)
	machine.config, machine.quit = filepath.Join(l.dir, l.out, "single.n1.ign"), `"node":"n1"`
	if console := machine.run(t); !strings.Contains(console, "slipway: first boot: preparing") {
		t.Errorf("not a first boot:\n%s", tail(console, 30))
	}
}

// TestNeverWiped: state with a member's data outlives a stamp that is missing, until somebody names its cluster. The
// config brings the data and no contract, so that there is never a stamp.
func TestNeverWiped(t *testing.T) {
	t.Parallel()
	l := theLab(t)
	dir := t.TempDir()
	path := filepath.Join(dir, "data.ign")
	data := `,{"path":"/var/lib/etcd/member/wal/0.wal","contents":{"source":"data:,x"}},
{"path":"/var/lib/slipway/journal.json","contents":{"source":"data:,%7B%22version%22:1,%22token%22:%22other/1%22,%22formed%22:true%7D"}}]`
	if err := os.WriteFile(path, []byte(config(data, "", "")), 0o600); err != nil {
		t.Fatal(err)
	}
	machine := bare{disks: []string{newDisk(t, l, dir, "disk.qcow2")}, config: path}
	failedStatus(t, machine.run(t), "initrd", "no node config")
	const found = `etcd data in /var/lib/etcd/member/wal and a formed journal in /var/lib/slipway, of cluster other: it is not wiped`
	for _, named := range []string{"", "single"} {
		if named != "" {
			machine.fwcfg = map[string]string{"opt/slipway/wipe": named}
		}
		console := machine.run(t)
		failedStatus(t, console, "initrd", found)
		if strings.Contains(console, "preparing the state partition") {
			t.Fatalf("named %q: state was wiped", named)
		}
	}
	machine.fwcfg["opt/slipway/wipe"] = "other"
	if console := machine.run(t); !strings.Contains(console, "the data of cluster other goes") || !strings.Contains(console, "preparing the state partition") {
		t.Errorf("the way out does not work:\n%s", tail(console, 30))
	}
}

// TestTwoDisks: of two disks with the same image, the machine takes everything from the one that it was started from,
// wherever that lies on the bus. Two that nothing tells apart are refused. At last the root's own emergencies.
func TestTwoDisks(t *testing.T) {
	t.Parallel()
	l := theLab(t)
	dir := t.TempDir()
	node, blank := newDisk(t, l, dir, "node.qcow2"), newDisk(t, l, dir, "blank.qcow2")
	const serves, first = `"node":"n1"`, "slipway: first boot"
	console := bare{disks: []string{node}, config: filepath.Join(l.dir, l.out, "single.n1.ign"), quit: serves}.run(t)
	if !strings.Contains(console, first) {
		t.Fatalf("not a first boot:\n%s", tail(console, 30))
	}
	for _, behind := range []bool{false, true} {
		console := bare{disks: []string{node, blank}, behind: behind, quit: serves + "|" + first}.run(t)
		if strings.Contains(console, first) {
			t.Errorf("behind %v: state is not that of the disk that was booted:\n%s", behind, tail(console, 30))
		}
	}
	console = bare{disks: []string{blank, node}, behind: true, quit: serves + "|" + first}.run(t)
	if !strings.Contains(console, first) {
		t.Errorf("a blank disk came up with the other's state:\n%s", tail(console, 30))
	}
	other := newDisk(t, l, dir, "other.qcow2")
	failedStatus(t, bare{disks: []string{newDisk(t, l, dir, "third.qcow2"), other}}.run(t), "initrd", "/dev/vda /dev/vdb are copies of one disk")
	for _, target := range []string{"emergency", "rescue"} {
		console := bare{disks: []string{node}, extra: "systemd.unit=" + target + ".target console=tty0"}.run(t)
		failedStatus(t, console, "emergency", "failed units: ")
		if strings.Contains(console, "Press Enter for maintenance") || strings.Contains(console, "root password") {
			t.Errorf("%s offers a shell:\n%s", target, tail(console, 30))
		}
	}
}
