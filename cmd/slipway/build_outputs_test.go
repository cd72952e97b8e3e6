package main

import (
	"path/filepath"
	"testing"

	"slipway/cluster"
	"slipway/imagebuild"
	"slipway/imagebuild/verify/verifytest"
	"slipway/pack"
)

// packersOf are those of a spec with these lines about vSphere.
func packersOf(t *testing.T, vsphere string) map[string]imagebuild.Packer {
	t.Helper()
	spec, err := cluster.Parse("cluster.yaml", []byte(`
cluster: {name: demo}
network: {gateway: 10.0.0.1}
nodes:
  - {name: n1, roles: [etcd, control-plane, worker], address: 10.0.0.11/24}
`+vsphere), nil)
	if err != nil {
		t.Fatal(err)
	}
	return packers(spec)
}

func TestPackers(t *testing.T) {
	raw := filepath.Join(t.TempDir(), "disk.raw")
	if _, err := verifytest.Good().Write(raw); err != nil {
		t.Fatal(err)
	}
	for kind, p := range packersOf(t, "") {
		out := filepath.Join(t.TempDir(), "demo."+kind)
		job := imagebuild.PackJob{Raw: raw, Out: out, Epoch: 1_780_000_000, Progress: func(int64, int64) {}}
		var sums []string
		for range 2 { // what an earlier build made is replaced
			a, err := p.Write(t.Context(), job)
			if err != nil || a.Kind != kind || a.Path != out {
				t.Fatalf("%s: %+v %v", kind, a, err)
			}
			sums = append(sums, a.SHA256)
		}
		if sums[0] != sums[1] {
			t.Errorf("%s: two runs make %s", kind, sums)
		}
		f, size, err := pack.Open(out)
		if err != nil {
			t.Fatal(err)
		}
		defer f.Close()
		report, err := pack.Verify(t.Context(), f, size)
		if err != nil || len(report.Findings) > 0 || string(report.Format) != kind || kind == "ova" && report.Machine != "demo" {
			t.Errorf("%s: %+v %v", kind, report, err)
		}
		if job.Epoch++; kind == "ova" {
			if a, err := p.Write(t.Context(), job); err != nil || a.SHA256 == sums[0] {
				t.Errorf("another time makes the same OVA: %v", err)
			}
		}
	}
}

// What an output depends on is in its key, and nothing else.
func TestPackerKeys(t *testing.T) {
	was := packersOf(t, "")
	for lines, changed := range map[string]bool{
		"":                               false,
		"vsphere: {datastore: fast}":     false,
		"vsphere: {network: nodes}":      true,
		"vsphere: {secureBoot: true}":    true,
		"vsphere: {hardwareVersion: 17}": true,
		"vsphere: {machines: {all: {cpus: 6, memory: 8GiB}}}": true,
	} {
		now := packersOf(t, lines)
		if now["qcow2"].Key != was["qcow2"].Key || (now["ova"].Key != was["ova"].Key) != changed {
			t.Errorf("%q: %q, was %q", lines, now["ova"].Key, was["ova"].Key)
		}
	}
}
