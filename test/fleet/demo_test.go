//go:build fleet && demo

package fleet_test

import (
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"testing"
	"time"
)

var stay = flag.Bool("demo.stay", false, "leave the cluster on until Ctrl-C")

// TestDemo is `make demo-ha`: a cluster forms, loses a control plane, a balancer and a disk, and serves on. For people to watch; it
// fails when it does not.
func TestDemo(t *testing.T) {
	f := newFleet(t, "../../examples/dedicated-pair/cluster.yaml")
	whole := func() error { return errors.Join(f.formed(), f.whole(3), f.apiReady(), f.held()) }

	say("Two load balancers, three control planes, one worker: switched on at once, blank, each with its Ignition config.")
	f.Start(f.enough()...)
	took := f.await(whole)
	say("One cluster, after %v. Nobody ran a command on it.", took)
	f.show()

	say("The power of cp1 is cut.")
	f.loses("cp1")

	holder := f.holders()[0]
	say("The power of %s is cut, which answers for %s.", holder, f.vip)
	f.loses(holder)

	say("Both come back, cp1 with a blank disk and the config that it had.")
	f.Wipe("cp1")
	f.Start("cp1", holder)
	say("Whole again after %v: the member that cp1 was is gone, the new one has its vote.", f.await(whole))
	f.show()
	if *stay {
		f.untilInterrupted()
	}
}

func say(format string, args ...any) {
	fmt.Printf("\n%s  %s\n\n", time.Now().Format(time.TimeOnly), fmt.Sprintf(format, args...))
}

// await waits, and says every second what is waited for.
func (f *fleet) await(good func() error) time.Duration {
	f.t.Helper()
	begin, said := time.Now(), ""
	for {
		err := good()
		if err == nil {
			return time.Since(begin).Round(time.Second / 10)
		}
		all, _ := f.Statuses()
		line := ""
		for _, s := range all {
			if !s.Serving {
				line += fmt.Sprintf("  %s: %s", s.Node, s.Step)
			}
		}
		if line != said {
			fmt.Printf("%5.1f s%s\n", time.Since(begin).Seconds(), line)
			said = line
		}
		if time.Since(begin) > formLimit {
			f.fatal(err)
		}
		time.Sleep(500 * time.Millisecond)
	}
}

// loses cuts a machine's power, and says how long new clients got no answer.
func (f *fleet) loses(name string) {
	f.t.Helper()
	took := f.outage(func() { f.PowerCut(name) })
	fmt.Printf("        a new client at %s was without an answer for %.1f s at most\n", f.vip, took.Seconds())
}

func (f *fleet) show() {
	fmt.Println(f.slipway(append([]string{"status", "-f", f.spec}, f.on()...)...))
}

func (f *fleet) on() []string {
	var names []string
	for _, name := range f.order {
		if f.nodes[name].init != 0 {
			names = append(names, name)
		}
	}
	return names
}

// untilInterrupted says how to look, and waits.
func (f *fleet) untilInterrupted() {
	f.t.Helper()
	bin := filepath.Dir(f.image.slipway())
	say("It stays until Ctrl-C. In another terminal, as root:")
	fmt.Printf("        nsenter --net --target $(pgrep -P %s) bash\n        export KUBECONFIG=%s PATH=%s:%s:$PATH; cd %s\n        slipway status --watch; slipway logs cp1 etcd -f; kubectl get nodes\n\n",
		os.Getenv(inside), filepath.Join(f.dir, "admin.conf"), bin, filepath.Dir(f.image.kubectl()), f.dir)
	stop := make(chan os.Signal, 1)
	signal.Notify(stop, os.Interrupt)
	<-stop
}
