package kube

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"path"
	"strconv"
	"testing"
	"time"
)

// leaseServer keeps one Lease as an API server does: nothing is overwritten that somebody changed meanwhile.
type leaseServer struct {
	now     *lease
	version int
	steal   string // who takes the Lease between the next read and write
}

func (s *leaseServer) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if r.Method == http.MethodGet {
		if s.now == nil {
			http.Error(w, `{"message":"not found"}`, http.StatusNotFound)
			return
		}
		json.NewEncoder(w).Encode(s.now)
		if s.steal != "" {
			s.put(lease{Spec: leaseSpec{HolderIdentity: s.steal}})
			s.steal = ""
		}
		return
	}
	var sent lease
	if err := json.NewDecoder(r.Body).Decode(&sent); err != nil || sent.Kind != "Lease" || sent.Metadata.Name != "objects" {
		http.Error(w, `{"message":"no lease"}`, http.StatusBadRequest)
		return
	}
	there, fresh := s.now != nil, r.Method == http.MethodPost && r.URL.Path == leasesPath
	replaced := r.Method == http.MethodPut && r.URL.Path == path.Join(leasesPath, "objects") && there && sent.Metadata.ResourceVersion == s.now.Metadata.ResourceVersion
	if there == fresh || !fresh && !replaced {
		http.Error(w, `{"message":"conflict"}`, http.StatusConflict)
		return
	}
	s.put(sent)
	w.Write([]byte("{}"))
}

func (s *leaseServer) put(l lease) {
	s.version++
	l.Metadata.ResourceVersion = strconv.Itoa(s.version)
	s.now = &l
}

// TestHold: one holds, and goes on holding; the other has it once the first has not been heard for the duration, by its own
// clock alone.
func TestHold(t *testing.T) {
	s := &leaseServer{}
	server := httptest.NewServer(s)
	defer server.Close()
	client := &Client{Base: server.URL, HTTP: server.Client()}
	cp1 := &Claim{Name: "objects", Node: "cp1", Duration: time.Minute}
	cp2 := &Claim{Name: "objects", Node: "cp2", Duration: time.Minute}
	start := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	for i, step := range []struct {
		claim *Claim
		at    time.Duration // by the claimant's clock; that of cp2 is a day ahead
		want  string
	}{
		{cp1, 0, "cp1"},
		{cp2, 24 * time.Hour, "cp1"},
		{cp2, 24*time.Hour + 59*time.Second, "cp1"},
		{cp1, time.Minute, "cp1"},
		{cp2, 24*time.Hour + 61*time.Second, "cp1"}, // it was heard again
		{cp2, 24*time.Hour + 2*time.Minute, "cp1"},
		{cp2, 24*time.Hour + 121*time.Second, "cp2"},
		{cp1, 2 * time.Minute, "cp2"},
	} {
		got, err := client.Hold(t.Context(), step.claim, start.Add(step.at))
		if err != nil || got != step.want {
			t.Fatalf("%d: held by %q, %v; want %s", i, got, err, step.want)
		}
	}
	if spec := s.now.Spec; spec.LeaseTransitions != 2 || spec.LeaseDurationSeconds != 60 || spec.RenewTime != "2026-01-02T00:02:01.000000Z" {
		t.Errorf("lease is %+v", spec)
	}
	s.steal = "cp3"
	if got, err := client.Hold(t.Context(), cp2, start); err != nil || got != "another node" {
		t.Errorf("held by %q, %v, although cp3 was quicker", got, err)
	}
	if got, err := client.Hold(t.Context(), cp2, start); err != nil || got != "cp3" {
		t.Errorf("held by %q, %v", got, err)
	}
}
