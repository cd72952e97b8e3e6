package rootfs

import (
	"encoding/json"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// world is a folder that stands for / of a system in trouble, with two consoles, and programs put before the real ones.
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
	w.put("proc/sysrq-trigger", "")
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

// failed runs the script. What it printed goes into the journal.
func (w world) failed() (journal string) {
	w.t.Helper()
	cmd := exec.Command("bash", "files/root/usr/lib/slipway/failed")
	cmd.Env = append(os.Environ(), "wait=0", "patience=1", "root="+w.dir, "PATH="+w.path("programs")+":"+os.Getenv("PATH"))
	out, err := cmd.CombinedOutput()
	if err != nil {
		w.t.Fatal(err, string(out))
	}
	return string(out)
}

const secret = "MIIEvQIBADANBgkqhkiG9w0BAQEFAASC"

// TestFailed: the report names units, results and exit codes, and nothing that a unit printed, whatever it prints. A disk
// that hangs, and with it every sync, does not keep the machine.
func TestFailed(t *testing.T) {
	w := newWorld(t)
	w.program("journalctl", "echo '"+secret+"'")
	const hangs = `for i in {1..600}; do [ ! -s $root/proc/sysrq-trigger ] || exit; sleep 0.1; done > /dev/null 2>&1; echo "$0" >> $root/waited`
	w.program("sync", hangs)
	w.program("systemctl", `case "$*" in
reboot*) `+hangs+` ;;
list-units*) printf '%s\n' 'var.mount loaded failed failed `+secret+`' 'dev-a\x2db.device loaded failed failed x' ;;
"show -P Result var.mount") echo exit-code ;;
"show -P ExecMainStatus var.mount") echo 1 ;;
"show -P Result"*) echo timeout; exit 0 ;;
esac`)
	said := w.failed()
	for where, text := range map[string]string{"tty0": w.get("dev/tty0"), "ttyS0": w.get("dev/ttyS0"), "journal": said} {
		if !strings.Contains(text, `"step":"emergency"`) || !strings.Contains(text, `failed units: var.mount (exit-code, status 1), dev-a\\x2db.device (timeout)`) {
			t.Errorf("%s says\n%s", where, text)
		}
		if strings.Contains(text, secret) {
			t.Errorf("a unit's words are told on %s:\n%s", where, text)
		}
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

// TestStoppedConsole: a console that takes nothing keeps neither the others nor the machine waiting.
func TestStoppedConsole(t *testing.T) {
	w := newWorld(t)
	w.program("sync", "")
	w.program("systemctl", "")
	if err := os.Remove(w.path("dev/tty0")); err != nil {
		t.Fatal(err)
	}
	if out, err := exec.Command("mkfifo", w.path("dev/tty0")).CombinedOutput(); err != nil {
		t.Fatal(err, string(out))
	}
	if w.failed(); !strings.Contains(w.get("dev/ttyS0"), "failed units: none") || w.get("proc/sysrq-trigger") != "b\n" {
		t.Error(w.get("dev/ttyS0"))
	}
}
