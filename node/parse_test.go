package node

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func read(t testing.TB, name string) []byte {
	t.Helper()
	data, err := os.ReadFile(filepath.Join("testdata", name))
	if err != nil {
		t.Fatal(err)
	}
	return data
}

func TestParse(t *testing.T) {
	for _, name := range []string{"single.json", "worker.json"} {
		data := read(t, name)
		c, err := Parse(data)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		again, err := c.Marshal()
		if err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(data, again) {
			t.Errorf("%s became\n%s", name, again)
		}
	}
}

func TestHelpers(t *testing.T) {
	c, err := Parse(read(t, "worker.json"))
	if err != nil {
		t.Fatal(err)
	}
	if got := c.Self(); got.Name != "w1" || !got.Has(Worker) || got.Has(Etcd) {
		t.Errorf("Self is %+v", got)
	}
	if got := c.WithRole(ControlPlane); len(got) != 1 || got[0].Name != "cp1" {
		t.Errorf("control planes are %+v", got)
	}
	if _, ok := c.Lookup("w2"); ok {
		t.Error("found a node that is not there")
	}
	if got := c.EtcdToken(); got != "prod/2" {
		t.Errorf("token %q", got)
	}
}

// TestRefuse changes one thing in a good config and demands the message.
func TestRefuse(t *testing.T) {
	good := string(read(t, "single.json"))
	for name, c := range map[string]struct{ old, new, want string }{
		"unknown key":         {`"node": "n1"`, `"nodde": "n1"`, `unknown field "nodde"`},
		"repeated key":        {`"node": "n1"`, `"node": "n1", "node": "n1"`, `key "node" occurs twice`},
		"repeated inner key":  {`"id": "demo"`, `"id": "demo", "id": "other"`, `key "id" occurs twice`},
		"second document":     {"\n}\n", "\n}\n{}", "data after the document"},
		"cut short":           {"\n}\n", "\n", "unexpected EOF"},
		"wrong type":          {`"epoch": 1`, `"epoch": "1"`, "cannot unmarshal"},
		"another version":     {`"version": 1`, `"version": 2`, "this image and this node config do not belong together"},
		"epoch 0":             {`"epoch": 1`, `"epoch": 0`, "cluster.epoch: 0 is below 1"},
		"cluster id":          {`"id": "demo"`, `"id": "De mo"`, `cluster.id: "De mo" is not a DNS label`},
		"no domain":           {`"domain": "cluster.local"`, `"domain": ""`, "cluster.domain: is empty"},
		"etcd version":        {`"etcd": "v3`, `"etcd": "3`, "versions.etcd"},
		"pause version":       {`"pause": "3.10.2"`, `"pause": "latest"`, "versions.pause"},
		"no time":             {`"2025-06-01T11:00:00Z"`, `"0001-01-01T00:00:00Z"`, "notBefore: is missing"},
		"not in the list":     {`"node": "n1"`, `"node": "n2"`, `node: "n2" is not in nodes`},
		"no etcd":             {"\"etcd\",\n", "", "0 have the role etcd, which must be odd"},
		"no control plane":    {"\"control-plane\",\n", "", "none has the role control-plane"},
		"unknown role":        {`"worker"`, `"master"`, `role "master" does not exist`},
		"role twice":          {`"worker"`, `"etcd"`, `role "etcd" occurs twice`},
		"node name":           {`"name": "n1"`, `"name": "N1"`, "the name is not a DNS label"},
		"no address":          {`"address": "10.0.0.11/24"`, `"address": ""`, "address is missing"},
		"address not in form": {`"address": "10.0.0.11/24"`, `"address": "10.0.0.11"`, "10.0.0.11"},
		"no pods":             {`"podCIDR": "10.244.0.0/24"`, `"podCIDR": ""`, "podCIDR is missing"},
		"pods elsewhere":      {`"podCIDR": "10.244.0.0/24"`, `"podCIDR": "10.9.0.0/24"`, "podCIDR 10.9.0.0/24 is no slice of 10.244.0.0/16"},
		"fingerprint":         {`"fingerprint": "00`, `"fingerprint": "0`, "is not a SHA-256 in hex"},
		"operator":            {`"operator": "0e`, `"operator": "`, "operator: "},
		"operator's name":     {`"name": "n1",`, `"name": "slipway-operator",`, "the name is the operator's"},
		"lb mode":             {`"mode": "none"`, `"mode": "magic"`, `api.mode: "magic" is none of`},
		"no VIP":              {`"mode": "none"`, `"mode": "stacked"`, "api.vip: must be set"},
		"no API host":         {`"host": "10.0.0.11"`, `"host": ""`, "api.host: is empty"},
		"API port":            {`"port": 6443`, `"port": 70000`, "api.port: 70000 is not a port"},
		"service network":     {`"serviceCIDR": "10.96.0.0/16"`, `"serviceCIDR": "10.96.0.1/16"`, "network.serviceCIDR"},
		"DNS service":         {`"dnsService": "10.96.0.10"`, `"dnsService": "10.1.0.10"`, "network.dnsService"},
		"CNI":                 {`"cni": "bridge"`, `"cni": "calico"`, `network.cni: "calico" is none of`},
		"flannel, no backend": {`"cni": "bridge"`, `"cni": "flannel"`, `network.flannel: backend "" does not fit the CNI "flannel"`},
		"flannel's backend":   {`"cni": "bridge"`, `"cni": "flannel", "flannel": {"backend": "udp"}`, `network.flannel: backend "udp" does not fit`},
		"a backend for none":  {`"cni": "bridge"`, `"cni": "none", "flannel": {"backend": "vxlan"}`, `network.flannel: backend "vxlan" does not fit the CNI "none"`},
		"proxy mode":          {`"proxyMode": "ipvs"`, `"proxyMode": "ebpf"`, "network.proxyMode"},
		"scheduler":           {`"scheduler": "rr"`, `"scheduler": "random"`, "network.scheduler"},
		"grace":               {`"runtime": {`, `"tuning": {"formationGrace": "-1s"}, "runtime": {`, `"-1s" is not a length of time`},
		"long grace":          {`"runtime": {`, `"tuning": {"formationGrace": "61m"}, "runtime": {`, "tuning.formationGrace: is above 1h0m0s"},
		"advert":              {`"runtime": {`, `"tuning": {"vrrpAdvert": "305ms"}, "runtime": {`, "tuning.vrrpAdvert: 305ms is not in hundredths of a second"},
		"long advert":         {`"runtime": {`, `"tuning": {"vrrpAdvert": "11s"}, "runtime": {`, "tuning.vrrpAdvert: 11s is not between 10ms and 10s"},
		"certificate life":    {`"runtime": {`, `"tuning": {"certificateLife": "1m"}, "runtime": {`, "tuning.certificateLife: 1m0s is not between 3m0s and 17520h0m0s"},
		"check timeout":       {`"runtime": {`, `"tuning": {"apiCheckTimeout": "1ms"}, "runtime": {`, "tuning.apiCheckTimeout: 1ms is not between 100ms and 1m0s"},
		"no VIP, no balancer": {`"mode": "none"`, `"mode": "dedicated"`, "api.vip: is missing, and 0 nodes have the role lb"},
		"runtime":             {`"name": "containerd"`, `"name": "docker"`, "runtime.name"},
	} {
		bad := strings.Replace(good, c.old, c.new, 1)
		if bad == good {
			t.Fatalf("%s: %q is not in the good config", name, c.old)
		}
		if _, err := Parse([]byte(bad)); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: got %v, want %q in it", name, err, c.want)
		}
	}
}

// FuzzParse: no input makes the parser panic, and what it accepts survives being written and read again.
func FuzzParse(f *testing.F) {
	f.Add(read(f, "single.json"))
	f.Add(read(f, "worker.json"))
	f.Add([]byte(`{"version":1,"nodes":[{"podCIDR":""}]} x`))
	f.Fuzz(func(t *testing.T, data []byte) {
		c, err := Parse(data)
		if err != nil {
			return
		}
		if c.Self().Name != c.Node {
			t.Error("this node is not itself")
		}
		out, err := c.Marshal()
		if err != nil {
			t.Fatal(err)
		}
		if _, err := Parse(out); err != nil {
			t.Errorf("what was written is refused: %v\n%s", err, out)
		}
	})
}

func TestRoutesPods(t *testing.T) {
	worker, plane, both, lb := []Role{Worker}, []Role{ControlPlane}, []Role{ControlPlane, Worker}, []Role{LB}
	for cni, want := range map[string][4]bool{
		CNIBridge: {true, true, true, false}, CNIFlannel: {false, true, false, false}, CNINone: {false, false, false, false},
	} {
		c := &Config{Network: Network{CNI: cni}}
		for i, roles := range [][]Role{worker, plane, both, lb} {
			if got := c.RoutesPods(Node{Roles: roles}); got != want[i] {
				t.Errorf("%s, %v: %t", cni, roles, got)
			}
		}
	}
}
