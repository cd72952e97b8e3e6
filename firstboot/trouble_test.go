package firstboot

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"slipway/firstboot/journal"
	"slipway/firstboot/kube"
	"slipway/firstboot/status"
	"slipway/node"
)

// TestTime: a clock that is certainly wrong stops the formation, with a status that does not change every second.
func TestTime(t *testing.T) {
	w := newWorld(t, single(t))
	w.now = time.Date(2016, 1, 1, 0, 0, 0, 0, time.UTC)
	w.put(ImagePath, `{"buildTime":"2026-03-01T00:00:00Z"}`)
	last := w.form(time.Minute)
	if last.Step != "time-gate" || last.WaitingFor != "time: the clock is before 2026-03-01T00:00:00Z" || last.State != status.Waiting {
		t.Errorf("status %+v", last)
	}
	if w.active("etcd.service") || w.active("kubelet.service") || !w.active("chrony.service") {
		t.Errorf("state:\n%s", w)
	}
	w.now = time.Date(2026, 6, 1, 0, 0, 0, 0, time.UTC)
	if last := w.form(5 * time.Minute); !last.Serving {
		t.Errorf("not serving: %+v", last)
	}
}

// TestClockAhead: past the end of a certificate nothing starts, and the status names it. Those that a node gets anew do not count.
func TestClockAhead(t *testing.T) {
	w := newWorld(t, single(t))
	ca := newCA(t)
	w.put(node.PKIDir+"/apiserver.crt", string(pemBlock("CERTIFICATE", ca.issueUntil(t, "n1", time.Date(2028, 6, 1, 0, 0, 0, 0, time.UTC)).Certificate[0])))
	w.put(node.PKIDir+"/kubelet-client.crt", string(pemBlock("CERTIFICATE", ca.issueUntil(t, "n1", time.Date(2028, 3, 1, 0, 0, 0, 0, time.UTC)).Certificate[0])))
	w.now = time.Date(2036, 1, 1, 0, 0, 0, 0, time.UTC)
	last := w.form(time.Minute)
	if want := `the clock is past 2028-06-01T00:00:00Z, the end of certificate "apiserver"`; last.Step != "time-gate" || last.State != status.Failed || !strings.HasPrefix(last.LastError, want) {
		t.Errorf("status %+v, want %q", last, want)
	}
	if w.active("etcd.service") || w.active("kubelet.service") || !w.active("chrony.service") {
		t.Errorf("state:\n%s", w)
	}
	w.now = time.Date(2028, 1, 1, 0, 0, 0, 0, time.UTC)
	w.powerOn()
	if last := w.form(5 * time.Minute); !last.Serving {
		t.Errorf("not serving: %+v", last)
	}
}

// TestJournalLost: a journal that cannot be read is not an empty one. Without data such a node starts no cluster, also
// not when it starts again, but where the epoch is higher; and with data it goes on.
func TestJournalLost(t *testing.T) {
	w := newWorld(t, single(t))
	w.put(journal.Path, `{"version":2,"formed":true,"token":"demo/1"}`)
	for range 2 {
		last := w.form(time.Minute)
		if last.Step != "etcd" || last.State != status.Failed || !strings.Contains(last.LastError, "journal was lost") || len(last.Notices) != 1 || last.Notices[0].Kind != "journal" {
			t.Errorf("status %+v", last)
		}
		w.powerOn()
	}
	if _, running := w.units["etcd.service"]; running || !slices.Contains(w.acted, "rename "+journal.Path) {
		t.Errorf("acts: %q", w.acted)
	}
	w.put("/var/lib/etcd/member/wal/0.wal", "demo/1")
	if last := w.form(5 * time.Minute); !last.Serving || !last.Formed {
		t.Errorf("with its data: %+v", last)
	}
	raised := newWorld(t, single(t))
	raised.put(journal.Path, "?")
	raised.form(time.Minute)
	raised.cfg.Cluster.Epoch = 2
	if last := raised.form(5 * time.Minute); !last.Serving {
		t.Errorf("with a higher epoch: %+v", last)
	}
}

// TestManyRequests: requests of thousands of nodes, which were there before the daemon, are approved in one go.
func TestManyRequests(t *testing.T) {
	w := newWorld(t, single(t))
	w.form(5 * time.Minute)
	one := servingCSR("", w.cfg.Self())
	for i := range 2*approveAtOnce + 1 {
		many := *one
		many.Metadata = kube.Metadata{Name: fmt.Sprint("csr-", i), UID: fmt.Sprint("csr-", i)}
		w.api.csrs = append(w.api.csrs, &many)
	}
	w.start()
	if err := w.node.actApprove(t.Context()); err != nil {
		t.Fatal(err)
	}
	if found, err := w.node.observeApprove(t.Context()); err != nil || !found.done || slices.ContainsFunc(w.api.csrs, func(c *kube.CSR) bool { return c.Pending() }) {
		t.Errorf("%+v, %v; %d were approved", found, err, len(w.asked))
	}
}

// TestApprove: what the inventory vouches for is approved, whatever becomes of the requests beside it; the status tells of
// those that are left alone, in bounds, and for as long as they are there.
func TestApprove(t *testing.T) {
	w := newWorld(t, single(t))
	w.form(5 * time.Minute)
	self := w.cfg.Self()
	forged := servingCSR("forged", self)
	forged.Spec.Username = "system:node:n9"
	w.api.csrs = append(w.api.csrs, forged, servingCSR("rejected", self), servingCSR("decided", self), servingCSR("failing", self), servingCSR("good", self))
	w.api.refuses = map[string]int{"rejected": 422, "decided": 409, "failing": 500}
	for i := range 3 * atOnce {
		many := *forged
		many.Metadata = kube.Metadata{Name: fmt.Sprint("flood-", i), UID: fmt.Sprint("flood-", i)}
		w.api.csrs = append(w.api.csrs, &many)
	}
	e, said := w.start()
	for range 10 {
		if err := e.Pass(context.Background()); err != nil {
			t.Fatal(err)
		}
		w.now = w.now.Add(5 * time.Second)
	}
	last := (*said)[len(*said)-1]
	if got := strings.Join(w.acted, "\n"); !strings.Contains(got, "approve good") {
		t.Errorf("the good one was not approved; status %+v", last)
	}
	text := fmt.Sprint(last.Notices)
	if len(last.Notices) > 20 || !strings.Contains(text, `requestor "system:node:n9" is no node`) {
		t.Errorf("%d notices: %s", len(last.Notices), text)
	}
	for _, d := range *said {
		if strings.Contains(d.LastError, "409") || strings.Contains(d.LastError, "422") {
			t.Errorf("that somebody was quicker, or that a request is bad, is a failure: %s", d.LastError)
		}
	}
	if !strings.Contains(last.LastError, `"failing"`) {
		t.Errorf("that a request could not be approved is none: %+v", last)
	}
	if tries := strings.Count(strings.Join(w.asked, "\n"), "rejected"); tries != 1 {
		t.Errorf("a request that the server does not take was tried %d times", tries)
	}
	if len(w.log) > 2*atOnce {
		t.Errorf("%d lines in the log", len(w.log))
	}
	w.api.csrs = w.api.csrs[:3]
	w.api.csrs[2] = servingCSR("rejected", self)
	for range 10 {
		if err := e.Pass(context.Background()); err != nil {
			t.Fatal(err)
		}
		w.now = w.now.Add(5 * time.Second)
	}
	last = (*said)[len(*said)-1]
	if len(last.Notices) != 2 || last.Notices[0].Name != "forged" || !strings.Contains(last.Notices[1].Text, "422") || !last.Serving {
		t.Errorf("status %+v", last)
	}
}
