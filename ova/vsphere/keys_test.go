package vsphere

import (
	"io"
	"path"
	"slices"
	"strings"
	"testing"

	"github.com/vmware/govmomi/vim25/methods"
	"github.com/vmware/govmomi/vim25/soap"
	"github.com/vmware/govmomi/vim25/types"
)

func testKeys() *Keys {
	return &Keys{PK: []byte("certificate of PK"), KEK: []byte("certificate of KEK"), DB: []byte("certificate of db")}
}

// file reads a file of the datastore; "" if it is not there.
func (l *lab) file(h World, name string) string {
	down := soap.DefaultDownload
	r, _, err := l.vim.Download(l.t.Context(), h.site.datastore.NewURL(name), &down)
	if err != nil {
		return ""
	}
	defer r.Close()
	b, err := io.ReadAll(r)
	if err != nil {
		l.t.Fatal(err)
	}
	return string(b)
}

// TestKeysBeforePowerOn: what firmware is to trust is in the machine's folder and configuration, and Secure Boot is on after
// that, before it starts. With the machine the files go, too.
func TestKeysBeforePowerOn(t *testing.T) {
	l := newLab(t).withTemplate()
	w := want()
	w.Nodes, w.Keys = w.Nodes[:2], testKeys()
	h, err := l.Observe(t.Context(), w)
	if err != nil {
		t.Fatal(err)
	}
	var order []string
	l.meet = func(req soap.HasFault) {
		switch body := req.(type) {
		case *methods.ReconfigVM_TaskBody:
			spec := body.Req.Spec
			for _, o := range spec.ExtraConfig {
				if o.GetOptionValue().Key == "uefi.secureBoot.dbDefault.file0" {
					order = append(order, "keys")
				}
			}
			if spec.BootOptions != nil && isTrue(spec.BootOptions.EfiSecureBootEnabled) {
				order = append(order, "secure")
			}
		case *methods.CloneVM_TaskBody:
			if isTrue(body.Req.Spec.Config.BootOptions.EfiSecureBootEnabled) {
				order = append(order, "too early")
			}
		case *methods.PowerOnVM_TaskBody:
			order = append(order, "on")
		}
	}
	if _, err := l.deploys(w); err != nil {
		t.Fatal(err)
	}
	l.meet = nil
	if !slices.Equal(order, []string{"keys", "secure", "keys", "secure", "on", "on"}) {
		t.Errorf("order %q", order)
	}
	if h, err = l.Observe(t.Context(), w); err != nil {
		t.Fatal(err)
	}
	for _, n := range w.Nodes {
		m := h.Machines[n.VM]
		if !m.SecureBoot || m.Extra["uefi.secureBoot.pkDefault.file0"] != "slipway-PK.der" || len(w.differences(n, m, h)) > 0 {
			t.Errorf("%s: %+v", n.VM, m)
		}
		for name, want := range map[string]string{"slipway-PK.der": "certificate of PK", "slipway-KEK.der": "certificate of KEK", "slipway-db.der": "certificate of db"} {
			if got := l.file(h, path.Join(n.VM, name)); got != want {
				t.Errorf("%s/%s: %q", n.VM, name, got)
			}
		}
	}
	other := w
	other.Keys = &Keys{PK: []byte("x"), KEK: []byte("y"), DB: []byte("z")}
	if d := other.differences(w.Nodes[0], h.Machines[w.Nodes[0].VM], h); !slices.Equal(d, []string{"its firmware was given other Secure Boot keys"}) {
		t.Errorf("other keys: %q", d)
	}
	p, err := NewDestroyPlan(w, h)
	if err == nil {
		err = l.Destroy(t.Context(), w, h, p, nil)
	}
	if err != nil {
		t.Fatal(err)
	}
	if got := l.file(h, path.Join(w.Nodes[0].VM, "slipway-db.der")); got != "" {
		t.Errorf("destroy left %q", got)
	}
}

// TestKeysThatFail: what vCenter does not take over stops the machine before it starts, and is taken back.
func TestKeysThatFail(t *testing.T) {
	for want, spoil := range map[string]func(l *lab){
		"its firmware was not given the Secure Boot keys": func(l *lab) {
			l.meet = func(req soap.HasFault) {
				if body, ok := req.(*methods.ReconfigVM_TaskBody); ok {
					body.Req.Spec.ExtraConfig = slices.DeleteFunc(body.Req.Spec.ExtraConfig, func(o types.BaseOptionValue) bool {
						key := o.GetOptionValue().Key
						return key == markKeys || strings.HasPrefix(key, "uefi.")
					})
				}
			}
		},
		"giving it the Secure Boot keys: its files are in the datastore \"elsewhere\"": func(l *lab) {
			l.reply = func(res soap.HasFault) {
				body, ok := res.(*methods.RetrievePropertiesBody)
				if !ok {
					return
				}
				for _, o := range body.Res.Returnval {
					for i, p := range o.PropSet {
						if file, ok := p.Val.(string); ok && p.Name == "config.files.vmPathName" {
							o.PropSet[i].Val = strings.Replace(file, "LocalDS_0", "elsewhere", 1)
						}
					}
				}
			}
		},
	} {
		l := newLab(t).withTemplate()
		w := wantOne()
		spoil(l)
		_, err := l.deploys(w)
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("got %v, want %q", err, want)
		}
		if got := l.names(); got != "demo" {
			t.Errorf("%s: it left %s", want, got)
		}
	}
}

func wantOne() Cluster {
	w := want()
	w.Nodes, w.Keys = w.Nodes[:1], testKeys()
	return w
}

// TestKeysAreCompleted: a run that ended before the keys were there is completed by the next.
func TestKeysAreCompleted(t *testing.T) {
	l := newLab(t).withTemplate()
	w := wantOne()
	keys := w.Keys
	w.Keys = nil
	h, err := l.Observe(t.Context(), w)
	if err != nil {
		t.Fatal(err)
	}
	p, err := NewPlan(w, h)
	if err != nil {
		t.Fatal(err)
	}
	p = slices.DeleteFunc(p, func(a Action) bool { return a.Do != Clone && a.Do != Tag })
	if err := l.Deploy(t.Context(), w, h, p, Hooks{}); err != nil {
		t.Fatal(err)
	}
	w.Keys = keys
	if _, err := l.deploys(w); err != nil {
		t.Fatal(err)
	}
	if h, err = l.Observe(t.Context(), w); err != nil || !keys.has(h.Machines[w.Nodes[0].VM]) {
		t.Errorf("%v %+v", err, h.Machines[w.Nodes[0].VM])
	}
}
