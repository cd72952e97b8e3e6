package initrd

import (
	"fmt"
	"io"
	"strings"
	"testing"
)

// stages are the stages that ran, and what was started and ended for them, in order.
func (w *world) stages() string {
	var out []string
	for _, deed := range w.done {
		switch f := strings.Fields(deed); {
		case f[0] == "start" || f[0] == "stop" || f[0] == "unmount":
			out = append(out, f[0]+" "+f[1])
		case f[1] == ignitionPath:
			out = append(out, strings.TrimPrefix(f[4], "--stage="))
		}
	}
	return strings.Join(out, ", ")
}

// TestStages: a config gets the stages that it has something for, and udevd only if it names devices.
func TestStages(t *testing.T) {
	const udev = "start systemd-udevd, disks, %sfiles%s, stop systemd-udevd"
	for config, want := range map[string]string{
		`{"ignition":{"version":"3.4.0"},"storage":{"files":[{"path":"/x"}]}}`: "fetch-offline, files",
		`{"kernelArguments":{"shouldExist":["quiet"]}}`:                        "fetch-offline, kargs, files",
		`{"kernelArguments":{"shouldNotExist":["quiet"]},"storage":{}}`:        "fetch-offline, kargs, files",
		`{"storage":{"disks":[{"device":"/dev/sdb"}]}}`:                        "fetch-offline, " + fmt.Sprintf(udev, "", ""),
		`{"storage":{"raid":[{}]}}`:                                            "fetch-offline, " + fmt.Sprintf(udev, "", ""),
		`{"storage":{"filesystems":[{"path":"/srv"}]}}`:                        "fetch-offline, " + fmt.Sprintf(udev, "mount, ", ", umount"),
	} {
		w := newWorld(t)
		w.withIgnition(config)
		b := w.boot()
		b.platform = vmware
		if err := b.ignition(); err != nil {
			t.Error(err)
		}
		if got := w.stages(); got != want {
			t.Errorf("%s: %s, want %s", config, got, want)
		}
		if !strings.Contains(strings.Join(w.done, "\n"), "--root=/ --platform=vmware --stage=files") {
			t.Error(w.done)
		}
	}
}

// TestFetch: a config that is elsewhere gets the network, with names from DHCP, and nothing of that stays.
func TestFetch(t *testing.T) {
	w := newWorld(t)
	w.withIgnition("")
	w.runs["--stage=fetch-offline"] = func(io.Writer) error { w.put("run/ignition/neednet", ""); return nil }
	w.runs["wait-online"] = func(io.Writer) error {
		w.put("run/systemd/netif/state", "OPER_STATE=routable\nDNS=10.0.2.3 fe80::1\nDOMAINS=x\n")
		if !strings.Contains(w.get("run/systemd/network/20-slipway-fetch.network"), "DHCP=yes") {
			t.Error("no card is configured")
		}
		return nil
	}
	w.runs["--stage=fetch "] = func(io.Writer) error {
		if got := w.get("run/systemd/resolve/stub-resolv.conf"); got != "nameserver 10.0.2.3\nnameserver fe80::1\n" {
			t.Errorf("names are looked up by %q", got)
		}
		w.put("run/ignition.json", "{}")
		return nil
	}
	b := w.boot()
	b.platform = qemu
	if err := b.ignition(); err != nil {
		t.Fatal(err)
	}
	if got := w.stages(); got != "fetch-offline, start systemd-udevd, start systemd-networkd, fetch, stop systemd-networkd, unmount /etc/machine-id, stop systemd-udevd, files" {
		t.Error(got)
	}
	if w.has(networkFile) || w.has(resolvConf) || w.has(lentID) {
		t.Error("the network of the initrd stays")
	}

	w = newWorld(t)
	w.runs["--stage=fetch-offline"] = func(io.Writer) error { w.put("run/ignition/neednet", ""); return nil }
	w.runs["wait-online"] = func(io.Writer) error { return exit(1) }
	if err := w.boot().ignition(); err == nil || !strings.Contains(err.Error(), "DHCP gave no address within 120 s") {
		t.Error(err)
	}
	if !strings.HasSuffix(w.stages(), "stop systemd-networkd, unmount /etc/machine-id, stop systemd-udevd") {
		t.Error(w.stages())
	}
}

const secret = "MIIEvQIBADANBgkqhkiG9w0BAQEFAASC"

// TestNoSecrets: what Ignition prints goes to the journal alone, where its own filter has been; a config that it left half
// is not shown either.
func TestNoSecrets(t *testing.T) {
	for _, run := range []func(*world) func(io.Writer) error{
		func(w *world) func(io.Writer) error {
			return func(out io.Writer) error { io.WriteString(out, "key "+secret); return exit(1) }
		},
		func(w *world) func(io.Writer) error {
			return func(io.Writer) error { w.put("run/ignition.json", `{"storage":"`+secret); return nil }
		},
	} {
		w := newWorld(t)
		w.runs["--stage=fetch-offline"] = run(w)
		b := w.boot()
		err := b.ignition()
		if err == nil {
			t.Fatal("went on")
		}
		b.Fail(err)
		if text := w.get("dev/tty0") + w.get("dev/ttyS0"); strings.Contains(text, secret) || !strings.Contains(text, `"state":"failed"`) {
			t.Error(text)
		}
	}
}
