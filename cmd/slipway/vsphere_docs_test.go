package main

import (
	"context"
	"encoding/pem"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"

	"slipway/internal/testtool"
	"slipway/ova"
)

const byHand = "../../docs/vsphere-by-hand.md"

// block is the only one of a language in a document.
func block(t *testing.T, file, language string) string {
	t.Helper()
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	all := regexp.MustCompile("(?s)\n```"+language+"\n(.*?)\n```\n").FindAllStringSubmatch(string(text), -1)
	if len(all) != 1 {
		t.Fatalf("%s has %d blocks of %s", file, len(all), language)
	}
	return all[0][1] + "\n"
}

// shim puts a program of the test's before others of its name.
func shim(t *testing.T, dir, name, script string) {
	t.Helper()
	if err := os.WriteFile(filepath.Join(dir, name), []byte("#!/bin/sh\n"+script+"\n"), 0o755); err != nil {
		t.Fatal(err)
	}
}

// TestGovcRunbook does what docs/vsphere-by-hand.md says, by VMware's govc, with nodes that answer.
func TestGovcRunbook(t *testing.T) {
	testtool.Find(t, "jq")
	v, stop, err := newVCenter()
	if err != nil {
		t.Fatal(err)
	}
	defer stop()
	spec, addresses, _ := vsphereNodes(t)
	dir := filepath.Dir(spec)
	bin := t.TempDir()
	if out, err := exec.Command("go", "build", "-o", filepath.Join(bin, "govc"), "slipway/tools/govc").CombinedOutput(); err != nil {
		t.Fatalf("building govc: %v\n%s", err, out)
	}
	self, err := exec.LookPath("slipway")
	if err != nil {
		t.Fatal(err)
	}
	answers := "case $1-$2 in\n"
	for i := 1; i < len(addresses); i += 2 { // of NODE=HOST:PORT the one that is asked
		name, _, _ := strings.Cut(addresses[i], "=")
		answers += "status-" + name + ") exec " + self + ` "$@" --address ` + addresses[i] + " ;;\n"
	}
	answers += "esac\nexec " + self + ` "$@"`
	shim(t, bin, "slipway", answers)
	if err := os.Mkdir(filepath.Join(dir, "out"), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := writeOVA(filepath.Join(dir, "out/demo.ova"), "disk of the test"); err != nil {
		t.Fatal(err)
	}
	ca := filepath.Join(bin, "vcenter.pem")
	if err := os.WriteFile(ca, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: v.cert}), 0o600); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, "sh", "-eu", "-c", block(t, byHand, "sh")+"\nfor vm in demo-n1 demo-n2; do govc vm.info -e $vm; govc vm.info -json $vm; done; ls")
	cmd.Dir, cmd.WaitDelay = dir, time.Second // what the shell has started may outlive it
	cmd.Env = append(os.Environ(), "PATH="+bin+":"+os.Getenv("PATH"), "HOME="+bin, "GOVC_TLS_CA_CERTS="+ca, "GOVC_PERSIST_SESSION=false", "GOVC_INSECURE=", "NETWORK=VM Network",
		"GOVC_URL="+v.url.String(), "GOVC_USERNAME=operator", "GOVC_PASSWORD="+vcenterPassword, "GOVC_RESOURCE_POOL=/DC0/host/DC0_C0/Resources", "GOVC_DATASTORE=LocalDS_0")
	out, err := cmd.CombinedOutput()
	text := string(out)
	if err != nil {
		t.Fatalf("%v\n%s", err, text)
	}
	for _, want := range []string{`"name": "demo-n1"`, `"name": "demo-n2"`, `"firmware": "efi"`, `"powerState": "poweredOn"`, `"numCPU": 4`, `"memoryMB": 8192`, `"capacityInBytes": 21474836480`, "disk.EnableUUID"} {
		if !strings.Contains(text, want) {
			t.Errorf("%s is not in\n%s", want, text)
		}
	}
	for _, rest := range []string{ova.KeyData, "\npairs", "\ndata", `"firmware": "bios"`} {
		if strings.Contains(text, rest) {
			t.Errorf("%s is left", rest)
		}
	}
}

// TestTerraformExample parses, boots by EFI, hands over both values, and does not put them back after they are removed.
func TestTerraformExample(t *testing.T) {
	file, bad := hclsyntax.ParseConfig([]byte(block(t, byHand, "hcl")), byHand, hcl.InitialPos)
	if bad.HasErrors() {
		t.Fatal(bad)
	}
	var node *hclsyntax.Body
	for _, b := range file.Body.(*hclsyntax.Body).Blocks {
		if b.Type == "resource" && b.Labels[0] == "vsphere_virtual_machine" {
			node = b.Body
		}
	}
	if node == nil {
		t.Fatal("no machine in it")
	}
	for name, want := range map[string]string{"firmware": "efi", "enable_disk_uuid": "true"} {
		a := node.Attributes[name]
		if a == nil {
			t.Fatalf("%s is not set", name)
		}
		value, bad := a.Expr.Value(nil)
		if bad.HasErrors() || value.Type().FriendlyName() == "string" && value.AsString() != want || value.Type().FriendlyName() == "bool" && value.False() {
			t.Errorf("%s is %#v, %v", name, value, bad)
		}
	}
	pairs, bad := hcl.ExprMap(node.Attributes["extra_config"].Expr)
	if bad.HasErrors() {
		t.Fatal(bad)
	}
	given := map[string]bool{}
	for _, p := range pairs {
		key, bad := p.Key.Value(nil)
		if bad.HasErrors() {
			t.Fatal(bad)
		}
		given[key.AsString()] = true
	}
	if !given[ova.KeyData] || !given[ova.KeyEncoding] || len(given) != 2 {
		t.Errorf("given %v", given)
	}
	for _, b := range node.Blocks {
		if b.Type != "lifecycle" {
			continue
		}
		kept, bad := hcl.ExprList(b.Body.Attributes["ignore_changes"].Expr)
		if bad.HasErrors() || len(kept) != 1 || hcl.ExprAsKeyword(kept[0]) != "extra_config" {
			t.Errorf("ignores %v, %v", kept, bad)
		}
		return
	}
	t.Error("Terraform would put the configs back")
}
