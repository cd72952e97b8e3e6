//go:build fleet

package fleet_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"net"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"go.yaml.in/yaml/v3"
)

// TestNewWorkers: a worker that no running node knows is rendered, switched on, and has all that the others have, while nobody else is
// touched. A machine with an older entry for its name, one whose entry another key signed, and a certificate request for more than
// an entry says are refused, and whoever must know is told.
func TestNewWorkers(t *testing.T) {
	f := newFleet(t, "testdata/dedicated.yaml")
	f.Start()
	f.Wait(formLimit, "all nodes formed", f.formed)
	running := f.order
	before := f.processes(running...)

	former := f.render("w2", "10.99.0.49") // a machine that was to be w2, and was replaced before it came
	if err := os.RemoveAll(filepath.Join(f.dir, "secrets/nodes/w2")); err != nil {
		t.Fatal(err)
	}
	f.add("w2", "10.99.0.42", f.configIn(f.render("w2", "10.99.0.42"), "w2"))
	f.order = append(f.order, "w2")
	f.Start("w2")
	took := f.Wait(formLimit, "w2 has joined", f.formed)
	routed := f.Wait(time.Minute, "all reach its pods", func() error { return f.reach("10.99.0.42", "w1", "cp1", "cp2", "cp3") })
	t.Logf("w2 was done after %v, and routes were there %v later", took.Round(time.Second/10), routed.Round(time.Second/10))
	f.isWorker("w2")
	f.approvedWithin("w2", 2*time.Second)
	if after := f.processes(running...); after != before {
		t.Errorf("running nodes were touched:\n%s\nand before:\n%s", after, before)
	}

	const older, forged = "a newer entry has the name: serial ", "it is not signed by the inventory's key"
	f.add("old", "10.99.0.49", f.configIn(former, "w2"))
	f.Start("old")
	defer f.remove("old")
	f.Wait(time.Minute, "the older w2 is told", func() error {
		return f.noticed(filepath.Join(former, "cluster.yaml"), "w2", "entry refused", "cp1", older)
	})
	f.Wait(time.Minute, "whom it called tell of it", func() error { return f.noticed(f.spec, "cp1", "entry", "10.99.0.49", older) })

	f.add("w3", "10.99.0.43", f.forge("w3", "10.99.0.43"))
	f.Start("w3")
	defer f.remove("w3")
	f.Wait(time.Minute, "the forger is told", func() error { return f.noticed(f.spec, "w3", "entry refused", "cp2", forged) })
	f.Wait(time.Minute, "whom it called tell of it", func() error { return f.noticed(f.spec, "cp2", "entry", "10.99.0.43", forged) })

	f.ask("w2", "10.99.0.42", "10.99.0.10")
	f.Wait(time.Minute, "a request for another's address is told of", func() error {
		return f.noticed(f.spec, "cp1", "certificate request", "greedy", "address 10.99.0.10 is not the node's")
	})
	if said, err := f.kubectl("get", "csr", "greedy", "-o", "jsonpath={.status.conditions}"); err != nil || said != "" {
		t.Errorf("it was decided: %s, %v", said, err)
	}
	if said, err := f.kubectl("get", "nodes", "-o", "name"); err != nil || strings.Contains(said, "w3") || !strings.Contains(said, "node/w2") {
		t.Errorf("nodes: %s, %v", said, err)
	}
	if err := f.formed(); err != nil {
		t.Errorf("after all that: %v", err)
	}
}

// processes is what would differ if a node were configured or started anew.
func (f *fleet) processes(names ...string) string {
	f.t.Helper()
	var all []string
	for _, name := range names {
		said, err := f.In(name, "stat -c '%Y %s' /etc/slipway/node.json; systemctl show --property=MainPID slipwayd etcd kube-apiserver kubelet | grep -v =0")
		if err != nil {
			f.fatal(err)
		}
		all = append(all, name+": "+strings.Join(strings.Fields(said), " "))
	}
	return strings.Join(all, "\n")
}

// render puts a worker at an address into the spec, in place of what it says of that name, and gives the folder of the configs,
// which has the spec as well.
func (f *fleet) render(name, address string) string {
	f.t.Helper()
	text, err := os.ReadFile(f.spec)
	var doc map[string]any
	if err == nil {
		err = yaml.Unmarshal(text, &doc)
	}
	if err != nil {
		f.fatal(err)
	}
	nodes := slices.DeleteFunc(doc["nodes"].([]any), func(n any) bool { return n.(map[string]any)["name"] == name })
	doc["nodes"] = append(nodes, map[string]any{
		"name": name, "roles": []string{"worker"}, "address": address + "/24", "interface": map[string]any{"name": "eth0"},
	})
	dir := filepath.Join(f.dir, "with-"+address)
	if text, err = yaml.Marshal(doc); err == nil {
		err = errors.Join(os.MkdirAll(dir, 0o755), os.WriteFile(f.spec, text, 0o644), os.WriteFile(filepath.Join(dir, "cluster.yaml"), text, 0o644))
	}
	if err != nil {
		f.fatal(err)
	}
	f.slipway("ignition", "-f", f.spec, "-o", dir)
	return dir
}

// configIn is a node's config in a folder of them.
func (f *fleet) configIn(dir, name string) string {
	return filepath.Join(dir, f.cluster()+"."+name+".ign")
}

// add puts up a machine with a config.
func (f *fleet) add(name, address, config string) {
	f.t.Helper()
	if err := copyFile(config, filepath.Join(f.dir, f.cluster()+"."+name+".ign")); err != nil {
		f.fatal(err)
	}
	f.nodes[name] = &node{name: name, address: address, roles: []string{"worker"}, id: 100 + len(f.nodes), dir: filepath.Join(f.dir, name)}
	f.plug(f.nodes[name])
}

// remove takes a machine away that is not among the fleet's own, if it is still there.
func (f *fleet) remove(name string) {
	if f.nodes[name] == nil {
		return
	}
	if f.t.Failed() {
		said, _ := os.ReadFile(filepath.Join(f.nodes[name].dir, "console.log"))
		f.t.Logf("console of %s:\n%s", name, tail(string(said), 12))
	}
	f.PowerCut(name)
	must(f.t, "ip", "link", "del", f.nodes[name].port())
	must(f.t, "ip", "netns", "del", name)
	delete(f.nodes, name)
}

// forge renders a worker whose certificates are the cluster's, and whose entry another inventory key signed.
func (f *fleet) forge(name, address string) string {
	f.t.Helper()
	config := f.configIn(f.render(name, address), name)
	secrets, dir := filepath.Join(f.dir, "forged-secrets"), filepath.Join(f.dir, "forged")
	must(f.t, "cp", "-a", filepath.Join(f.dir, "secrets"), secrets)
	for _, file := range []string{"slipway-ca.crt", "slipway-ca.key", "slipway-inventory.crt", "slipway-inventory.key"} {
		if err := os.Remove(filepath.Join(secrets, file)); err != nil {
			f.fatal(err)
		}
	}
	f.slipway("pki", "init", "-f", f.spec, "--secrets", secrets)
	f.slipway("ignition", "-f", f.spec, "--secrets", secrets, "-o", dir)
	var entry any
	f.edit(filepath.Join(dir, filepath.Base(config)), func(contract map[string]any) { entry = contract["entry"] })
	f.edit(config, func(contract map[string]any) { contract["entry"] = entry })
	return config
}

// edit changes the contract in an Ignition config.
func (f *fleet) edit(config string, change func(map[string]any)) {
	f.t.Helper()
	f.editFile(config, "/etc/slipway/node.json", func(text string) string { return f.changed(text, change) })
}

// changed is a contract after a change.
func (f *fleet) changed(text string, change func(map[string]any)) string {
	f.t.Helper()
	var contract map[string]any
	if err := json.Unmarshal([]byte(text), &contract); err != nil {
		f.fatal(err)
	}
	change(contract)
	out, err := json.Marshal(contract)
	if err != nil {
		f.fatal(err)
	}
	return string(out)
}

// editFile changes a file in an Ignition config.
func (f *fleet) editFile(config, path string, change func(string) string) {
	f.t.Helper()
	text, err := os.ReadFile(config)
	if err != nil {
		f.fatal(err)
	}
	var ign map[string]any
	if err := json.Unmarshal(text, &ign); err != nil {
		f.fatal(err)
	}
	found := false
	for _, file := range ign["storage"].(map[string]any)["files"].([]any) {
		file := file.(map[string]any)
		if file["path"] != path {
			continue
		}
		contents := file["contents"].(map[string]any)
		plain, err := url.PathUnescape(strings.TrimPrefix(contents["source"].(string), "data:,"))
		if err != nil {
			f.fatal(err)
		}
		contents["source"], found = "data:,"+url.PathEscape(change(plain)), true
	}
	if text, err = json.Marshal(ign); err == nil {
		err = os.WriteFile(config, text, 0o600)
	}
	if err != nil || !found {
		f.fatalf("changing %s in %s: found %v, %v", path, config, found, err)
	}
}

// reach demands that nodes have slipwayd's route to pods by way of an address.
func (f *fleet) reach(address string, names ...string) error {
	var errs []error
	for _, name := range names {
		said, err := f.In(name, "ip -4 route show proto 76")
		if err == nil && !strings.Contains(said, " via "+address+" ") {
			err = fmt.Errorf("%s has the routes %q", name, said)
		}
		errs = append(errs, err)
	}
	return errors.Join(errs...)
}

// isWorker demands what control planes give a node.
func (f *fleet) isWorker(name string) {
	f.t.Helper()
	f.Wait(time.Minute, name+" has its pods and its role", func() error {
		said, err := f.kubectl("get", "node", name, "-o", `jsonpath={.spec.podCIDR} {.metadata.labels.node-role\.kubernetes\.io/worker}.`)
		if err == nil && (!strings.HasPrefix(said, "10.244.") || !strings.HasSuffix(said, " .")) {
			err = fmt.Errorf("got %q", said)
		}
		labels, err2 := f.kubectl("get", "node", name, "--show-labels")
		if err2 == nil && !strings.Contains(labels, "node-role.kubernetes.io/worker=") {
			err2 = fmt.Errorf("got %q", labels)
		}
		return errors.Join(err, err2)
	})
}

// approvedWithin demands that a node's serving certificate was approved that long after it was asked for. Both times are in seconds.
func (f *fleet) approvedWithin(name string, limit time.Duration) {
	f.t.Helper()
	said, err := f.kubectl("get", "csr", "-o", "json")
	if err != nil {
		f.fatal(err)
	}
	var list struct {
		Items []struct {
			Metadata struct{ CreationTimestamp time.Time }
			Spec     struct{ SignerName, Username string }
			Status   struct {
				Conditions []struct {
					Type           string
					LastUpdateTime time.Time
				}
			}
		}
	}
	if err := json.Unmarshal([]byte(said), &list); err != nil {
		f.fatal(err)
	}
	for _, r := range list.Items {
		if r.Spec.Username != "system:node:"+name || r.Spec.SignerName != "kubernetes.io/kubelet-serving" {
			continue
		}
		if len(r.Status.Conditions) == 0 || r.Status.Conditions[0].Type != "Approved" {
			f.fatalf("%s: %+v", name, r)
		}
		took := r.Status.Conditions[0].LastUpdateTime.Sub(r.Metadata.CreationTimestamp)
		f.t.Logf("%s's serving certificate was approved after %v", name, took)
		if took > limit {
			f.t.Errorf("%s waited %v for its serving certificate", name, took)
		}
		return
	}
	f.t.Errorf("%s has asked for no serving certificate", name)
}

// noticed demands a notice in the status of a node of a spec.
func (f *fleet) noticed(spec, node, kind, name, want string) error {
	out, err := f.image.run(f.dir, f.image.slipway(), "status", "-f", spec, "--secrets", filepath.Join(f.dir, "secrets"), "--json", node)
	if err != nil {
		return err
	}
	var all []status
	if err := json.Unmarshal([]byte(out), &all); err != nil || len(all) != 1 {
		return fmt.Errorf("%s: %w", out, err)
	}
	if !slices.ContainsFunc(all[0].Notices, func(n notice) bool { return n.Kind == kind && n.Name == name && strings.Contains(n.Text, want) }) {
		return fmt.Errorf("%s has the notices %+v", node, all[0].Notices)
	}
	return nil
}

// ask sends a request for a serving certificate in a node's name, for these addresses.
func (f *fleet) ask(name string, addresses ...string) {
	f.t.Helper()
	request := &x509.CertificateRequest{Subject: pkix.Name{CommonName: "system:node:" + name, Organization: []string{"system:nodes"}}, DNSNames: []string{name}}
	for _, a := range addresses {
		request.IPAddresses = append(request.IPAddresses, net.ParseIP(a))
	}
	if said, err := f.send(name, "greedy", "kubernetes.io/kubelet-serving", "server auth", request); err != nil {
		f.fatalf("%s: %v", said, err)
	}
}

// send makes an object of a request for a certificate, as a node does.
func (f *fleet) send(as, object, signer, usage string, request *x509.CertificateRequest) (said string, err error) {
	f.t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		f.fatal(err)
	}
	der, err := x509.CreateCertificateRequest(rand.Reader, request, key)
	if err != nil {
		f.fatal(err)
	}
	text, err := json.Marshal(map[string]any{
		"apiVersion": "certificates.k8s.io/v1", "kind": "CertificateSigningRequest", "metadata": map[string]any{"name": object},
		"spec": map[string]any{
			"request":    pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE REQUEST", Bytes: der}),
			"signerName": signer, "usages": []string{"digital signature", usage},
		},
	})
	if err != nil {
		f.fatal(err)
	}
	file := filepath.Join(f.dir, object+".json")
	if err := os.WriteFile(file, text, 0o644); err != nil {
		f.fatal(err)
	}
	return f.kubectl("create", "-f", file, "--as", "system:node:"+as, "--as-group", "system:nodes", "--as-group", "system:authenticated")
}
