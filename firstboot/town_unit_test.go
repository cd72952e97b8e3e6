//go:build all

package firstboot

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"time"

	"slipway/node"
	"slipway/roles"
)

var flagShape = regexp.MustCompile(`--[a-z0-9-]+=[^ \n]+`)

// unitFlags are those of the rendered unit, with its paths in the home and its addresses the node's own.
func unitFlags(out roles.Output, h *home) []string {
	for _, u := range out.Units {
		if u.Name == etcdUnit {
			address := h.cfg.Self().Address.Addr().String()
			text := strings.NewReplacer(node.PKIDir, h.files().path(node.PKIDir), etcdDir, h.files().path(etcdDir),
				",https://127.0.0.1:2379", "", "127.0.0.1:2381", address+":2381").Replace(string(u.Content))
			var members []string
			for _, n := range h.cfg.Nodes {
				members = append(members, n.Name+"="+peerURL(n))
			}
			return append(flagShape.FindAllString(text, -1), "ETCD_INITIAL_CLUSTER="+strings.Join(members, ","))
		}
	}
	h.town.t.Fatal("no unit")
	return nil
}

// unitFake is systemd for etcd.service, and the way to the other programs.
type unitFake struct {
	home  *home
	flags []string // the last one is an environment variable

	mu       sync.Mutex
	cmd      *exec.Cmd
	wanted   bool
	deaf     bool // it starts nothing
	restarts int
	starts   int
}

func (u *unitFake) log() string {
	return filepath.Join(u.home.root, fmt.Sprintf("etcd-%d.log", u.starts))
}

func (u *unitFake) Run(ctx context.Context, name string, args ...string) (string, error) {
	return u.Feed(ctx, "", name, args...)
}

func (u *unitFake) Feed(ctx context.Context, input, name string, args ...string) (string, error) {
	switch {
	case name == "etcdctl":
		for i, a := range args {
			args[i] = strings.Replace(a, "="+node.PKIDir, "="+u.home.files().path(node.PKIDir), 1)
			if a == "grant" {
				args[i+1] = u.home.town.lease
			}
		}
		return Exec{}.Feed(ctx, input, u.home.town.etcdctl, args...)
	case name == "rm":
		return Exec{}.Run(ctx, "rm", args[0], args[1], u.home.files().path(args[2]))
	case name == "journalctl":
		u.mu.Lock()
		defer u.mu.Unlock()
		text, err := os.ReadFile(u.log())
		return string(text), err
	case name == systemctl && args[0] == "show":
		return shows(args, func(string) string { return u.show() }), nil
	case name == systemctl && args[0] == "start":
		u.mu.Lock()
		defer u.mu.Unlock()
		u.wanted, u.restarts = true, 0
		return "", u.start()
	case name == systemctl && args[0] == "stop":
		u.kill()
		return "", nil
	}
	return "", fmt.Errorf("running %s: not in this town", name)
}

// start runs etcd with the environment as it is now, and again when it ends.
func (u *unitFake) start() error {
	if u.deaf {
		return nil
	}
	env, err := u.home.files().ReadFile(etcdEnv)
	if err != nil {
		return err
	}
	if err := os.MkdirAll(u.home.files().path(etcdDir), 0o700); err != nil {
		return err
	}
	u.starts++
	log, err := os.Create(u.log())
	if err != nil {
		return err
	}
	last := len(u.flags) - 1
	cmd := exec.Command(u.home.town.etcd, u.flags[:last]...)
	cmd.Env = append(append(os.Environ(), u.flags[last]), strings.Fields(string(env))...)
	cmd.Stdout, cmd.Stderr = log, log
	if err := cmd.Start(); err != nil {
		return err
	}
	u.cmd = cmd
	go u.watch(cmd, log)
	return nil
}

func (u *unitFake) watch(cmd *exec.Cmd, log *os.File) {
	cmd.Wait()
	log.Close()
	u.mu.Lock()
	if u.cmd == cmd {
		u.cmd = nil
	}
	u.mu.Unlock()
	time.Sleep(500 * time.Millisecond)
	u.mu.Lock()
	defer u.mu.Unlock()
	if u.wanted && u.cmd == nil {
		u.restarts++
		if err := u.start(); err != nil {
			u.home.town.t.Log(err)
		}
	}
}

func (u *unitFake) kill() {
	u.mu.Lock()
	u.wanted = false
	cmd := u.cmd
	u.mu.Unlock()
	for cmd != nil {
		cmd.Process.Kill()
		time.Sleep(20 * time.Millisecond)
		u.mu.Lock()
		cmd = u.cmd
		u.mu.Unlock()
	}
}

func (u *unitFake) show() string {
	u.mu.Lock()
	defer u.mu.Unlock()
	text, _ := os.ReadFile(u.log())
	state, sub := "inactive", "dead"
	switch {
	case u.cmd != nil && strings.Contains(string(text), "ready to serve client requests"):
		state, sub = "active", "running"
	case u.cmd != nil:
		state, sub = "activating", "start"
	case u.wanted:
		state, sub = "activating", "auto-restart"
	}
	return fmt.Sprintf("LoadState=loaded\nActiveState=%s\nSubState=%s\nResult=exit-code\nJob=\nNRestarts=%d\nInvocationID=%d\n", state, sub, u.restarts, u.starts)
}
