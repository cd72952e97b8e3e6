package payload

import (
	"os"
	"strings"
	"testing"

	"slipway/internal/golden"
)

func TestSynthesiseGolden(t *testing.T) {
	upstream, err := os.ReadFile("testdata/kubernetes.mod")
	if err != nil {
		t.Fatal(err)
	}
	got, err := synthesise(upstream, []string{"k8s.io/kubernetes"}, "v1.36.3")
	if err != nil {
		t.Fatal(err)
	}
	golden.Check(t, "testdata/kubernetes.synthesised.mod", got)
}

func TestSynthesiseDropsLocalReplacements(t *testing.T) {
	const upstream = `module go.etcd.io/etcd/server/v3
go 1.25.0
require (
	go.etcd.io/etcd/api/v3 v3.6.16
	example.org/old v1.0.0
)
replace go.etcd.io/etcd/api/v3 => ../api
replace example.org/old => example.org/new v1.1.0
replace go.etcd.io/etcd => ./FORBIDDEN_DEPENDENCY
exclude example.org/bad v0.1.0
`
	got, err := synthesise([]byte(upstream), []string{"go.etcd.io/etcd/server/v3", "go.etcd.io/etcd/etcdctl/v3"}, "v3.6.16")
	if err != nil {
		t.Fatal(err)
	}
	golden.Check(t, "testdata/etcd.synthesised.mod", got)
}

func TestSynthesiseRefusals(t *testing.T) {
	for _, c := range []struct{ upstream, version, want string }{
		{"module m\nrequire x v0.0.0\nreplace x => ./x\n", "v1.0.0", "replacing x: it is only in ./x"},
		{"module m\nreplace k8s.io/api => ./staging/src/k8s.io/api\n", "v2.0.0", `"v2.0.0" is no v1 release`},
		{"modul m\n", "v1.0.0", "reading go.mod of m"},
	} {
		_, err := synthesise([]byte(c.upstream), []string{"m"}, c.version)
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("got %v, want %q", err, c.want)
		}
	}
}

func FuzzSynthesise(f *testing.F) {
	f.Add([]byte("module m\ngo 1.26\nrequire x v0.0.0\nreplace x => ./staging/src/x\n"), "v1.2.3")
	f.Fuzz(func(t *testing.T, upstream []byte, version string) {
		_, _ = synthesise(upstream, []string{"m"}, version) // must not panic
	})
}
