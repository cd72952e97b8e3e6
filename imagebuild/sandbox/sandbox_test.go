package sandbox

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

func box() *Sandbox {
	return New(os.Geteuid(), []string{"PATH=/usr/sbin:/usr/bin:/sbin:/bin", "LC_ALL=C.UTF-8"})
}

func TestRunGivesArgumentsInputAndOutput(t *testing.T) {
	var out bytes.Buffer
	err := box().Run(t.Context(), Script{
		Name: "saying", Text: `cat; echo "$# $1 $2"; echo err >&2; env`, Args: []string{"a b", "c"}, Stdin: strings.NewReader("in\n"), Output: &out,
	})
	if err != nil {
		t.Fatal(err)
	}
	if got := out.String(); !strings.HasPrefix(got, "in\n2 a b c\nerr\n") || strings.Contains(got, "HOME=") {
		t.Errorf("got %q", got)
	}
}

func TestFailureShowsTheTail(t *testing.T) {
	var out bytes.Buffer
	err := box().Run(t.Context(), Script{Name: "packing the root", Text: "seq 1001 1040; false; echo unreachable", Output: &out})
	if err == nil {
		t.Fatal("a script that fails was taken for a success")
	}
	text := err.Error()
	if !strings.HasPrefix(text, "packing the root: exit status 1\n  | 1026\n") || !strings.HasSuffix(text, "\n  | 1040") {
		t.Errorf("got %s", text)
	}
	if !strings.HasPrefix(out.String(), "1001\n") {
		t.Errorf("the log lacks its beginning: %q", out.String())
	}
}

// Whoever still lives after a cancellation keeps the lock.
func TestCancelKillsEverything(t *testing.T) {
	dir := t.TempDir()
	ctx, cancel := context.WithCancel(t.Context())
	go func() {
		for !exists(filepath.Join(dir, "started")) && t.Context().Err() == nil {
			time.Sleep(5 * time.Millisecond)
		}
		cancel()
	}()
	start := time.Now()
	err := box().Run(ctx, Script{
		Name: "sleeping", Args: []string{dir},
		Text: `exec 9> "$1/lock"; flock 9; trap "" INT TERM; setsid sleep 1000 & sleep 1000 & : > "$1/started"; wait`,
	})
	if !errors.Is(err, context.Canceled) {
		t.Fatalf("got %v", err)
	}
	if took := time.Since(start); took > 4*time.Second {
		t.Errorf("it took %s", took)
	}
	f, err := os.Open(filepath.Join(dir, "lock"))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	for deadline := time.Now().Add(2 * time.Second); ; time.Sleep(5 * time.Millisecond) {
		if syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB) == nil {
			return
		}
		if time.Now().After(deadline) {
			t.Fatal("a child outlived the cancellation")
		}
	}
}

func exists(path string) bool {
	_, err := os.Stat(path)
	return err == nil
}

func TestNoNetworkInside(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	dial := fmt.Sprintf("bash -c 'exec 3<>/dev/tcp/127.0.0.1/%d'", l.Addr().(*net.TCPAddr).Port)
	if out, err := exec.Command("sh", "-c", dial).CombinedOutput(); err != nil {
		t.Fatalf("the question is wrong, it fails outside as well: %v\n%s", err, out)
	}
	err = box().Run(t.Context(), Script{Name: "dialing", Text: dial})
	if err == nil || !strings.Contains(err.Error(), "unreachable") {
		t.Errorf("got %v", err)
	}
}

func TestMountsGoWithTheScript(t *testing.T) {
	dir := t.TempDir()
	for _, end := range []string{"exit 0", "exit 1"} {
		err := box().Run(t.Context(), Script{Name: "mounting", Text: `mount -t tmpfs tmpfs "$1"; : > "$1/inside"; ` + end, Args: []string{dir}})
		if (err == nil) != (end == "exit 0") {
			t.Fatalf("%s: %v", end, err)
		}
		if left, err := os.ReadDir(dir); err != nil || len(left) > 0 {
			t.Errorf("%s: a mount stayed: %v %v", end, left, err)
		}
	}
}

func TestFullDiskIsRecognised(t *testing.T) {
	err := box().Run(t.Context(), Script{
		Name: "unpacking packages", Text: `mount -t tmpfs -o size=64k tmpfs "$1"; head -c 1M /dev/zero > "$1/file"`, Args: []string{t.TempDir()},
	})
	if !errors.Is(err, syscall.ENOSPC) {
		t.Errorf("not recognised: %v", err)
	}
	if err := box().Run(t.Context(), Script{Name: "failing", Text: "false"}); errors.Is(err, syscall.ENOSPC) {
		t.Errorf("every failure is a full disk: %v", err)
	}
}

func TestRemoveAll(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "-rf strange 'name'")
	err := box().Run(t.Context(), Script{Name: "filling", Text: `mkdir -p "$1/a/b"; : > "$1/a/b/c"; chown 1:1 "$1/a/b/c"; chmod 0 "$1/a/b"`, Args: []string{dir}})
	if err != nil {
		t.Fatal(err)
	}
	for range 2 { // the second time there is nothing
		if err := box().RemoveAll(t.Context(), dir); err != nil {
			t.Fatal(err)
		}
		if exists(dir) {
			t.Fatal("it is still there")
		}
	}
}

func TestProbe(t *testing.T) {
	if err := box().Probe(t.Context()); err != nil {
		t.Fatal(err)
	}
	bin := t.TempDir()
	if err := os.WriteFile(filepath.Join(bin, "unshare"), []byte("#!/bin/sh\necho unshare failed: Operation not permitted\nexit 1\n"), 0o755); err != nil {
		t.Fatal(err)
	}
	t.Setenv("PATH", bin+":/usr/bin:/bin")
	for euid, want := range map[int]string{0: "\nhint: inside a container, give it CAP_SYS_ADMIN", 1000: "\nhint: install uidmap, give your user a range in /etc/subuid"} {
		err := New(euid, nil).Probe(t.Context())
		if err == nil || !strings.Contains(err.Error(), want) || !strings.Contains(err.Error(), "Operation not permitted") {
			t.Errorf("user %d: %v", euid, err)
		}
	}
}

// A normal user's sandbox asks for the subordinate ids, root's does not.
func TestEnter(t *testing.T) {
	for euid, want := range map[int]bool{0: false, 1000: true} {
		argv := strings.Join(New(euid, nil).enter(), " ")
		if strings.Contains(argv, "--map-auto") != want || !strings.Contains(argv, "--net") || !strings.HasSuffix(argv, "--kill-child=SIGKILL --") {
			t.Errorf("user %d: %s", euid, argv)
		}
	}
}

// Modes go into images: what the user's shell masks must not decide them.
func TestUmaskOfTheUserDoesNotCount(t *testing.T) {
	defer syscall.Umask(syscall.Umask(0o077))
	var out bytes.Buffer
	err := box().Run(t.Context(), Script{Name: "making a file", Text: `: > "$1/f"; mkdir "$1/d"; stat -c %a "$1/f" "$1/d"`, Args: []string{t.TempDir()}, Output: &out})
	if err != nil || out.String() != "644\n755\n" {
		t.Errorf("%q, %v", out.String(), err)
	}
}
