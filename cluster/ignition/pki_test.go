package ignition

import (
	"bytes"
	"crypto/sha256"
	"encoding/pem"
	"fmt"
	"net/netip"
	"path"
	"strings"
	"testing"
	"time"

	"github.com/vincent-petithory/dataurl"

	"slipway/cluster/pki"
	"slipway/node"
)

// real renders every node of the inventory with real certificates, and gives the store that they came from.
func real(t *testing.T, nodes []node.Node) (map[string][]byte, pki.Memory) {
	t.Helper()
	now := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	store := pki.Memory{}
	if _, err := pki.Init(store, "demo", now); err != nil {
		t.Fatal(err)
	}
	p, err := pki.Open(store, now)
	if err != nil {
		t.Fatal(err)
	}
	set, err := p.Issue(contract(nodes[0].Name, nodes...), []string{"kubernetes", "10.96.0.1", "10.0.0.10", "10.0.0.11", "10.0.0.12"})
	if err != nil {
		t.Fatal(err)
	}
	for i := range nodes {
		nodes[i].Fingerprint = set.Fingerprints()[nodes[i].Name]
	}
	configs := map[string][]byte{}
	for _, n := range nodes {
		in := Input{Config: contract(n.Name, nodes...)}
		files, err := set.Files(n)
		if err != nil {
			t.Fatal(err)
		}
		for _, f := range files {
			in.Files = append(in.Files, File(f))
		}
		if configs[n.Name], err = Render(in); err != nil {
			t.Fatal(err)
		}
	}
	return configs, store
}

// large is three control planes that are everything at once, and as many workers as said.
func large(workers int) []node.Node {
	var nodes []node.Node
	for i := range 3 {
		nodes = append(nodes, member(i, fmt.Sprintf("cp%d", i), fmt.Sprintf("10.0.0.%d", 10+i), node.LB, node.Etcd, node.ControlPlane, node.Worker))
	}
	for i := range workers {
		nodes = append(nodes, member(3+i, fmt.Sprintf("worker-%d", i), fmt.Sprintf("10.0.0.%d", 100+i), node.Worker))
	}
	return nodes
}

func TestRootKeysStayAtHome(t *testing.T) {
	configs, store := real(t, large(1))
	for host, ign := range configs {
		entries, err := Decode(ign)
		if err != nil {
			t.Fatal(err)
		}
		found := false
		for name, data := range store {
			if path.Ext(name) != ".key" {
				continue
			}
			block, _ := pem.Decode(data)
			here := bytes.Contains(ign, []byte(dataurl.Escape(data))) || bytes.Contains(ign, block.Bytes)
			for _, e := range entries {
				for line := range strings.Lines(string(data)) {
					if len(line) > 60 && bytes.Contains(e.Content, []byte(strings.TrimSpace(line))) {
						here = true
					}
				}
			}
			switch strings.TrimSuffix(name, ".key") {
			case node.CACluster, node.CAEtcd, node.CAEtcdPeer, node.CAFrontProxy, node.CAPeer, "admin", node.OperatorName, node.InventoryName:
				if here {
					t.Errorf("%s holds %s", host, name)
				}
			case node.SignerClient, node.SignerServing, node.SAKey:
				if here != strings.HasPrefix(host, "cp") {
					t.Errorf("%s: %s present is %v", host, name, here)
				}
				found = found || here
			}
		}
		if strings.HasPrefix(host, "cp") && !found {
			t.Errorf("%s: the search finds no key at all, so it proves nothing", host)
		}
	}
}

func TestControlPlaneFits(t *testing.T) {
	configs, _ := real(t, large(60))
	size := EncodedSize(configs["cp0"])
	t.Logf("a control plane that is everything at once, of 63 nodes: %d of %d bytes", size, Limit)
	if size > Limit*3/4 {
		t.Errorf("a control plane of 63 nodes takes %d bytes, want a quarter of %d to spare", size, Limit)
	}
}

func TestTooManyNodes(t *testing.T) {
	in := single()
	for i := range 1000 {
		in.Config.Nodes = append(in.Config.Nodes, node.Node{
			Name: fmt.Sprintf("worker-%d", i), Roles: []node.Role{node.Worker},
			Address:     netip.PrefixFrom(netip.AddrFrom4([4]byte{10, 0, byte(1 + i/250), byte(1 + i%250)}), 16),
			PodCIDR:     netip.PrefixFrom(netip.AddrFrom4([4]byte{10, byte(245 + i/256%2), byte(i), 0}), 24),
			Fingerprint: fmt.Sprintf("%x", sha256.Sum256([]byte{byte(i), byte(i >> 8)})),
		})
	}
	if _, err := Render(in); err == nil || !strings.Contains(err.Error(), "bytes as gzip+base64") {
		t.Errorf("a thousand nodes: %v", err)
	}
}
