package ova

import (
	"bytes"
	"encoding/hex"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"slipway/internal/testtool"

	"github.com/vmware/govmomi/ovf"
	"github.com/vmware/govmomi/vim25/types"
)

// run gives the output of a foreign program that was started in dir.
func run(t *testing.T, dir, name string, args ...string) string {
	t.Helper()
	cmd := exec.Command(testtool.Find(t, name), args...)
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), "TZ=UTC", "LC_ALL=C")
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("%s %q: %v\n%s", name, args, err, out)
	}
	return string(out)
}

// written puts b into a file of a folder of its own.
func written(t *testing.T, b []byte) (dir, name string) {
	t.Helper()
	dir = t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "node.ova"), b, 0o600); err != nil {
		t.Fatal(err)
	}
	return dir, "node.ova"
}

func TestTarAgrees(t *testing.T) {
	p := testPackage()
	p.Signer = testSigner(t)
	b := mustWrite(t, p)
	dir, name := written(t, b)
	got := run(t, dir, "tar", "--numeric-owner", "--full-time", "-tvf", name)
	var want strings.Builder
	for _, m := range mustOpen(t, b).Members {
		fmt.Fprintf(&want, "-rw-r--r-- 0/0 %15d 2026-05-28 20:26:40 %s\n", m.Size, m.Name)
	}
	if squeeze(got) != squeeze(want.String()) {
		t.Errorf("tar lists\n%swant\n%s", got, want.String())
	}
	// GNU tar makes the same bytes of the same files, but for the zeros that it fills its last record with.
	run(t, dir, "tar", "-xf", name)
	run(t, dir, "tar", "--format=ustar", "--numeric-owner", "--owner=0", "--group=0", "--mode=0644", fmt.Sprintf("--mtime=@%d", testTime),
		"-cf", "again.ova", "node.ovf", "node.mf", "node.cert", "node.vmdk")
	again, err := os.ReadFile(filepath.Join(dir, "again.ova"))
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.HasPrefix(again, b) || firstByte(again[len(b):]) >= 0 {
		t.Error("tar makes other bytes of the same files")
	}
	if r := mustCheck(t, again); len(r.Findings) > 0 {
		t.Errorf("GNU tar's archive: %s", lines(r.Findings))
	}
}

func squeeze(s string) string { return strings.Join(strings.Fields(s), " ") }

func TestSha256sumAgrees(t *testing.T) {
	dir, name := written(t, mustWrite(t, rich()))
	run(t, dir, "tar", "-xf", name)
	manifest, err := os.ReadFile(filepath.Join(dir, "node-2.0_b.mf"))
	if err != nil {
		t.Fatal(err)
	}
	for text := range strings.Lines(string(manifest)) {
		file, sum, _ := strings.Cut(strings.TrimPrefix(strings.TrimSpace(text), "SHA256("), ")= ")
		if got, want := run(t, dir, "sha256sum", file), sum+"  "+file+"\n"; got != want {
			t.Errorf("sha256sum says %q, the manifest %q", got, want)
		}
	}
}

// TestOpenSSLAgrees verifies the signature, and the chain of the certificates behind it.
func TestOpenSSLAgrees(t *testing.T) {
	p := testPackage()
	p.Signer = testSigner(t)
	dir, name := written(t, mustWrite(t, p))
	run(t, dir, "tar", "-xf", name)
	cert, err := os.ReadFile(filepath.Join(dir, "node.cert"))
	if err != nil {
		t.Fatal(err)
	}
	first, rest, _ := strings.Cut(string(cert), "\n")
	signature, err := hex.DecodeString(strings.TrimPrefix(first, "SHA256(node.mf)= "))
	if err != nil {
		t.Fatalf("%q: %v", first, err)
	}
	leaf, authority, _ := strings.Cut(rest, "-----END CERTIFICATE-----\n")
	for file, content := range map[string]string{"sig": string(signature), "leaf.pem": leaf + "-----END CERTIFICATE-----\n", "ca.pem": authority} {
		if err := os.WriteFile(filepath.Join(dir, file), []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	run(t, dir, "openssl", "x509", "-in", "leaf.pem", "-pubkey", "-noout", "-out", "pub.pem")
	if got := run(t, dir, "openssl", "dgst", "-sha256", "-verify", "pub.pem", "-signature", "sig", "node.mf"); got != "Verified OK\n" {
		t.Errorf("openssl dgst: %s", got)
	}
	if got := run(t, dir, "openssl", "verify", "-attime", fmt.Sprint(testTime+1), "-CAfile", "ca.pem", "leaf.pem"); got != "leaf.pem: OK\n" {
		t.Errorf("openssl verify: %s", got)
	}
}

// TestXMLLintAgrees has another parser read the descriptor, names and all.
func TestXMLLintAgrees(t *testing.T) {
	p := rich()
	dir, name := written(t, mustWrite(t, p))
	run(t, dir, "tar", "-xf", name)
	file := p.descriptorName()
	run(t, dir, "xmllint", "--nonet", "--noout", file)
	for path, want := range map[string]string{
		"Product": p.Product.Name, "Vendor": p.Product.Vendor, "Version": p.Product.Version, "VirtualSystemType": "vmx-19", "Connection": p.Hardware.Networks[0],
	} {
		got := run(t, dir, "xmllint", "--nonet", "--xpath", fmt.Sprintf("string(//*[local-name()='%s'])", path), file)
		if strings.TrimSuffix(got, "\n") != want {
			t.Errorf("xmllint reads %s as %q, want %q", path, got, want)
		}
	}
}

// configSpec is what govmomi would make the virtual machine from.
func configSpec(t *testing.T, p Package) types.VirtualMachineConfigSpec {
	t.Helper()
	b, err := p.Descriptor()
	if err != nil {
		t.Fatal(err)
	}
	e, err := ovf.Unmarshal(bytes.NewReader(b))
	if err != nil {
		t.Fatal(err)
	}
	spec, err := e.ToConfigSpecWithOptions(ovf.ToConfigSpecOptions{Strict: true})
	if err != nil {
		t.Fatal(err)
	}
	return spec
}

func TestGovmomiAgrees(t *testing.T) {
	for name, p := range map[string]Package{"plain": testPackage(), "rich": rich()} {
		h := p.Hardware.withDefaults()
		spec := configSpec(t, p)
		if spec.Firmware != "efi" || spec.BootOptions == nil || *spec.BootOptions.EfiSecureBootEnabled != h.SecureBoot {
			t.Errorf("%s: firmware %q, boot options %+v", name, spec.Firmware, spec.BootOptions)
		}
		if spec.Version != fmt.Sprintf("vmx-%d", h.Version) || spec.GuestId != h.GuestOS || spec.Name != p.Name {
			t.Errorf("%s: %s %s %s", name, spec.Version, spec.GuestId, spec.Name)
		}
		if spec.NumCPUs != int32(h.CPUs) || spec.MemoryMB != h.MemoryMiB || len(spec.ExtraConfig) > 0 {
			t.Errorf("%s: %d CPUs, %d MiB, %v", name, spec.NumCPUs, spec.MemoryMB, spec.ExtraConfig)
		}
		checkDevices(t, name, spec, p)
		checkProperties(t, name, spec.VAppConfig.GetVmConfigSpec())
	}
}

func checkDevices(t *testing.T, name string, spec types.VirtualMachineConfigSpec, p Package) {
	t.Helper()
	controllers, adapters := 0, 0
	var capacities, want []int64
	units := map[int32]bool{}
	for _, change := range spec.DeviceChange {
		switch d := change.GetVirtualDeviceConfigSpec().Device.(type) {
		case *types.ParaVirtualSCSIController:
			controllers++
		case *types.VirtualVmxnet3:
			adapters++
		case *types.VirtualDisk:
			capacities = append(capacities, d.CapacityInBytes)
			units[*d.UnitNumber] = true
		default:
			t.Errorf("%s: there is a %T", name, d)
		}
	}
	for _, d := range p.Disks {
		want = append(want, d.Capacity)
	}
	if controllers != 1 || adapters != len(p.Hardware.Networks) || !reflect.DeepEqual(capacities, want) || len(units) != len(want) || units[controllerUnit] {
		t.Errorf("%s: %d controllers, %d adapters, capacities %d at %v, want %d", name, controllers, adapters, capacities, units, want)
	}
}

func checkProperties(t *testing.T, name string, v *types.VmConfigSpec) {
	t.Helper()
	var keys []string
	for _, p := range v.Property {
		if !*p.Info.UserConfigurable || p.Info.Type != "string" || p.Info.DefaultValue != "" {
			t.Errorf("%s: property %+v", name, p.Info)
		}
		keys = append(keys, p.Info.Id)
	}
	if strings.Join(keys, " ") != "guestinfo.ignition.config.data guestinfo.ignition.config.data.encoding" {
		t.Errorf("%s: properties %q", name, keys)
	}
}
