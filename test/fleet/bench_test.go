//go:build fleet && bench

package fleet_test

import (
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

const rounds = 3

// TestBench prints how long things take, each beside what it is measured by. It asserts nothing about time. Formation is compared
// with its floor: the same etcd and API servers, with the same flags on the same machines, started by systemd as soon as it can.
func TestBench(t *testing.T) {
	f := newFleet(t, "../../examples/stacked/cluster.yaml")
	planes := []string{"cp1", "cp2", "cp3"}
	var formed, floor, takeover, back []time.Duration
	var idle cost
	for range rounds {
		f.Start(planes...)
		formed = append(formed, f.Wait(formLimit, "all API servers serve", f.serving))
		f.Wait(formLimit, "all nodes formed", func() error { return errors.Join(f.formed(), f.whole(3)) })

		idle = f.slipwaydDuring("cp1", time.Minute)

		holder := f.holders()[0]
		takeover = append(takeover, f.outage(func() { f.PowerCut(holder) }))
		f.Wipe(holder)
		f.Start(holder)
		back = append(back, f.Wait(backLimit, holder+" is a voter again", func() error { return f.whole(3) }))
		f.Wait(formLimit, "all nodes formed", f.formed)

		units := map[string]map[string]string{}
		for _, name := range planes {
			units[name] = map[string]string{"etcd.service": f.unit(name, "etcd.service"), "kube-apiserver.service": f.unit(name, "kube-apiserver.service")}
		}
		f.PowerCut(planes...)
		for _, name := range planes {
			f.onlyUnits(name, units[name])
		}
		f.Start(planes...)
		floor = append(floor, f.Wait(formLimit, "all API servers serve", f.serving))
		f.PowerCut(planes...)
		f.Wipe(planes...)
	}
	fmt.Printf("\n| what, three stacked control planes | seconds | against | seconds | ratio | limit |\n|---|---|---|---|---|---|\n")
	row := func(what string, took []time.Duration, against string, other time.Duration, limit string) {
		m := median(took)
		fmt.Printf("| %s | %.1f | %s | %.1f | %.2f | %s |\n", what, m.Seconds(), against, other.Seconds(), m.Seconds()/other.Seconds(), limit)
	}
	row("power-on to three API servers", formed, "etcd and API servers started by systemd", median(floor), "1.25")
	row("the longest time without an answer at the VIP, its holder's power cut", takeover, "the limit", 2*time.Second, "1")
	row("a reimaged control plane switched on, to its vote", back, "the limit", 30*time.Second, "1")
	fmt.Printf("\nslipwayd of a control plane while nothing happens, and the programs that it runs: %s of a core (limit 1), %.0f MiB (limit 64)\n", idle.shares(), idle.now)
}

func median(all []time.Duration) time.Duration {
	slices.Sort(all)
	return all[len(all)/2]
}

// serving says whether every API server that is on says that it is ready.
func (f *fleet) serving() error {
	for _, n := range f.with("control-plane") {
		if n.init == 0 {
			continue
		}
		if err := ready(net.JoinHostPort(n.address, "6443")); err != nil {
			return fmt.Errorf("%s: %w", n.name, err)
		}
	}
	return nil
}

func (f *fleet) unit(name, unit string) string {
	return f.mustIn(name, "cat /run/systemd/system/"+unit) + "\n"
}

// onlyUnits makes a machine that is off one without slipwayd and without etcd's data: systemd starts these units, after the network.
func (f *fleet) onlyUnits(name string, units map[string]string) {
	f.t.Helper()
	n := f.node(name)
	dir := filepath.Join(n.etcUpper(), "systemd/system")
	wants := filepath.Join(dir, "multi-user.target.wants")
	env := fmt.Sprintf("ETCD_INITIAL_CLUSTER_STATE=new\nETCD_INITIAL_CLUSTER_TOKEN=%s/1\n", f.cluster())
	err := errors.Join(os.RemoveAll(filepath.Join(n.dir, "var/lib/etcd")), os.MkdirAll(wants, 0o755),
		os.WriteFile(filepath.Join(n.etcUpper(), "floor.env"), []byte(env), 0o644),
		os.Symlink("/dev/null", filepath.Join(dir, "slipwayd.service")))
	for unit, text := range units {
		text = strings.ReplaceAll(text, "/run/slipway/etcd.env", "/etc/floor.env")
		err = errors.Join(err, os.WriteFile(filepath.Join(dir, unit), []byte(text), 0o644), os.Symlink("../"+unit, filepath.Join(wants, unit)))
	}
	if err != nil {
		f.fatal(err)
	}
}
