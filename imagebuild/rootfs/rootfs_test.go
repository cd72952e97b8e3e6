package rootfs

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"slipway/imagebuild/distro"
	"slipway/imagebuild/overlay"
	"slipway/internal/golden"
)

func listing(entries []overlay.Entry) string {
	var lines []string
	for _, e := range entries {
		if e.Link != "" {
			lines = append(lines, fmt.Sprintf("link %s -> %s\n", e.Path, e.Link))
			continue
		}
		lines = append(lines, fmt.Sprintf("%04o %s\n", e.Mode, e.Path))
	}
	slices.Sort(lines)
	return strings.Join(lines, "")
}

func own(t *testing.T) []overlay.Entry {
	t.Helper()
	entries, err := Static(distro.Facts{Units: []string{"network.service", "time.service"}})
	if err != nil {
		t.Fatal(err)
	}
	return entries
}

// Every file that an image has whatever its spec says; a new one has to be meant.
func TestListings(t *testing.T) {
	for name, got := range map[string]string{"static.txt": listing(own(t)), "debug.txt": listing(Debug())} {
		golden.Check(t, "testdata/"+name, got)
	}
}

// Nothing starts but what the first preset names: the last one must switch off all others, for both managers.
func TestPresetsSwitchOffTheRest(t *testing.T) {
	content := map[string]string{}
	for _, e := range own(t) {
		content[e.Path] = string(e.Content)
	}
	for _, path := range []string{"/usr/lib/systemd/system-preset/89-slipway.preset", "/usr/lib/systemd/user-preset/89-slipway.preset"} {
		if content[path] != "disable *\n" {
			t.Errorf("%s is %q", path, content[path])
		}
	}
	enabled := content["/usr/lib/systemd/system-preset/20-slipway.preset"]
	for _, unit := range []string{"slipwayd.service", "network.service", "time.service", "systemd-pstore.service"} {
		if !strings.Contains(enabled, "enable "+unit+"\n") {
			t.Errorf("%s is not enabled:\n%s", unit, enabled)
		}
	}
	for _, unit := range []string{"docker", "containerd.service", "kubelet", "ssh", "haproxy", "keepalived"} {
		if strings.Contains(enabled, "enable "+unit) {
			t.Errorf("%s starts without slipwayd", unit)
		}
	}
}

// Without debug no console offers a login; with it exactly one does.
func TestLoginOnlyInDebug(t *testing.T) {
	if masked := listing(own(t)); !strings.Contains(masked, "serial-getty@.service -> /dev/null\n") || !strings.Contains(masked, "/getty@.service -> /dev/null\n") {
		t.Errorf("a console offers a login:\n%s", masked)
	}
	both := listing(append(own(t), Debug()...))
	if !strings.Contains(both, "serial-getty@.service -> /usr/lib/systemd/system/serial-getty@.service\n") {
		t.Errorf("a debug image has no console:\n%s", both)
	}
}

func TestKeyInputsSeeEverything(t *testing.T) {
	key := func(change func(*Input)) string {
		in := Input{Adds: own(t), Purge: []string{"squashfs-tools"}, Epoch: 1}
		change(&in)
		return fmt.Sprint(in.KeyInputs("tree"))
	}
	base := key(func(*Input) {})
	for name, change := range map[string]func(*Input){
		"adds":  func(in *Input) { in.Adds = in.Adds[1:] },
		"purge": func(in *Input) { in.Purge = nil },
		"facts": func(in *Input) { in.Facts.ShipsAt = "elsewhere" },
		"epoch": func(in *Input) { in.Epoch = 2 },
	} {
		if key(change) == base {
			t.Errorf("other %s give the same key", name)
		}
	}
	if !strings.Contains(base, "mksquashfs") {
		t.Error("the script is no part of the key")
	}
}

// A file of the builder's that went missing is named, not tar's complaint about a short archive.
func TestStreamSaysWhyItBrokeOff(t *testing.T) {
	gone := []overlay.Entry{{Path: "/usr/bin/kube", Host: filepath.Join(t.TempDir(), "gone")}}
	r, written := stream(gone, 0)
	if _, err := io.Copy(io.Discard, r); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("the reader took a broken archive for a whole one: %v", err)
	}
	if err := written(); !errors.Is(err, fs.ErrNotExist) || !strings.Contains(err.Error(), "adding /usr/bin/kube") {
		t.Errorf("got %v", err)
	}
	_, written = stream(own(t), 0)
	if err := written(); err != nil {
		t.Errorf("a reader that stops early is no fault of the archive: %v", err)
	}
	r, written = stream(own(t), 0)
	if n, err := io.Copy(io.Discard, r); err != nil || n == 0 || written() != nil {
		t.Errorf("a whole archive of %d bytes: %v", n, err)
	}
}
