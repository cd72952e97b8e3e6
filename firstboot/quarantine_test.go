package firstboot

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"slipway/node"
)

// TestDiagnose holds what etcd v3.6.16 said when its files were cut, overwritten and removed, and what it says on other days.
func TestDiagnose(t *testing.T) {
	for log, want := range map[string]string{
		`{"level":"fatal","caller":"etcdmain/etcd.go:183","msg":"discovery failed","error":"walpb: crc mismatch: expected: 4946af8a computed: 5ba6bd6: in file '0-0.wal' at position: 16896"}`: "its log is damaged",
		`{"level":"panic","msg":"tocommit(5181) is out of range [lastIndex(5)]. Was the raft log corrupted, truncated, or lost?"}`:                                                             "its log has lost its end",
		"panic: cannot use none as id\n\ngoroutine 1 [running]:":                                                                                                                                          "its log is empty",
		"unexpected fault address 0x7f00ee02b000\nfatal error: fault\n[signal SIGBUS: bus error code=0x2]":                                                                                                "its database is cut off",
		`{"level":"panic","caller":"backend/backend.go:205","msg":"failed to open database","path":"member/snap/db","error":"invalid database"}`:                                                          "its database is damaged",
		"panic: assertion failed: Page expected to be: 11, but self identifies as 11373084565024632524":                                                                                                   "its database is damaged",
		`{"level":"panic","caller":"etcdserver/bootstrap.go:420","msg":"failed to recover v3 backend from snapshot","error":"failed to find database snapshot file (snap: snapshot file doesn't exist)"}`: "its database is missing",
		`{"level":"warn","caller":"etcdserver/server.go:860","msg":"server error","error":"the member has been permanently removed from the cluster"}`:                                                    "the member was removed from the cluster",
		`{"level":"fatal","msg":"checkInitialHashKV failed","error":"etcdserver: found data inconsistency with peers"}`:                                                                                   "",
		`{"level":"info","msg":"repaired WAL","error":"unexpected EOF"}`:                                                                                                                                  "",
		`{"level":"warn","msg":"prober detected unhealthy status","error":"dial tcp 10.0.0.12:2380: connect: connection refused"}`:                                                                        "",
		`{"level":"warn","msg":"failed to publish local member to cluster through raft","error":"etcdserver: request timed out"}`:                                                                         "",
		`{"level":"fatal","msg":"discovery failed","error":"cannot fetch cluster info from peer urls: could not retrieve cluster information from the given URLs"}`:                                       "",
		`{"level":"panic","msg":"failed to open database","error":"open member/snap/db: no space left on device"}`:                                                                                        "",
		`{"level":"fatal","msg":"discovery failed","error":"listen tcp 10.0.0.11:2380: bind: cannot assign requested address"}`:                                                                           "",
	} {
		if got := diagnose(log); got != want {
			t.Errorf("%q in %.120s, want %q", got, log, want)
		}
	}
}

// failingUnit is an etcd that ends again and again, and the programs that are asked about it.
type failingUnit struct {
	root     Prefix
	restarts int
	log      string
	members  string // of the cluster, as etcdctl prints them; empty for no answer
	ran      []string
}

func (u *failingUnit) Run(ctx context.Context, name string, args ...string) (string, error) {
	return u.Feed(ctx, "", name, args...)
}

func (u *failingUnit) Feed(_ context.Context, _, name string, args ...string) (string, error) {
	line := name + " " + strings.Join(args, " ")
	switch {
	case strings.HasPrefix(line, "systemctl show"):
		return shows(args, func(string) string {
			return fmt.Sprintf("LoadState=loaded\nActiveState=activating\nSubState=auto-restart\nResult=exit-code\nJob=\nNRestarts=%d\nInvocationID=abc\n", u.restarts)
		}), nil
	case name == "journalctl" && strings.HasSuffix(line, "_SYSTEMD_INVOCATION_ID=abc"):
		return u.log, nil
	case name == "journalctl":
		return "the last line\n", nil
	case name == "etcdctl" && strings.Contains(line, "member list") && u.members != "":
		return u.members, nil
	case name == "etcdctl" && strings.Contains(line, "endpoint status") && u.members != "":
		id := map[bool]string{true: "1", false: "2"}[strings.Contains(line, "10.0.0.12")]
		return `[{"Status":{"header":{"member_id":` + id + `}}}]`, nil
	case name == "etcdctl":
		return "", errors.New(`running etcdctl: exit status 1: {"level":"warn","ts":"1"} Error: context deadline exceeded`)
	case name == "rm":
		u.ran = append(u.ran, line)
		return "", os.RemoveAll(u.root.path(args[len(args)-1]))
	}
	u.ran = append(u.ran, line)
	return "", nil
}

const others = `{"members":[{"ID":1,"name":"cp2","peerURLs":["https://10.0.0.12:2380"],"clientURLs":["https://10.0.0.12:2379"]},
	{"ID":2,"name":"cp3","peerURLs":["https://10.0.0.13:2380"],"clientURLs":["https://10.0.0.13:2379"]},
	{"ID":3,"name":"cp1","peerURLs":["https://10.0.0.11:2380"],"clientURLs":["https://10.0.0.11:2379"]}]}`

// TestFailingEtcd: data is put aside only if etcd says that it is of no use, has said so several times, and the others have it.
func TestFailingEtcd(t *testing.T) {
	const broken, busy = "panic: cannot use none as id", `"error":"etcdserver: request timed out"`
	for _, c := range []struct {
		name      string
		unit      failingUnit
		data      bool
		want, ran string
	}{
		{"for the second time", failingUnit{restarts: 2, log: broken, members: others}, true, "etcd.service keeps failing (exit-code): the last line", ""},
		{"damaged", failingUnit{restarts: 3, log: broken, members: others}, true, "act etcd's data to be put aside: its log is empty", "systemctl stop etcd.service"},
		{"damaged, and nobody there", failingUnit{restarts: 3, log: broken}, true, "etcd cannot use its data: its log is empty. No healthy cluster has it: cp2 (etcdctl member list at https://10.0.0.12:2379: context deadline exceeded), cp3", ""},
		{"it waits for others", failingUnit{restarts: 9, log: busy, members: others}, true, "etcd.service keeps failing (exit-code): the last line", ""},
		{"no data yet", failingUnit{restarts: 3, log: busy, members: others}, false, "act etcd.service keeps failing (exit-code): the last line", "systemctl stop etcd.service"},
	} {
		v := newVillage(t)
		n := v.homes["cp1"]
		c.unit.root = Prefix(v.roots["cp1"])
		n.Host.Run = &c.unit
		delete(v.homes, "cp2")
		delete(v.homes, "cp3")
		if c.data {
			fill(t, c.unit.root)
		}
		found, err := n.observeEtcd(t.Context())
		got := "act " + found.waiting
		if err != nil {
			got = err.Error()
		}
		if !strings.HasPrefix(got, c.want) {
			t.Errorf("%s: %s, want %s", c.name, got, c.want)
		}
		if found.act {
			if err := found.do(t.Context()); (err != nil) == c.data {
				t.Errorf("%s: %v", c.name, err)
			}
		}
		if ran := strings.Join(c.unit.ran, "\n"); ran != c.ran {
			t.Errorf("%s: it ran %s, want %s", c.name, ran, c.ran)
		}
		w, err := n.world()
		if err != nil {
			t.Fatal(err)
		}
		if gone := c.data && found.act; gone == w.HasData && c.data || gone != (decide(w).Start == startReplace) {
			t.Errorf("%s: %+v, %+v", c.name, w, decide(w))
		}
	}
}

// fill puts a member's data down.
func fill(t *testing.T, root Prefix) {
	t.Helper()
	log := root.path(etcdDir + "/member/wal/0.wal")
	if err := errors.Join(os.MkdirAll(filepath.Dir(log), 0o700), os.WriteFile(log, []byte("x"), 0o600)); err != nil {
		t.Fatal(err)
	}
}

// TestPutAside: the newest is kept, and only so many.
func TestPutAside(t *testing.T) {
	v := newVillage(t)
	n, root := v.homes["cp1"], Prefix(v.roots["cp1"])
	n.Host.Run = &failingUnit{root: root}
	for _, want := range []string{"", "1", "1 2", "2 3", "3 4"} {
		if want != "" {
			fill(t, root)
		}
		if err := n.putAside(t.Context()); err != nil {
			t.Fatal(err)
		}
		numbers, err := n.aside()
		for _, number := range numbers {
			if why, _ := node.RefusePath(asideName + strconv.Itoa(number) + "/member/x"); why == "" {
				t.Error("a user may write into what was put aside")
			}
		}
		if got := strings.Trim(fmt.Sprint(numbers), "[]"); err != nil || got != want {
			t.Errorf("kept %s, %v, want %s", got, err, want)
		}
	}
}
