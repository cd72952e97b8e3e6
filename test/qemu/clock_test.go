//go:build qemu && all

package qemu_test

import (
	"encoding/json"
	"fmt"
	"strconv"
	"strings"
	"testing"
	"time"
)

// TestClock: a node that no time server answers starts nothing while its clock is ten years behind or ahead, and says so to who asks,
// at the console and over the network. A month ahead is no certain mistake: then it forms.
func TestClock(t *testing.T) {
	l := theLab(t)
	n := newNode(t, l, l.out)
	n.up(t, "--fresh", "--clock", "2016-01-01T00:00:00Z")
	n.waitsForTime(t, "behind", func(s status) bool { return strings.HasPrefix(s.WaitingFor, "time: the clock is before 20") })
	n.setClock(t, time.Now().AddDate(10, 0, 0))
	n.waitsForTime(t, "ahead", func(s status) bool { return strings.HasPrefix(s.LastError, "the clock is past 20") })
	month := time.Now().AddDate(0, 1, 0)
	n.setClock(t, month)
	n.waitServing(t)
	checkFormed(t, n)
	checkNodeReady(t, n)
	if now, err := strconv.ParseInt(n.must(t, "date +%s"), 10, 64); err != nil || now < month.Unix() {
		t.Errorf("the clock was put right meanwhile: %s, %v", time.Unix(now, 0), err)
	}
}

func (n *node) setClock(t *testing.T, to time.Time) {
	t.Helper()
	n.must(t, fmt.Sprintf("date -s @%d", to.Unix()))
}

// waitsForTime demands a status of the time gate on the console, and then over the network, and that nothing was started.
func (n *node) waitsForTime(t *testing.T, how string, good func(status) bool) {
	t.Helper()
	atGate := func(s status) bool { return s.Step == "time-gate" && good(s) }
	s := n.WaitStatus(t, bootLimit, "waiting for time, as its clock is "+how, atGate)
	t.Logf("%s: %s %s", how, s.WaitingFor, s.LastError)
	peer := fmt.Sprintf("127.0.0.1:%d", n.machine(t).Ports.Peer)
	var all []status
	out := n.lab.slipway(t, "status", "-f", n.lab.spec, "--address", peer, "--json")
	if err := json.Unmarshal([]byte(out), &all); err != nil || len(all) != 1 || !atGate(all[0]) {
		t.Errorf("slipway status: %v\n%s", err, out)
	}
	n.must(t, "! systemctl is-active etcd kube-apiserver kubelet && ! ls /var/lib/etcd/member")
}
