package vsphere

import (
	"slices"
	"strings"
	"testing"

	"slipway/ova"
)

func sorted(s []string) []string { slices.Sort(s); return s }

// TestLife: import, deploy seven nodes, again, destroy.
func TestLife(t *testing.T) {
	l := newLab(t)
	img := image(t, testOVA(t, "disk of the test"))
	p, err := l.imports(wantImport(img))
	if err != nil || !p.Changes() {
		t.Fatalf("import: %v\n%s", err, p)
	}
	if l.steps.moved != img.Size() {
		t.Errorf("progress was told of %d of %d bytes", l.steps.moved, img.Size())
	}
	if p, err = l.imports(wantImport(img)); err != nil || p.Changes() {
		t.Errorf("importing again: %v\n%s", err, p)
	}
	w := want()
	if p, err = l.deploys(w); err != nil || !p.Changes() {
		t.Fatalf("deploy: %v\n%s", err, p)
	}
	h, err := l.Observe(t.Context(), w)
	if err != nil {
		t.Fatal(err)
	}
	for _, n := range w.Nodes {
		m := h.Machines[n.VM]
		if d := w.differences(n, m, h); len(d) > 0 || !m.On || m.hasConfig() || !m.Tagged || !m.scrubbed() {
			t.Errorf("%s: %q, on %t, config %t, tagged %t, scrubbed %t", n.VM, d, m.On, m.hasConfig(), m.Tagged, m.scrubbed())
		}
		vm := l.vm(n.VM)
		if vm.Config.Firmware != "efi" || !isTrue(vm.Config.BootOptions.EfiSecureBootEnabled) || m.Disk != 20<<30 || m.Extra[keyUUID] != "TRUE" {
			t.Errorf("%s: %+v", n.VM, m)
		}
	}
	if h.Rule == nil || len(h.Rule.VMs) != 3 {
		t.Errorf("rule %+v", h.Rule)
	}
	if p, err = l.deploys(w); err != nil || p.Changes() || len(p) != 7 {
		t.Errorf("deploying again: %v\n%s", err, p)
	}
	d, err := NewDestroyPlan(w, h)
	if err != nil {
		t.Fatal(err)
	}
	if err := l.Destroy(t.Context(), w, h, d, nil); err != nil {
		t.Fatal(err)
	}
	if got := l.names(); got != "demo" {
		t.Errorf("destroy left %s", got)
	}
	if h, err = l.Observe(t.Context(), w); err != nil || h.Rule != nil {
		t.Errorf("destroy left the rule %+v, %v", h.Rule, err)
	}
	if tag := l.rests("/com/vmware/cis/tagging/tag"); tag != "" {
		t.Errorf("destroy left the tag %s", tag)
	}
}

// TestConfigIsThereAtPowerOn: before a machine starts it has its config, and after its report it has not.
func TestConfigIsThereAtPowerOn(t *testing.T) {
	l := newLab(t).withTemplate()
	w := want()
	w.Nodes = w.Nodes[:1]
	h, err := l.Observe(t.Context(), w)
	if err != nil {
		t.Fatal(err)
	}
	p, err := NewPlan(w, h)
	if err != nil {
		t.Fatal(err)
	}
	var seen []string
	err = l.Deploy(t.Context(), w, h, p.WithoutWaiting(), Hooks{Did: func(a Action) {
		m := newMachine(l.vm("demo-n1").VirtualMachine)
		seen = append(seen, strings.Join([]string{string(a.Do), m.Extra[ova.KeyData], m.Extra[ova.KeyEncoding], m.Firmware}, " "))
	}})
	want := "clone secret-of-n1 gzip+base64 efi; tag secret-of-n1 gzip+base64 efi; power on secret-of-n1 gzip+base64 efi; leave secret-of-n1 gzip+base64 efi"
	if got := strings.Join(seen, "; "); err != nil || got != want {
		t.Errorf("without waiting: %v\ngot  %s\nwant %s", err, got, want)
	}
	// The next run does the rest.
	p, err = l.deploys(w)
	if m := newMachine(l.vm("demo-n1").VirtualMachine); err != nil || p.String() != "wait           demo-n1           for node n1\nscrub          demo-n1\n" || m.hasConfig() {
		t.Errorf("the second run: %v\n%s", err, p)
	}
}
