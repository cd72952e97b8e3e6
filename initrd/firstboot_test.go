package initrd

import (
	"io"
	"strings"
	"testing"
)

const (
	wal     = "var/lib/etcd/member/wal/0.wal"
	journal = "var/lib/slipway/journal.json"
	stamp   = "var/lib/slipway/first-boot-complete"
	formed  = "{\n  \"version\": 1,\n  \"token\": \"demo/1\",\n  \"formed\": true\n}\n"
	lost    = "{\n  \"version\": 1,\n  \"token\": \"demo/1\",\n  \"formed\": false,\n  \"lost\": true\n}\n"
	fwcfg   = "sys/firmware/qemu_fw_cfg/by_name/opt/slipway/wipe/raw"
)

// TestDecide: what is wiped, and what never is.
func TestDecide(t *testing.T) {
	for name, c := range map[string]struct {
		files   map[string]string
		cmdline string
		wiped   bool
		says    string // when it refuses
	}{
		"complete":           {map[string]string{stamp: ""}, "", false, ""},
		"half done":          {nil, "", true, ""},
		"began to form":      {map[string]string{journal: `{"token": "demo/1", "formed": false}`}, "", true, ""},
		"etcd data":          {map[string]string{wal: "x"}, "", false, "etcd data in /var/lib/etcd/member/wal, of cluster unknown"},
		"etcd and contract":  {map[string]string{wal: "x", "var/lib/slipway/etc/upper/slipway/node.json": `{"version":1,"cluster":{"id":"c7","name":"n"}}`}, "", false, "of cluster c7"},
		"formed":             {map[string]string{journal: formed}, "", false, "a formed journal in /var/lib/slipway, of cluster demo"},
		"both":               {map[string]string{journal: formed, wal: "x"}, "", false, "wal and a formed journal"},
		"unreadable journal": {map[string]string{journal: "\x00\x00"}, "", false, "a formed journal"},
		"set aside":          {map[string]string{journal + ".unreadable-1": "\x00"}, "", false, "a formed journal"},
		"lost":               {map[string]string{journal: lost}, "", false, "the successor of a lost journal in /var/lib/slipway, of cluster demo"},
		"lost and set aside": {map[string]string{journal: lost, journal + ".unreadable-1": "\x00", journal + ".unreadable-2": "{"}, "", false, "lost journal in /var/lib/slipway and a formed journal in /var/lib/slipway, of"},
		"wipe was cut off":   {map[string]string{journal: formed, "var/lib/etcd/x": ""}, "demo", true, ""},
		"switch, fw_cfg":     {map[string]string{wal: "x", journal: formed, fwcfg: "demo\n"}, "", true, ""},
		"other cluster":      {map[string]string{journal: formed, fwcfg: "demo2"}, "", false, "slipway.wipe to demo"},
		"switch, argument":   {map[string]string{journal: formed}, "demo", true, ""},
		"switch, guestinfo":  {map[string]string{journal: formed, "sys/class/dmi/id/sys_vendor": "VMware, Inc.\n"}, "", true, ""},
	} {
		w := newWorld(t)
		w.runs["vmware-rpctool info-get guestinfo.slipway.wipe"] = func(out io.Writer) error { io.WriteString(out, "demo\n"); return nil }
		w.put("var/kept", "")
		w.put("var/lost+found/x", "")
		for name, text := range c.files {
			w.put(name, text)
		}
		b := w.boot()
		b.cmdline["slipway.wipe"] = c.cmdline
		err := b.decide()
		if w.has("var/kept") == c.wiped || (err == nil) != (c.says == "") || !w.has("var/lost+found/x") {
			t.Fatalf("%s: wiped %v, %v", name, !w.has("var/kept"), err)
		}
		if err != nil && (!strings.Contains(err.Error(), c.says) || !strings.Contains(err.Error(), "fw_cfg opt/slipway/wipe")) {
			t.Errorf("%s: %v", name, err)
		}
		filled := strings.Contains(strings.Join(w.done, "\n"), "run cp -a /usr/share/slipway/factory/var/. /var/")
		if filled != c.wiped || w.has("var/roothome") != c.wiped || w.has("var/lib/slipway/etc/work") != c.wiped {
			t.Errorf("%s: filled %v", name, filled)
		}
	}
}

// TestCutOffWipe: wherever a permitted wipe loses its power, the next start with the same switch goes on with it, and one
// without it still refuses.
func TestCutOffWipe(t *testing.T) {
	for cut := range 4 {
		w := newWorld(t)
		w.put(wal, "x")
		w.put(journal, formed)
		w.put(journal+".unreadable-1", "\x00")
		w.syncs = cut
		b := w.boot()
		b.cmdline["slipway.wipe"] = "demo"
		if done := b.decide() == nil; done != (cut == 3) {
			t.Errorf("cut off at %d: done at once %v", cut, done)
		}
		w.syncs = -1
		if cut < 2 {
			if err := w.boot().decide(); err == nil || !strings.Contains(err.Error(), "of cluster demo") {
				t.Errorf("cut off at %d: not asked again: %v", cut, err)
			}
		}
		b = w.boot()
		b.cmdline["slipway.wipe"] = "demo"
		if err := b.decide(); err != nil || w.has(wal) || w.has(journal+".unreadable-1") {
			t.Errorf("cut off at %d: %v", cut, err)
		}
	}
}

// TestContract: Ignition is content with no config at all; a first boot is not.
func TestContract(t *testing.T) {
	for name, c := range map[string]struct {
		files    map[string]string
		platform string
		says     string
	}{
		"there":       {map[string]string{"etc/slipway/node.json": "{}"}, qemu, ""},
		"qemu":        {nil, qemu, "Platform qemu: fw_cfg opt/com.coreos/config is not set"},
		"empty":       {map[string]string{"etc/slipway/node.json": ""}, qemu, "opt/com.coreos/config is not set"},
		"says little": {map[string]string{"sys/firmware/qemu_fw_cfg/by_name/opt/com.coreos/config/raw": ""}, qemu, "config holds a config without it"},
		"vmware":      {nil, vmware, "guestinfo.ignition.config.data"},
		"metal":       {nil, metal, "has no place for a config yet"},
	} {
		w := newWorld(t)
		for name, text := range c.files {
			w.put(name, text)
		}
		b := w.boot()
		b.platform = c.platform
		err := b.contract()
		if (err == nil) != (c.says == "") {
			t.Errorf("%s: %v", name, err)
		}
		for _, word := range []string{"/etc/slipway/node.json is missing", c.says, "looks again at every start"} {
			if err != nil && !strings.Contains(err.Error(), word) {
				t.Errorf("%s: %v", name, err)
			}
		}
	}
}
