//go:build all

package firstboot

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"slipway/firstboot/etcd"
)

// TestMembers lives through what happens to members, with real ones: see each part.
func TestMembers(t *testing.T) {
	tn := newTown(t, 78)
	for _, part := range []struct {
		what string
		do   func(*testing.T)
	}{
		{"the first form", tn.form},
		{"a third comes late", tn.late},
		{"one comes back wiped", tn.wiped},
		{"there is a second machine of one name", tn.duplicate},
		{"data is damaged", tn.damaged},
		{"two come at once", tn.atOnce},
		{"a joiner dies half way", tn.dies},
	} {
		t.Log("== " + part.what)
		part.do(t)
	}
}

// form: two of three are a majority, after the grace period.
func (tn *town) form(*testing.T) {
	tn.homes["cp1"].on()
	tn.homes["cp2"].on()
	tn.serving(30*time.Second, "cp1", "cp2")
	tn.write("first", "1")
}

func (tn *town) write(key, value string) {
	tn.t.Helper()
	if _, err := tn.ctl("cp1", "put", key, value); err != nil {
		tn.t.Fatal(err)
	}
}

// reads expects what was written first, as the member itself has it.
func (tn *town) reads(t *testing.T, at string) {
	t.Helper()
	out, err := tn.ctl(at, "get", "first", "--print-value-only", "--consistency=s")
	if err != nil || strings.TrimSpace(out) != "1" {
		t.Errorf("%s has %q, %v", at, out, err)
	}
}

// watch writes all the time, until it is asked how that went: quorum must never be lost.
func (tn *town) watch(t *testing.T) (end func()) {
	ctx, cancel := context.WithCancel(context.Background())
	var wait sync.WaitGroup
	writes, worst := 0, time.Duration(0)
	var failed error
	wait.Go(func() {
		for ctx.Err() == nil {
			began := time.Now()
			if _, err := tn.ctl("cp1", "put", "now", fmt.Sprint(writes)); err != nil && ctx.Err() == nil {
				failed = err
			}
			worst = max(worst, time.Since(began))
			writes++
			time.Sleep(100 * time.Millisecond)
		}
	})
	return func() {
		cancel()
		wait.Wait()
		t.Logf("%d writes, the slowest took %s", writes, worst.Round(time.Millisecond))
		if failed != nil {
			t.Errorf("a write failed: %v", failed)
		}
	}
}

// late: it takes its place in the list, by the identity that it has from the first.
func (tn *town) late(t *testing.T) {
	before := tn.members("cp1")["cp3"]
	defer tn.watch(t)()
	tn.homes["cp3"].on()
	tn.serving(30*time.Second, "cp3")
	if after := tn.members("cp1")["cp3"]; after.ID != before.ID || len(tn.members("cp1")) != 3 {
		t.Errorf("it was %x and is %x", before.ID, after.ID)
	}
	tn.reads(t, "cp3")
}

// wiped: the member that it was is removed, it comes in as a learner and becomes a voter.
func (tn *town) wiped(t *testing.T) {
	before := tn.members("cp1")["cp3"]
	defer tn.watch(t)()
	tn.homes["cp3"].wipe()
	tn.homes["cp3"].on()
	tn.serving(60*time.Second, "cp3")
	if after := tn.members("cp1"); after["cp3"].ID == before.ID || len(after) != 3 {
		t.Errorf("it was %x, and the members are %+v", before.ID, after)
	}
	tn.reads(t, "cp3")
	if lock, err := tn.lock(); err != nil || lock.Lease != 0 {
		t.Errorf("the lock is left: %+v, %v", lock, err)
	}
}

func (tn *town) lock() (etcd.Lock, error) {
	h := tn.homes["cp1"]
	return h.machine.etcdctl().Held(context.Background(), clientURL(h.cfg.Self()))
}

// duplicate: the machine that is there stays the member, also when its daemon is not heard, and the other one says so.
func (tn *town) duplicate(t *testing.T) {
	before := tn.members("cp1")["cp3"]
	second := tn.build("cp3 again", "cp3")
	second.on()
	tn.until("it gives way to the machine that is heard", 10*time.Second, func() bool {
		return strings.Contains(second.status().WaitingFor, "the other machine with the name and key of this node, at 127.0.78.13") ||
			strings.Contains(second.status().LastError, "another machine with the name and key of this node answers at 127.0.78.13")
	})
	tn.homes["cp3"].quit() // its daemon; etcd goes on
	tn.until("it gives way to the member that lives", 40*time.Second, func() bool {
		return strings.Contains(second.status().LastError, `another machine is member "cp3" of the cluster and lives, at https://127.0.78.13:2379`)
	})
	second.off()
	tn.homes["cp3"].on()
	if after := tn.members("cp1")["cp3"]; after.ID != before.ID {
		t.Errorf("it was %x and is %x", before.ID, after.ID)
	}
	tn.serving(10*time.Second, "cp3")
}

// damaged: data that etcd cannot use is put aside and fetched anew, while the others are well; else it is left.
func (tn *town) damaged(t *testing.T) {
	h, before := tn.homes["cp3"], tn.members("cp1")["cp3"]
	h.off()
	logs, err := filepath.Glob(h.files().path(etcdDir + "/member/wal/*.wal"))
	if err != nil || len(logs) == 0 {
		t.Fatal(logs, err)
	}
	f, err := os.OpenFile(logs[len(logs)-1], os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := f.WriteAt([]byte("overlaid"), 40); err != nil {
		t.Fatal(err)
	}
	f.Close()
	tn.homes["cp2"].off()
	h.on()
	tn.until("it says that nobody has it", 30*time.Second, func() bool {
		return strings.Contains(h.status().LastError, "etcd cannot use its data: its log is damaged. No healthy cluster has it: ")
	})
	if aside, _ := filepath.Glob(h.files().path(asideName + "*")); len(aside) > 0 {
		t.Fatalf("put aside: %q", aside)
	}
	tn.homes["cp2"].on()
	tn.serving(60*time.Second, "cp2", "cp3")
	if after := tn.members("cp1"); after["cp3"].ID == before.ID || len(after) != 3 {
		t.Errorf("it was %x, and the members are %+v", before.ID, after)
	}
	if aside, _ := filepath.Glob(h.files().path(asideName + "1/member/wal/*.wal")); len(aside) == 0 {
		t.Error("nothing was put aside")
	}
	tn.reads(t, "cp3")
}

// alone takes cp2 and cp3 out of the cluster, before their daemons can do anything about it, and wipes them.
func (tn *town) alone() {
	for _, name := range []string{"cp3", "cp2"} {
		tn.homes[name].quit()
		id := tn.members("cp1")[name].ID
		tn.until(name+" is removed", 20*time.Second, func() bool {
			_, err := tn.ctl("cp1", "member", "remove", etcd.Hex(id))
			return err == nil
		})
		tn.homes[name].wipe()
	}
}

// atOnce: two that join at the same time are learners one after the other.
func (tn *town) atOnce(t *testing.T) {
	tn.alone()
	defer tn.watch(t)()
	tn.homes["cp2"].on()
	tn.homes["cp3"].on()
	tn.serving(90*time.Second, "cp2", "cp3")
	if after := tn.members("cp1"); len(after) != 3 {
		t.Errorf("the members are %+v", after)
	}
	tn.reads(t, "cp2")
	tn.reads(t, "cp3")
}

// dies: the power of a joiner is cut when it has been added, and it comes back wiped, or not at all. The next one waits for the
// end of its lease, and then comes in.
func (tn *town) dies(t *testing.T) {
	tn.alone()
	cp3 := tn.homes["cp3"]
	cp3.on()
	cp3.unit.mu.Lock()
	cp3.unit.deaf = true // etcd never starts
	cp3.unit.mu.Unlock()
	tn.until("cp3 was added", 30*time.Second, func() bool { return len(tn.members("cp1")) == 2 })
	cp3.off()
	tn.homes["cp2"].on()
	tn.until("cp2 waits for cp3", 10*time.Second, func() bool { return strings.HasPrefix(tn.homes["cp2"].status().WaitingFor, "cp3 to have joined") })
	tn.serving(60*time.Second, "cp2")
	if after := tn.members("cp1"); len(after) != 2 {
		t.Errorf("the members are %+v", after)
	}
	cp3.wipe()
	cp3.on()
	tn.serving(60*time.Second, "cp3")
	tn.reads(t, "cp3")
}

// TestQuorumBack: two form, one of them is wiped before the third has come. Only the third can bring the quorum back, as the
// member that it is from the first; then the wiped one is replaced.
func TestQuorumBack(t *testing.T) {
	tn := newTown(t, 79)
	tn.form(t)
	before := tn.members("cp1")
	tn.homes["cp2"].wipe()
	tn.homes["cp2"].on()
	tn.until("the wiped one waits for a quorum", 40*time.Second, func() bool {
		return strings.HasPrefix(tn.homes["cp2"].status().WaitingFor, "a quorum of the etcd members, because this node had started a member before it was wiped")
	})
	tn.homes["cp3"].on()
	tn.serving(60*time.Second, "cp3", "cp2", "cp1")
	after := tn.members("cp1")
	if after["cp3"].ID != before["cp3"].ID || after["cp2"].ID == before["cp2"].ID || len(after) != 3 {
		t.Errorf("before %+v, after %+v", before, after)
	}
	tn.reads(t, "cp2")
	tn.reads(t, "cp3")
}

// TestTwoOfFive: two die at once, and each is replaced while the other is dead. Three go on all the time.
func TestTwoOfFive(t *testing.T) {
	names := []string{"cp1", "cp2", "cp3", "cp4", "cp5"}
	tn := newTownOf(t, 80, names...)
	tn.lease = "60" // calling the roll takes longer while somebody is dead
	for _, name := range names {
		tn.homes[name].on()
	}
	tn.serving(60*time.Second, names...)
	tn.write("first", "1")
	before := tn.members("cp1")
	defer tn.watch(t)()
	tn.homes["cp2"].wipe()
	tn.homes["cp4"].wipe()
	for _, name := range []string{"cp2", "cp4"} {
		tn.homes[name].on()
		tn.serving(90*time.Second, name)
		if after := tn.members("cp1"); after[name].ID == before[name].ID || len(after) != 5 {
			t.Errorf("%s was %x, and the members are %+v", name, before[name].ID, after)
		}
		tn.reads(t, name)
	}
}
