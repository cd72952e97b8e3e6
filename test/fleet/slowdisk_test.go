//go:build fleet && all

package fleet_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"
)

// TestSlowDisk: each sync of an etcd member's data takes 10, 30 or 50 ms longer, by member, while clients write to all of them. No write
// fails, there is one election at most, the members stay those that they are, and the VIP where it is.
func TestSlowDisk(t *testing.T) {
	f := newFleet(t, "testdata/dedicated-pair.yaml")
	f.Start()
	f.Wait(formLimit, "all nodes formed", f.formed)
	id, term, holder, moves := f.clusterID("cp1"), f.term("cp1"), f.holders(), f.moves()
	slow := map[string]*slowness{"cp1": f.slow("cp1", 10*time.Millisecond), "cp2": f.slow("cp2", 30*time.Millisecond), "cp3": f.slow("cp3", 50*time.Millisecond)}
	began := time.Now()
	written := f.load(30 * time.Second)
	if err := f.whole(3); err != nil {
		t.Error(err)
	}
	after, held := f.term("cp1"), f.holders()
	for _, name := range slices.Sorted(maps.Keys(slow)) {
		delayed := slow[name].end(t)
		t.Logf("%s: %d syncs took longer", name, delayed)
		if delayed < 100 {
			t.Errorf("only %d syncs of %s took longer", delayed, name)
		}
	}
	t.Logf("%d writes; the term was %d, and is %d", written, term, after)
	if after-term > 1 {
		t.Errorf("%d elections", after-term)
	}
	if !slices.Equal(holder, held) || f.moves() != moves {
		t.Errorf("held by %v, before by %v; states of keepalived before:\n%s\nand after:\n%s", held, holder, moves, f.moves())
	}
	took := f.Wait(backLimit, "all is as before", func() error { return errors.Join(f.formed(), f.whole(3), f.apiReady()) })
	if now := f.clusterID("cp1"); now != id {
		t.Errorf("it is cluster %s, before %s", now, id)
	}
	newReport(t).add("F19", fmt.Sprintf("syncs of the members' data 10, 30 and 50 ms slower, for %v", time.Since(began).Round(time.Second)), took,
		fmt.Sprintf("all of %d writes done; %d elections; members and VIP as before", written, after-term))
}

// term is raft's, which every election raises.
func (f *fleet) term(name string) int {
	f.t.Helper()
	said, err := f.etcdctl(name, "endpoint status -w json")
	var all []struct{ Status struct{ RaftTerm int } }
	if err = errors.Join(err, json.Unmarshal([]byte(said), &all)); err != nil || len(all) != 1 {
		f.fatalf("%s: %v", said, err)
	}
	return all[0].Status.RaftTerm
}

// load writes at every member, and to the API, for a while, and gives how much was written. Nothing may fail.
func (f *fleet) load(lasts time.Duration) int {
	f.t.Helper()
	var writers sync.WaitGroup
	var done atomic.Int64
	end := time.Now().Add(lasts)
	write := func(what string, one func(i int) error) {
		for i := 0; time.Now().Before(end); i++ {
			if err := one(i); err != nil {
				f.t.Errorf("write %d %s: %v", i, what, err)
				return
			}
			done.Add(1)
		}
	}
	for _, n := range f.with("etcd") {
		writers.Go(func() {
			write("at "+n.name, func(i int) error {
				_, err := f.etcdctl(n.name, fmt.Sprintf("put load/%s/%d %0512d", n.name, i, i))
				return err
			})
		})
	}
	writers.Go(func() {
		write("through the VIP", func(i int) error {
			_, err := f.kubectl("create", "configmap", fmt.Sprint("load-", i))
			return err
		})
	})
	writers.Wait()
	return int(done.Load())
}

// slowness makes the syncs of a program slow: strace holds it up before each.
type slowness struct {
	strace *exec.Cmd
	trace  string
}

// slow lets a member's syncs take longer. It returns once the first one did.
func (f *fleet) slow(name string, by time.Duration) *slowness {
	f.t.Helper()
	n := f.node(name)
	found, err := filepath.Glob(filepath.Join(n.cgroup(), "*/system.slice/etcd.service/cgroup.procs"))
	if err != nil || len(found) != 1 {
		f.fatalf("etcd's control group on %s: %v, %v", name, found, err)
	}
	pids, err := os.ReadFile(found[0])
	if err != nil {
		f.fatal(err)
	}
	s := &slowness{trace: filepath.Join(n.dir, "strace.log")}
	s.strace = exec.Command("strace", "-f", "-qq", "-o", s.trace, "-e", "trace=fsync,fdatasync", "-e", "signal=none",
		"-e", fmt.Sprintf("inject=fsync,fdatasync:delay_enter=%d", by.Microseconds()), "-p", strings.TrimSpace(string(pids)))
	if err := s.strace.Start(); err != nil {
		f.fatal(err)
	}
	f.Wait(20*time.Second, name+" is slow", func() error {
		if s.delayed() == 0 {
			return errors.New("no sync was delayed yet")
		}
		return nil
	})
	return s
}

func (s *slowness) delayed() int {
	said, _ := os.ReadFile(s.trace)
	return strings.Count(string(said), "(DELAYED)")
}

// end lets the program go, and gives how many of its syncs were held up.
func (s *slowness) end(t *testing.T) int {
	t.Helper()
	if err := s.strace.Process.Signal(syscall.SIGINT); err != nil {
		t.Fatal(err)
	}
	_ = s.strace.Wait() // it ends as interrupted
	return s.delayed()
}
