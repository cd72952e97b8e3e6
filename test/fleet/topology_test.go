//go:build fleet

package fleet_test

import (
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"
)

// formLimit is many times what two cores need; how long it takes is for a benchmark to say.
const formLimit = 4 * time.Minute

// TestTopologies: every example, but for that of five members, forms by itself, all machines switched on at once, of several workers one.
func TestTopologies(t *testing.T) {
	for name, voters := range map[string]int{
		"dedicated":      3,
		"dedicated-pair": 3,
		"stacked":        3,
		"external":       3,
		"etcd-apart":     3,
		"witness":        3,
		"single":         1,
	} {
		t.Run(name, func(t *testing.T) { forms(t, name, voters) })
	}
}

func forms(t *testing.T, name string, voters int) *fleet {
	t.Helper()
	f := newFleet(t, "../../examples/"+name+"/cluster.yaml")
	if name == "external" {
		f.balance()
	}
	f.Start(f.enough()...)
	took := f.Wait(formLimit, "all nodes formed", f.formed)
	f.Wait(time.Minute, "the API answers at its address", f.apiReady)
	if err := f.whole(voters); err != nil {
		t.Error(err)
	}
	f.oneHolder()
	t.Logf("formed after %v", took.Round(time.Second/10))
	return f
}

// enough leaves out all but one of those that are workers alone.
func (f *fleet) enough() []string {
	var names []string
	workers := 0
	for _, name := range f.order {
		if slices.Equal(f.nodes[name].roles, []string{"worker"}) {
			workers++
		}
		if workers < 2 || !slices.Equal(f.nodes[name].roles, []string{"worker"}) {
			names = append(names, name)
		}
	}
	return names
}

// balance is a load balancer that is not ours, at the test's own address: to the first API server that takes the call.
func (f *fleet) balance() {
	f.t.Helper()
	listener, err := net.Listen("tcp", net.JoinHostPort(gateway, "6443"))
	if err != nil {
		f.fatal(err)
	}
	f.t.Cleanup(func() { listener.Close() })
	planes := f.with("control-plane")
	go func() {
		for {
			client, err := listener.Accept()
			if err != nil {
				return
			}
			go pass(client, planes)
		}
	}()
}

func pass(client net.Conn, planes []*node) {
	defer client.Close()
	for _, n := range planes {
		server, err := net.DialTimeout("tcp", net.JoinHostPort(n.address, "6443"), time.Second)
		if err != nil {
			continue
		}
		defer server.Close()
		go func() { io.Copy(server, client) }()
		io.Copy(client, server)
		return
	}
}

// formed says which nodes are not done with all that they can do here: the last step waits for CoreDNS, and pods do not
// run where the host's cgroups are of version 1.
func (f *fleet) formed() error {
	all, err := f.Statuses()
	var waiting []error
	for _, s := range all {
		if !s.Serving && s.Step != "cluster" {
			waiting = append(waiting, fmt.Errorf("%s: %s is %s, waiting for %s: %s", s.Node, s.Step, s.State, s.WaitingFor, s.LastError))
		}
	}
	return errors.Join(append(waiting, err)...)
}

// apiReady asks where users do: at the VIP, or the only control plane.
func (f *fleet) apiReady() error {
	said, err := f.kubectl("get", "--raw", "/readyz")
	if err == nil && said != "ok" {
		err = fmt.Errorf("the API server says %q", said)
	}
	return err
}

func (f *fleet) kubectl(args ...string) (string, error) {
	conf := filepath.Join(f.dir, "admin.conf")
	if _, err := os.Stat(conf); err != nil {
		f.slipway("kubeconfig", "-f", f.spec, "-o", conf)
	}
	return f.image.run(f.dir, f.image.kubectl(), append([]string{"--kubeconfig", conf, "--request-timeout", "5s"}, args...)...)
}

// etcdctl asks one member, on its own machine.
func (f *fleet) etcdctl(name, args string) (string, error) {
	return f.In(name, `export ETCDCTL_ENDPOINTS=https://127.0.0.1:2379 ETCDCTL_CACERT=/etc/slipway/pki/etcd-ca.crt \
ETCDCTL_CERT=/etc/slipway/pki/etcd-client.crt ETCDCTL_KEY=/etc/slipway/pki/etcd-client.key; etcdctl `+args)
}

// oneHolder demands that exactly one machine answers for the VIP, if there is one.
func (f *fleet) oneHolder() {
	f.t.Helper()
	if err := f.held(); err != nil {
		f.t.Error(err)
	}
}

func (f *fleet) held() error {
	if f.vip == "" {
		return nil
	}
	if holders := f.holders(); len(holders) != 1 {
		return fmt.Errorf("%s is held by %v", f.vip, holders)
	}
	return nil
}
