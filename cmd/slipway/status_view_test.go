package main

import (
	"encoding/json"
	"fmt"
	"os"
	"reflect"
	"strings"
	"testing"
	"time"

	"slipway/cluster"
	"slipway/firstboot/inside"
	"slipway/firstboot/status"
	"slipway/internal/golden"
)

var noon = time.Date(2026, 6, 1, 12, 0, 0, 0, time.UTC)

// mixed is a cluster in which something of everything happens.
func mixed() view {
	etcd := func(role inside.EtcdRole, index uint64) *inside.Etcd {
		return &inside.Etcd{Healthy: true, ID: "1f", Cluster: "e1", Role: role, Version: "3.6.16", DBSize: 5 << 20, Index: index, Term: 3,
			Members: []inside.Member{{ID: "1f", Name: "cp1", Started: true}, {ID: "20", Name: "cp2", Started: true, Learner: true}}}
	}
	cp := []cluster.Role{cluster.RoleEtcd, cluster.RoleControlPlane}
	return view{
		{Document: status.Document{Node: "lb1", Step: "vip", State: status.Serving, Serving: true, Formed: true, Since: noon.Add(-time.Hour)}, Roles: []cluster.Role{cluster.RoleLB},
			Health: &inside.Health{VIP: &inside.VIP{Address: "10.0.0.10", Held: true}, Certificates: []inside.Certificate{{Name: "slipwayd", Begins: noon.AddDate(-2, 0, 0), Ends: noon.AddDate(0, 0, 1), Renewal: inside.NotNeeded}}}},
		{Document: status.Document{Node: "lb2", Step: "vip", State: status.Serving, Serving: true, Formed: true, Since: noon.Add(-time.Hour)}, Roles: []cluster.Role{cluster.RoleLB},
			Health: &inside.Health{VIP: &inside.VIP{Address: "10.0.0.10"}}},
		{Document: status.Document{Node: "cp1", Step: "cluster", State: status.Serving, Serving: true, Formed: true, Since: noon.Add(-90 * time.Second)}, Roles: cp,
			Health: &inside.Health{Etcd: etcd(inside.Leader, 1234), API: &inside.API{Ready: true}, Certificates: []inside.Certificate{{Name: "apiserver", Begins: noon.AddDate(-2, 0, 0), Ends: noon.AddDate(0, 0, 10), Renewal: inside.ByNewConfig}}}},
		{Document: status.Document{Node: "cp2", Step: "member", State: status.Waiting, WaitingFor: "the other members to give this one its vote", Formed: true, Since: noon.Add(-5 * time.Second),
			Steps: []status.Step{{Name: "etcd", State: status.Done}, {Name: "member", State: status.Waiting}}, NextRetry: noon.Add(time.Second),
			Notices: []status.Notice{{Kind: "caller", Name: "10.0.0.99", Text: "\"n9\" is not in the inventory"}}}, Roles: cp,
			Health: &inside.Health{Etcd: etcd(inside.Learner, 1200), API: &inside.API{Trouble: "etcd failed"}, Certificates: []inside.Certificate{{Name: "etcd-peer", Renewal: inside.ByNewConfig, Trouble: "reading certificate: gone"}}}},
		{Document: status.Document{Node: "cp3"}, Roles: cp, Error: "asking \"cp3\" for its status: it took too long"},
		{Document: status.Document{Node: "w1", Step: "kubelet", State: status.Failed, LastError: "kubelet.service keeps failing\x1b[2J\nhint: look", Since: noon.Add(-26 * time.Hour)}, Roles: []cluster.Role{cluster.RoleWorker},
			Health: &inside.Health{Certificates: []inside.Certificate{
				{Name: "kubelet-client-current", Begins: noon.AddDate(0, 0, -99), Ends: noon.AddDate(0, 0, 1), Renewal: inside.ByKubelet},
				{Name: "kube-proxy", Begins: noon.AddDate(0, 0, -50), Ends: noon.AddDate(0, 0, 50), Renewal: inside.BySlipwayd},
				{Name: "ca", Begins: noon.AddDate(-1, 0, 0), Ends: noon.AddDate(9, 0, 0), Renewal: inside.ByNewConfig},
			}}},
	}
}

// TestStatusView: what is shown of a cluster in which something of everything happens, as lines and as a screen.
func TestStatusView(t *testing.T) {
	var b strings.Builder
	for _, l := range mixed().lines(noon, func(t time.Time) string { return t.Format(time.RFC3339) }) {
		fmt.Fprintf(&b, "%d %s\n", l.mood, l.text)
	}
	for _, size := range [][2]int{{120, 40}, {60, 8}, {20, 3}, {1, 1}} {
		fmt.Fprintf(&b, "\n%d columns, %d rows\n", size[0], size[1])
		all := screen(mixed(), 6, noon, size[0], size[1])
		for _, l := range all {
			fmt.Fprintln(&b, l.text)
			if n := len([]rune(l.text)); n > size[0] {
				t.Errorf("%d columns in %v", n, size)
			}
		}
		if len(all) > size[1] {
			t.Errorf("%d rows in %v", len(all), size)
		}
	}
	golden.Check(t, "testdata/status.txt", b.String())
}

// TestStatusJSON: programs read this, so that a change of it is one of the documentation as well.
func TestStatusJSON(t *testing.T) {
	data, err := json.MarshalIndent(mixed(), "", "  ")
	if err != nil {
		t.Fatal(err)
	}
	golden.Check(t, "testdata/status.json", string(data)+"\n")
	docs, err := os.ReadFile("../../docs/looking-inside.md")
	if err != nil {
		t.Fatal(err)
	}
	for _, key := range keys(reflect.TypeFor[reply](), "") {
		if !strings.Contains(string(docs), "| `"+key+"` |") {
			t.Errorf("docs/looking-inside.md does not describe %q", key)
		}
	}
}

// keys are the paths of all that a type has as JSON: a.b, and a[].b for lists.
func keys(of reflect.Type, prefix string) []string {
	var all []string
	for i := range of.NumField() {
		f := of.Field(i)
		name, _, _ := strings.Cut(f.Tag.Get("json"), ",")
		if !f.IsExported() {
			continue
		}
		if f.Anonymous && name == "" {
			all = append(all, keys(f.Type, prefix)...)
			continue
		}
		inner, path := f.Type, prefix+name
		for inner.Kind() == reflect.Pointer || inner.Kind() == reflect.Slice {
			if inner.Kind() == reflect.Slice {
				path += "[]"
			}
			inner = inner.Elem()
		}
		if inner.Kind() == reflect.Struct && inner != reflect.TypeFor[time.Time]() {
			all = append(all, keys(inner, path+".")...)
			continue
		}
		all = append(all, strings.TrimSuffix(path, "[]"))
	}
	return all
}

func TestAgo(t *testing.T) {
	for want, d := range map[string]time.Duration{
		"0s": 0, "59s": 59 * time.Second, "1m00s": time.Minute, "2h05m": 125 * time.Minute, "1d02h": 26 * time.Hour, "729d": 729 * 24 * time.Hour, "in 10d00h": -240 * time.Hour,
	} {
		if got := ago(noon, noon.Add(-d)); got != want {
			t.Errorf("%s: %s, want %s", d, got, want)
		}
	}
}
