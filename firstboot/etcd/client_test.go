package etcd

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
)

// script answers calls of etcdctl, by how the command begins, with what v3.6.16 printed.
type script struct {
	t       *testing.T
	answers map[string]string
	ran     []string
}

func (s *script) Run(ctx context.Context, name string, args ...string) (string, error) {
	return s.Feed(ctx, "", name, args...)
}

func (s *script) Feed(ctx context.Context, input, name string, args ...string) (string, error) {
	const flags = "--endpoints=https://10.0.0.12:2379 --cacert=ca --cert=crt --key=key --dial-timeout=2s --command-timeout=4s --write-out=json "
	line := strings.Join(args, " ")
	command, found := strings.CutPrefix(line, flags)
	if name != "etcdctl" || !found {
		s.t.Errorf("ran %s %s", name, line)
	}
	if _, bounded := ctx.Deadline(); !bounded {
		s.t.Errorf("%s has no bound", command)
	}
	s.ran = append(s.ran, strings.TrimSpace(command+" "+strings.ReplaceAll(input, "\n", ";")))
	for begin, answer := range s.answers {
		if strings.HasPrefix(command, begin) {
			if text, failed := strings.CutPrefix(answer, "Error: "); failed {
				return "", fmt.Errorf(`running etcdctl: exit status 1: {"level":"warn","ts":"2026-11-30T20:21:33.6","msg":"retrying of unary invoker failed"} Error: %s`, text)
			}
			return answer, nil
		}
	}
	return `{"header":{"cluster_id":16182464580185855327}}`, nil
}

func lab(t *testing.T, answers map[string]string) (Client, *script) {
	s := &script{t: t, answers: answers}
	return Client{Run: s, CA: "ca", Cert: "crt", Key: "key"}, s
}

const at = "https://10.0.0.12:2379"

// TestMembers reads a voter that started, a learner that did not, and ids that no float holds.
func TestMembers(t *testing.T) {
	c, s := lab(t, map[string]string{"member list": `{"header":{"cluster_id":16182464580185855327,"member_id":8338322426403268538,"raft_term":2},"members":[` +
		`{"ID":15163440677226104507,"name":"m3","peerURLs":["https://10.0.0.13:2380"],"clientURLs":["https://10.0.0.13:2379"]},` +
		`{"ID":9895296901176644006,"peerURLs":["https://10.0.0.14:2380"],"isLearner":true}]}`})
	list, err := c.Members(t.Context(), at)
	if err != nil || len(list) != 2 {
		t.Fatal(list, err)
	}
	if m := list[0]; m.ID != 15163440677226104507 || m.Name != "m3" || !m.Started() || m.IsLearner {
		t.Errorf("%+v", m)
	}
	if m := list[1]; Hex(m.ID) != "8953281aa5a851a6" || m.Name != "" || m.Started() || !m.IsLearner || m.PeerURLs[0] != "https://10.0.0.14:2380" {
		t.Errorf("%+v, %s", m, Hex(m.ID))
	}
	if _, err := c.Remembered(t.Context(), at); err != nil {
		t.Error(err)
	}
	if got := strings.Join(s.ran, "\n"); got != "member list --consistency=l\nmember list --consistency=s" {
		t.Errorf("ran %s", got)
	}
}

// TestErrors: of what etcdctl says the reason is kept, which is the same at each try.
func TestErrors(t *testing.T) {
	c, _ := lab(t, map[string]string{"member list": "Error: etcdserver: rpc not supported for learner", "member add": "{", "endpoint status": "[]"})
	for want, err := range map[string]error{
		"etcdctl member list at https://10.0.0.12:2379: rpc not supported for learner": second(c.Members(t.Context(), at)),
		"reading what etcdctl member add at https://10.0.0.12:2379 printed":            third(c.AddLearner(t.Context(), at, "cp3", "https://10.0.0.13:2380")),
		"asking etcd at https://10.0.0.12:2379: 0 answers":                             second(c.MemberAt(t.Context(), at)),
	} {
		if err == nil || !strings.HasPrefix(err.Error(), want) {
			t.Errorf("%v, want %s", err, want)
		}
	}
	cause := errors.New("exec: \"etcdctl\": executable file not found in $PATH")
	if err := plain(cause); err != cause {
		t.Error(err)
	}
}

func second[A any](_ A, err error) error        { return err }
func third[A, B any](_ A, _ B, err error) error { return err }

// TestChanges: what is asked for, and what comes of it.
func TestChanges(t *testing.T) {
	c, s := lab(t, map[string]string{
		"member add":      `{"member":{"ID":31,"peerURLs":["https://10.0.0.13:2380"],"isLearner":true},"members":[{"ID":1,"name":"m1"},{"ID":31,"isLearner":true}]}`,
		"endpoint status": `[{"Endpoint":"https://10.0.0.12:2379","Status":{"header":{"member_id":9895296901176644006},"isLearner":true}}]`,
	})
	m, list, err := c.AddLearner(t.Context(), at, "cp3", "https://10.0.0.13:2380")
	if err != nil || m.ID != 31 || !m.IsLearner || len(list) != 2 {
		t.Errorf("%+v, %+v, %v", m, list, err)
	}
	if err := c.Remove(t.Context(), at, 31); err != nil {
		t.Error(err)
	}
	if id, err := c.MemberAt(t.Context(), at); err != nil || id != 9895296901176644006 {
		t.Error(id, err)
	}
	if got, want := strings.Join(s.ran, "\n"), "member add cp3 --learner --peer-urls=https://10.0.0.13:2380\nmember remove 1f\nendpoint status"; got != want {
		t.Errorf("ran %s, want %s", got, want)
	}
}

func TestPromote(t *testing.T) {
	for answer, want := range map[string]Promotion{
		`{"header":{}}`: Voter,
		"Error: etcdserver: can only promote a learner member which is in sync with leader": Behind,
		"Error: etcdserver: can only promote a learner member":                              Voter,
		"Error: etcdserver: member not found":                                               "",
	} {
		c, _ := lab(t, map[string]string{"member promote 1f": answer})
		if got, err := c.Promote(t.Context(), at, "1f"); got != want || (err != nil) != (want == "") {
			t.Errorf("%s: %s, %v", answer, got, err)
		}
	}
}

const heldByCP2 = `{"header":{"revision":2},"kvs":[{"key":"c2xpcHdheS9qb2lu","create_revision":2,"mod_revision":2,"version":1,"value":"Y3AyL2I=","lease":2862778832106285317}],"count":1}`

// TestLock: taken if it is free, had again by its holder, and otherwise it is known whose it is.
func TestLock(t *testing.T) {
	me := Holder{"cp3", "a"}
	const grant = `{"cluster_id":1,"ID":31,"TTL":60,"Error":""}`
	for _, c := range []struct {
		name    string
		by      Holder
		answers map[string]string
		want    Lock
		ran     string
	}{
		{"free", me, map[string]string{"get": `{"header":{}}`, "lease grant": grant, "txn": `{"header":{},"succeeded":true,"responses":[{"Response":{"response_put":{"header":{"revision":2}}}}]}`},
			Lock{me, 31}, `get slipway/join|lease grant 60|txn create("slipway/join") = "0";;put slipway/join cp3/a --lease=1f;;get slipway/join;;`},
		{"somebody's", me, map[string]string{"get": heldByCP2}, Lock{Holder{"cp2", "b"}, 2862778832106285317}, "get slipway/join"},
		{"taken meanwhile", me, map[string]string{"get": `{"header":{}}`, "lease grant": grant, "txn": `{"header":{},"responses":[{"Response":{"response_range":` + heldByCP2 + `}}]}`},
			Lock{Holder{"cp2", "b"}, 2862778832106285317}, `get slipway/join|lease grant 60|txn create("slipway/join") = "0";;put slipway/join cp3/a --lease=1f;;get slipway/join;;|lease revoke 1f`},
		{"its own", Holder{"cp2", "b"}, map[string]string{"get": heldByCP2}, Lock{Holder{"cp2", "b"}, 2862778832106285317}, "held again"},
	} {
		client, s := lab(t, c.answers)
		got, err := client.Take(t.Context(), at, c.by)
		if c.name == "its own" {
			c.ran = "get slipway/join|lease keep-alive --once " + Hex(2862778832106285317)
		}
		if ran := strings.Join(s.ran, "|"); err != nil || got != c.want || ran != c.ran {
			t.Errorf("%s: %+v, %v, ran %s, want %s", c.name, got, err, ran, c.ran)
		}
	}
	client, _ := lab(t, map[string]string{"get": heldByCP2, "lease keep-alive": "Error: etcdserver: requested lease not found"})
	if _, err := client.Take(t.Context(), at, Holder{"cp2", "b"}); err == nil {
		t.Error("a lock whose lease has run out was had again")
	}
	if err := client.Release(t.Context(), at, Lock{Lease: 31}); err != nil {
		t.Error(err)
	}
}
