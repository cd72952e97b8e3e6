package cluster

import (
	"strings"
	"testing"
)

func TestMachineOf(t *testing.T) {
	spec := parse(t, `cluster: {name: demo}
network: {gateway: 10.0.0.1}
vsphere:
  network: nodes
  machines:
    all: {cpus: 4, disk: 20GiB}
    etcd: {cpus: 8, memory: 6GiB}
    control-plane: {memory: 12GiB, network: control}
nodes:
  - {name: n1, roles: [etcd, control-plane], address: 10.0.0.11/24}
  - {name: n2, roles: [worker], address: 10.0.0.12/24}
  - {name: n3, roles: [worker], address: 10.0.0.13/24, vsphere: {cpus: 16, memory: 64GiB, disk: 1TiB, network: fast}}
`)
	for i, want := range []Machine{
		{8, 12 * GiB, 20 * GiB, "control"},
		{4, 4 * GiB, 20 * GiB, "nodes"},
		{16, 64 * GiB, 1 * TiB, "fast"},
	} {
		if got := spec.MachineOf(spec.Nodes[i]); got != want {
			t.Errorf("%s: got %+v, want %+v", spec.Nodes[i].Name, got, want)
		}
	}
	bare := parse(t, single)
	if got, want := bare.MachineOf(bare.Nodes[0]), (Machine{2, 4 * GiB, 8 * GiB, ""}); got != want {
		t.Errorf("without a word: got %+v, want %+v", got, want)
	}
	if v := bare.VSphere; v.Library != "slipway" || v.Template != "demo" || v.Hardware != 15 || v.SecureBoot {
		t.Errorf("defaults: %+v", v)
	}
}

// TestVSphereEscapedName: a port group called 10.0.0.0/24 is 10.0.0.0%2f24 in the inventory.
func TestVSphereEscapedName(t *testing.T) {
	spec := parse(t, single+"vsphere: {network: 10.0.0.0%2f24}\n")
	if got := spec.VSphere.Network; got != "10.0.0.0%2f24" {
		t.Errorf("got %q", got)
	}
}

func TestVSphereRefused(t *testing.T) {
	for text, want := range map[string]string{
		"{hardwareVersion: 11}":                                  "hardware version 11 does not work",
		"{hardwareVersion: 16}":                                  "hardware version 16 does not work",
		"{datastore: a//b}":                                      `"a//b" is not a name in vCenter`,
		"{network: 50% off}":                                     `"50% off" is not a name in vCenter`,
		"{library: a/b}":                                         `"a/b" is not a name in vCenter`,
		"{folder: a//b}":                                         `"a//b" is not a name in vCenter`,
		"{pool: ../other}":                                       `"../other" is not a name in vCenter`,
		"{network: 'dv*'}":                                       `"dv*" is not a name in vCenter`,
		"{machines: {master: {cpus: 1}}}":                        `role "master" does not exist`,
		"{machines: {all: {cpus: 129}}}":                         "129 CPUs do not work",
		"{machines: {all: {memory: 512MiB}}}":                    "512MiB of memory do not work",
		"{machines: {all: {memory: 1025MiB}}}":                   "1025MiB of memory do not work",
		"{machines: {worker: {disk: 4GiB}}}":                     "a disk of 4GiB does not work",
		"{machines: {worker: {network: a//b}}}":                  `"a//b" is not a name in vCenter`,
		"{machines: {worker: {network: a}, etcd: {network: b}}}": `the roles of node "n1" are on two networks, "b" and "a"`,
	} {
		_, err := Parse("cluster.yaml", []byte(single+"vsphere: "+text+"\n"), nil)
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: got %v, want %q", text, err, want)
		}
	}
}
