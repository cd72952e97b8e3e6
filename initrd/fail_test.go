package initrd

import (
	"encoding/json"
	"errors"
	"os"
	"strings"
	"syscall"
	"testing"
	"time"
)

// TestFail: why is said everywhere, in a line of JSON as well, and the machine starts again even if its disk hangs.
func TestFail(t *testing.T) {
	w := newWorld(t)
	b, begin := w.boot(), w.now
	b.Fail(errors.New("state is \"gone\":\n\x1b[31mred"))
	w.says(`slipway: state is "gone":??[31mred`, `"step":"initrd","state":"failed","lastError":"state is \"gone\":??[31mred"`, "starts again in 15 s")
	_, text, _ := strings.Cut(w.get("dev/tty0"), "slipway-status: ")
	var doc struct{ NextRetry time.Time }
	if err := json.NewDecoder(strings.NewReader(text)).Decode(&doc); err != nil || doc.NextRetry.Sub(begin) != retryAfter {
		t.Errorf("%v: %v", err, doc.NextRetry)
	}
	if w.get("proc/sysrq-trigger") != "b\n" || w.now.Sub(begin) != retryAfter+restartLimit {
		t.Errorf("%q after %v", w.get("proc/sysrq-trigger"), w.now.Sub(begin))
	}
}

// TestStoppedConsole: a console that takes nothing is waited for once, and keeps neither the others nor the machine.
func TestStoppedConsole(t *testing.T) {
	w := newWorld(t)
	if err := os.Remove(w.path("dev/tty0")); err != nil {
		t.Fatal(err)
	}
	if err := syscall.Mkfifo(w.path("dev/tty0"), 0o600); err != nil {
		t.Fatal(err)
	}
	b := w.boot()
	begin := time.Now()
	for range 3 {
		b.say("hello")
	}
	if strings.Count(w.get("dev/ttyS0"), "slipway: hello") != 3 || time.Since(begin) > 2*patience {
		t.Errorf("%q after %v", w.get("dev/ttyS0"), time.Since(begin))
	}
}

// TestKernelLog: a program's words come as lines under its name, long ones in pieces that the kernel keeps.
func TestKernelLog(t *testing.T) {
	w := newWorld(t)
	b := w.boot()
	out := b.out().log("mkfs")
	out.Write([]byte("one\ntw"))
	out.Write([]byte("o\r\n\n" + strings.Repeat("x", 2000)))
	out.Close()
	lines := strings.Split(strings.TrimSpace(w.get("dev/kmsg")), "\n")
	if len(lines) != 5 || lines[0] != "<14>mkfs: one" || lines[1] != "<14>mkfs: two?" || len(lines[2]) > 1000 {
		t.Errorf("%q", lines)
	}
}
