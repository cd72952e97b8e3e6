//go:build fleet && all

package fleet_test

import (
	"bytes"
	"fmt"
	"os/exec"
	"strings"
	"sync"
	"testing"
	"time"
)

// TestVIPStays: the VIP stays where it is whatever happens to the API servers and to etcd, and watches live through etcd's absence.
func TestVIPStays(t *testing.T) {
	f := newFleet(t, "testdata/dedicated-pair.yaml")
	f.Start()
	f.Wait(formLimit, "all nodes formed", f.formed)
	for _, c := range []accident{
		{"keepalived is killed", func(f *fleet) { f.kill("slipway-keepalived", f.holders()[0]) }, 4 * time.Second, true},
		{"all API servers are killed", func(f *fleet) { f.kill("kube-apiserver", "cp1", "cp2", "cp3") }, time.Minute, false},
		{"etcd stands still", func(f *fleet) { f.etcdAway("systemctl kill -s STOP etcd", "systemctl kill -s CONT etcd") }, time.Minute, false},
		{"etcd is off", func(f *fleet) {
			f.etcdAway("systemctl stop slipwayd && systemctl kill -s KILL etcd; systemctl stop etcd", "systemctl start --no-block slipwayd etcd")
		}, time.Minute, false},
	} {
		t.Run(c.name, func(t *testing.T) { f.under(t).survives(c) })
	}
}

// etcdAway takes etcd away on all members for 5 s. A watch through the VIP and one through a node's loopback live through it.
func (f *fleet) etcdAway(begin, end string) {
	f.t.Helper()
	outside, inside := f.watch(), f.watchIn("cp1")
	each := func(script string) {
		for _, n := range f.with("etcd") {
			if _, err := f.In(n.name, script); err != nil {
				f.fatal(err)
			}
		}
	}
	each(begin)
	time.Sleep(5 * time.Second)
	each(end)
	name := fmt.Sprintf("after-%d", time.Now().UnixNano())
	f.Wait(time.Minute, "something can be made", func() error {
		_, err := f.kubectl("create", "configmap", name)
		return err
	})
	for _, w := range []*watching{outside, inside} {
		f.Wait(10*time.Second, w.name+" sees it", func() error { return w.sees(name) })
	}
}

// watching is a client that watches the API over one connection.
type watching struct {
	name  string
	ended chan struct{}

	mu   sync.Mutex
	said bytes.Buffer
}

func (w *watching) Write(p []byte) (int, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.said.Write(p)
}

func (w *watching) sees(what string) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	if strings.Contains(w.said.String(), what) {
		return nil
	}
	select {
	case <-w.ended:
		return fmt.Errorf("%s has ended: %s", w.name, tail(w.said.String(), 3))
	default:
		return fmt.Errorf("%s has not seen %s", w.name, what)
	}
}

const configMaps = "/api/v1/namespaces/default/configmaps?watch=1&timeoutSeconds=600"

// watch watches through the VIP.
func (f *fleet) watch() *watching {
	f.t.Helper()
	if err := f.apiReady(); err != nil { // there is a kubeconfig now
		f.fatal(err)
	}
	return f.watchBy("a watch through the VIP", f.image.kubectl(), "--kubeconfig", f.dir+"/admin.conf", "get", "--raw", configMaps)
}

// watchIn watches through the loopback balancer of a control plane.
func (f *fleet) watchIn(name string) *watching {
	f.t.Helper()
	const pki = "/etc/slipway/pki/"
	return f.watchBy("a watch through the loopback of "+name, "nsenter", "-t", fmt.Sprint(f.node(name).init), "-m", "-n", "kubectl",
		"--server", "https://127.0.0.1:7443", "--certificate-authority", pki+"ca.crt", "--client-certificate", pki+"slipwayd-admin.crt", "--client-key", pki+"slipwayd-admin.key",
		"get", "--raw", configMaps)
}

// watchBy starts a watch, which ends with the test at the latest, and waits until it is established.
func (f *fleet) watchBy(name, program string, args ...string) *watching {
	f.t.Helper()
	w := &watching{name: name, ended: make(chan struct{})}
	cmd := exec.Command(program, args...)
	cmd.Stdout, cmd.Stderr = w, w
	if err := cmd.Start(); err != nil {
		f.fatal(err)
	}
	go func() {
		cmd.Wait()
		close(w.ended)
	}()
	f.t.Cleanup(func() {
		cmd.Process.Kill()
		<-w.ended
	})
	f.Wait(20*time.Second, name+" begins", func() error { return w.sees("kube-root-ca.crt") })
	return w
}
