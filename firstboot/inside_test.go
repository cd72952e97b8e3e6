package firstboot

import (
	"archive/tar"
	"bytes"
	"context"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"slipway/firstboot/inside"
)

// scripts put programs on the daemon's path; ROOT in them is its root.
func scripts(t *testing.T, root string, texts map[string]string) {
	t.Helper()
	for name, text := range texts {
		text = "#!/bin/sh\n" + strings.ReplaceAll(text, "ROOT", root)
		if err := os.WriteFile(filepath.Join(os.Getenv("PATH"), name), []byte(text), 0o755); err != nil {
			t.Fatal(err)
		}
	}
}

// TestDaemonInside: the operator looks into a daemon whose node has not formed and runs programs that print a key.
func TestDaemonInside(t *testing.T) {
	var key string
	l := startDaemon(t, 0, func(root string) {
		consoleFiles(t, root, "ttyS0")
		data, err := os.ReadFile(filepath.Join(root, "/etc/slipway/pki/slipwayd.key"))
		if err != nil {
			t.Fatal(err)
		}
		key = strings.Split(string(data), "\n")[1]
		scripts(t, root, map[string]string{
			"journalctl": "echo \"$@\"\n/bin/cat ROOT/etc/slipway/pki/slipwayd.key\ncase \"$*\" in *--follow) echo $$ > ROOT/pid; exec /bin/sleep 1000;; esac",
			"dmesg":      "echo the kernel",
			"systemctl":  "case \"$*\" in *--timestamp=unix*) echo Id=etcd.service; echo LoadState=loaded;; list*) ;; *) for unit; do case $unit in show|-*) ;; *) echo LoadState=loaded; echo ActiveState=inactive; echo;; esac; done;; esac",
		})
	})
	for end := time.Now().Add(20 * time.Second); ; time.Sleep(20 * time.Millisecond) {
		if _, err := l.client.Status(t.Context()); err == nil {
			break
		} else if time.Now().After(end) {
			t.Fatal(err)
		}
	}
	for name, ask := range map[string]func(io.Writer) error{
		"--unit=etcd.service": func(to io.Writer) error {
			return l.client.Logs(t.Context(), inside.LogQuery{Unit: "etcd"}, to)
		},
		"the kernel": func(to io.Writer) error { return l.client.Kernel(t.Context(), inside.LogQuery{}, to) },
	} {
		var out strings.Builder
		if err := ask(&out); err != nil || !strings.Contains(out.String(), name) || strings.Contains(out.String(), key) {
			t.Errorf("%s: %q, %v", name, out.String(), err)
		}
	}
	if s, err := l.client.Services(t.Context()); err != nil || len(s) != 1 || !s[0].Ours {
		t.Errorf("%+v, %v", s, err)
	}
	if h, err := l.client.Health(t.Context()); err != nil || h.Etcd.Trouble != "etcd.service is inactive" || h.API.Ready {
		t.Errorf("%+v, %v", h, err)
	}
	l.support(t, key)
	l.follow(t)
}

// support reads the whole of a bundle, in which the key must not be.
func (l daemonLab) support(t *testing.T, key string) {
	t.Helper()
	var out bytes.Buffer
	if err := l.client.Support(t.Context(), &out); err != nil {
		t.Fatal(err)
	}
	if bytes.Contains(out.Bytes(), []byte(key)) || bytes.Contains(out.Bytes(), []byte("PRIVATE KEY")) {
		t.Error("there is a key in it")
	}
	files := map[string]bool{}
	for r := tar.NewReader(&out); ; {
		h, err := r.Next()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		files[h.Name] = true
	}
	for _, want := range []string{"status.json", "health.json", "services.json", "files/etc/slipway/node.json", "journal/kubelet.service.txt", "dmesg.txt", "errors.txt"} {
		if !files[want] {
			t.Errorf("no %s among %v", want, files)
		}
	}
}

// follow hangs up while the program is silent: it ends with the caller.
func (l daemonLab) follow(t *testing.T) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- l.client.Logs(ctx, inside.LogQuery{Follow: true}, io.Discard) }()
	pid := 0
	for end := time.Now().Add(20 * time.Second); pid == 0 && time.Now().Before(end); time.Sleep(20 * time.Millisecond) {
		text, _ := os.ReadFile(filepath.Join(l.root, "pid"))
		pid, _ = strconv.Atoi(strings.TrimSpace(string(text)))
	}
	cancel()
	if err := <-done; !errors.Is(err, context.Canceled) || pid == 0 {
		t.Fatalf("process %d, %v", pid, err)
	}
	for end := time.Now().Add(20 * time.Second); !errors.Is(syscall.Kill(pid, 0), syscall.ESRCH); time.Sleep(20 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("process %d goes on", pid)
		}
	}
}
