//go:build fleet && all

package fleet_test

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

// virtualLimit is how long emulated machines may take: minutes for what takes containers seconds.
const virtualLimit = 15 * time.Minute

// TestVirtualWorkers: pods that kubelets started, on two workers that are virtual machines, reach each other through a Service of
// ipvs and flannel's vxlan, and are reached from outside through a node port.
func TestVirtualWorkers(t *testing.T) {
	f := newFleet(t, "testdata/pods.yaml")
	f.Start()
	took := f.Wait(virtualLimit, "all nodes serve", f.allServe)
	t.Logf("all serve after %v", took.Round(time.Second))
	f.ready("w1 10.244.1.0/24 True", "w2 10.244.2.0/24 True")
	f.startChain("w1", "w2")
	took = f.Wait(5*time.Minute, "a question at either node port is answered by the pod on w2", f.chained("w1", "w2"))
	t.Logf("pods answer each other %v later", took.Round(time.Second))
}

// ready wants these Nodes, and no others: each with its pods' network, and whether it is Ready.
func (f *fleet) ready(want ...string) {
	f.t.Helper()
	said, err := f.kubectl("get", "nodes", "-o", `jsonpath={range .items[*]}{.metadata.name} {.spec.podCIDR} {.status.conditions[?(@.type=="Ready")].status}{"\n"}{end}`)
	if got := strings.Split(strings.TrimSpace(said), "\n"); err != nil || !slices.Equal(got, want) {
		f.t.Errorf("nodes are %q, %v, want %q", got, err, want)
	}
}

// allServe is formed, and pods run.
func (f *fleet) allServe() error {
	all, err := f.Statuses()
	for _, s := range all {
		if !s.Serving {
			err = errors.Join(err, fmt.Errorf("%s: %s is %s, waiting for %s: %s", s.Node, s.Step, s.State, s.WaitingFor, s.LastError))
		}
	}
	return err
}

// startChain starts the two pods of chain.yaml on these nodes.
func (f *fleet) startChain(near, far string) {
	f.t.Helper()
	image, err := f.kubectl("-n", "kube-system", "get", "deployment", "coredns", "-o", "jsonpath={.spec.template.spec.containers[0].image}")
	if err != nil {
		f.fatal(err)
	}
	text, err := os.ReadFile("testdata/chain.yaml")
	if err != nil {
		f.fatal(err)
	}
	file := filepath.Join(f.dir, "chain.yaml")
	if err := os.WriteFile(file, []byte(strings.NewReplacer("IMAGE", image, "NEAR", near, "FAR", far).Replace(string(text))), 0o644); err != nil {
		f.fatal(err)
	}
	f.Wait(2*time.Minute, "the pods are taken", func() error {
		_, err := f.kubectl("apply", "--validate=false", "-f", file)
		return err
	})
}

// chained asks nodes at the node port of the near pod.
func (f *fleet) chained(nodes ...string) func() error {
	return func() error {
		for _, name := range nodes {
			resolver := net.Resolver{PreferGo: true, Dial: func(ctx context.Context, _, _ string) (net.Conn, error) {
				return (&net.Dialer{}).DialContext(ctx, "tcp", net.JoinHostPort(f.node(name).address, "30053"))
			}}
			ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
			found, err := resolver.LookupHost(ctx, "any.example.")
			cancel()
			if err != nil || !slices.Equal(found, []string{"192.0.2.77"}) {
				return fmt.Errorf("through %s: %v, %v", name, found, err)
			}
		}
		return nil
	}
}
