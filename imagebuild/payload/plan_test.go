package payload

import (
	"slices"
	"strings"
	"testing"

	"slipway/cluster"
	"slipway/internal/golden"
)

const digest64 = "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"

func testHost() Host {
	return Host{Go: "go1.26.8", SpecDir: "/spec", Slipwayd: "/opt/slipwayd", SlipwaydSHA256: digest64}
}

func testSpec(payloads map[string]cluster.Payload) *cluster.Spec {
	return &cluster.Spec{Kubernetes: cluster.Kubernetes{Version: "v1.36.3", Kubelet: "v1.36.3"}, Payloads: payloads}
}

func planText(t *testing.T, spec *cluster.Spec) string {
	t.Helper()
	items, err := Plan(spec, testHost())
	if err != nil {
		t.Fatal(err)
	}
	var b strings.Builder
	for _, i := range items {
		b.WriteString(i.String())
	}
	return b.String()
}

func TestPlanGolden(t *testing.T) {
	golden.Check(t, "testdata/plan-default.txt", planText(t, testSpec(nil)))
	older := testSpec(nil)
	older.Kubernetes.Kubelet = "v1.35.6"
	golden.Check(t, "testdata/plan-older-kubelet.txt", planText(t, older))
	overlay := testSpec(nil)
	overlay.Network.CNI = "flannel"
	golden.Check(t, "testdata/plan-flannel.txt", planText(t, overlay))
	golden.Check(t, "testdata/plan-sources.txt", planText(t, testSpec(map[string]cluster.Payload{
		"kubernetes": {Source: "release", URL: "https://dl.example/{version}/kubernetes-server-linux-amd64.tar.gz", SHA256: digest64},
		"coredns":    {Source: "file", Version: "v1.12.4", Path: "bin/coredns", SHA256: digest64},
		"kubelet":    {Source: "file", Path: "bin/kubelet", SHA256: digest64},
		"slipwayd":   {Source: "file", Path: "/abs/slipwayd", SHA256: digest64},
		"crictl":     {Source: "gomod", Module: "example.org/fork", Version: "v1.35.0"},
		"helm":       {Source: "gomod", Version: "v3.22.0"},
	})))
}

// TestPlanOfCompleteSpec feeds the spec as defaults fill it: an entry for every payload, source gomod.
func TestPlanOfCompleteSpec(t *testing.T) {
	all := map[string]cluster.Payload{}
	for _, name := range cluster.PayloadNames() {
		if name != cluster.PayloadKubelet && name != cluster.PayloadFlannel {
			all[name] = cluster.Payload{Source: "gomod", Version: cluster.DefaultVersion(name)}
		}
	}
	if full, short := planText(t, testSpec(all)), planText(t, testSpec(nil)); full != short {
		t.Errorf("a complete spec gives\n%s\nthe shortest\n%s", full, short)
	}
}

func TestPlanIsSortedAndCoversEveryName(t *testing.T) {
	items, err := Plan(testSpec(nil), testHost())
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, i := range items {
		names = append(names, i.Name)
		if !slices.IsSortedFunc(i.Binaries, func(a, b Binary) int { return strings.Compare(a.Path, b.Path) }) {
			t.Errorf("%s: binaries are not sorted", i.Name)
		}
	}
	want := slices.DeleteFunc(cluster.PayloadNames(), func(n string) bool { return n == cluster.PayloadKubelet || n == cluster.PayloadFlannel })
	if !slices.Equal(names, want) {
		t.Errorf("planned %v, the spec knows %v", names, want)
	}
}

func TestPlanRefusals(t *testing.T) {
	for _, c := range []struct {
		name string
		p    cluster.Payload
		want string
	}{
		{"etdc", cluster.Payload{}, "no such payload\nhint: known are cni-plugins, coredns"},
		{"etcd", cluster.Payload{Source: "git"}, `source "git" does not exist`},
		{"etcd", cluster.Payload{Version: "latest"}, `version "latest" is none`},
		{"etcd", cluster.Payload{Source: "release", SHA256: digest64}, "needs an http(s) url"},
		{"etcd", cluster.Payload{Source: "release", URL: "https://x/y"}, "needs a sha256 of 64 hex digits"},
		{"etcd", cluster.Payload{Source: "file", SHA256: digest64}, "needs a path"},
		{"etcd", cluster.Payload{Source: "file", Path: "x", SHA256: "abc"}, `not "abc"`},
		{"etcd", cluster.Payload{Module: "example.org/etcd"}, "cannot replace it"},
		{"kubernetes", cluster.Payload{Version: "v1.35.0"}, `differs from kubernetes.version "v1.36.3"`},
	} {
		_, err := Plan(testSpec(map[string]cluster.Payload{c.name: c.p}), testHost())
		if err == nil || !strings.Contains(err.Error(), c.want) || !strings.Contains(err.Error(), `"`+c.name+`"`) {
			t.Errorf("%s %+v: got %v, want %q", c.name, c.p, err, c.want)
		}
	}
}

func TestPlanRefusesAPoorHost(t *testing.T) {
	noGo, noDaemon := testHost(), testHost()
	noGo.Go, noDaemon.Slipwayd = "", ""
	for want, host := range map[string]Host{"no Go toolchain": noGo, "no slipwayd program": noDaemon} {
		if _, err := Plan(testSpec(nil), host); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("got %v, want %q", err, want)
		}
	}
}

// TestPlanCollects: two wrong entries are told at once.
func TestPlanCollects(t *testing.T) {
	_, err := Plan(testSpec(map[string]cluster.Payload{"helm": {Source: "x"}, "etcd": {Source: "y"}}), testHost())
	if err == nil || !strings.Contains(err.Error(), `"x"`) || !strings.Contains(err.Error(), `"y"`) {
		t.Errorf("got %v", err)
	}
}
