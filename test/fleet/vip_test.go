//go:build fleet

package fleet_test

import (
	"bytes"
	"errors"
	"fmt"
	"os/exec"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"
)

// TestVIP: a pair of balancers does not take an address that somebody else has, and says who that is; then it lives through what
// happens to haproxy, to the API servers and to etcd, and the address stays where it is whenever that is not the holder's own fault.
func TestVIP(t *testing.T) {
	f := newFleet(t, "testdata/dedicated-pair.yaml")
	leave := f.intrude(f.vip)
	announce(t, 10)
	f.Start()
	f.Wait(formLimit, "all formed but the balancers, which name the stranger", f.waitsForStranger)
	if now := f.holders(); !slices.Equal(now, []string{strangerCard}) {
		t.Fatalf("held by %v while a stranger has it", now)
	}
	leave()
	took := f.Wait(time.Minute, "the API answers at its address", f.answers)
	t.Logf("taken %v after the stranger left", took.Round(time.Second/10))
	f.Wait(formLimit, "all nodes formed", f.formed)
	f.oneHolder()

	for _, c := range []struct {
		name    string
		happens func(*fleet)
		limit   time.Duration
		moves   bool // the VIP may
	}{
		{"an API server is killed", func(f *fleet) { f.kill("kube-apiserver", "cp2") }, 2 * time.Second, false},
		{"haproxy is killed", func(f *fleet) { f.kill("slipway-lb", f.holders()[0]) }, 4 * time.Second, true},
		{"keepalived is killed", func(f *fleet) { f.kill("slipway-keepalived", f.holders()[0]) }, 4 * time.Second, true},
		{"all API servers are killed", func(f *fleet) { f.kill("kube-apiserver", "cp1", "cp2", "cp3") }, time.Minute, false},
		{"etcd stands still", func(f *fleet) { f.etcdAway("systemctl kill -s STOP etcd", "systemctl kill -s CONT etcd") }, time.Minute, false},
		{"etcd is off", func(f *fleet) {
			f.etcdAway("systemctl stop slipwayd && systemctl kill -s KILL etcd; systemctl stop etcd", "systemctl start --no-block slipwayd etcd")
		}, time.Minute, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			f := f.under(t)
			before := f.holders()
			took := f.outage(func() { c.happens(f) })
			t.Logf("no answer for at most %v", took.Round(time.Second/100))
			if took > c.limit {
				t.Errorf("no answer for %v", took)
			}
			f.Wait(formLimit, "all nodes formed", f.formed)
			if now := f.holders(); len(now) != 1 || !c.moves && !slices.Equal(now, before) {
				t.Errorf("held by %v, before by %v", now, before)
			}
		})
	}
}

// waitsForStranger says what is not so: both balancers name the stranger's card and the other cluster's router, and everybody else is done.
func (f *fleet) waitsForStranger() error {
	all, err := f.Statuses()
	var wrong []error
	for _, s := range all {
		if strings.HasPrefix(s.Node, "cp") {
			if !s.Serving && s.Step != "cluster" {
				wrong = append(wrong, fmt.Errorf("%s waits for %s: %s", s.Node, s.WaitingFor, s.LastError))
			}
			continue
		}
		if s.Step != "vip" || !strings.Contains(s.WaitingFor, strangerCard) {
			wrong = append(wrong, fmt.Errorf("%s is at %s, waiting for %s: %s", s.Node, s.Step, s.WaitingFor, s.LastError))
		}
		if !slices.ContainsFunc(s.Notices, func(n notice) bool { return n.Kind == "vrrp" && n.Name == gateway }) {
			wrong = append(wrong, fmt.Errorf("%s has no notice of the other router: %+v", s.Node, s.Notices))
		}
	}
	return errors.Join(append(wrong, err)...)
}

// kill ends a unit's processes at once.
func (f *fleet) kill(unit string, names ...string) {
	f.t.Helper()
	for _, name := range names {
		if _, err := f.In(name, "systemctl kill -s KILL "+unit); err != nil {
			f.t.Fatal(err)
		}
	}
}

// etcdAway takes etcd away on all members for 5 s. A watch through the VIP and one through a node's loopback live through it.
func (f *fleet) etcdAway(begin, end string) {
	f.t.Helper()
	outside, inside := f.watch(), f.watchIn("cp1")
	each := func(script string) {
		for _, n := range f.with("etcd") {
			if _, err := f.In(n.name, script); err != nil {
				f.t.Fatal(err)
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
		f.t.Fatal(err)
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
		f.t.Fatal(err)
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
