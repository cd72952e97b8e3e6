package vsphere

import (
	"context"
	"encoding/json"
	"errors"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/vmware/govmomi/vim25/methods"
	"github.com/vmware/govmomi/vim25/soap"
	"github.com/vmware/govmomi/vim25/types"

	"slipway/ova"
)

// TestAFewAtATime: so many clones run at once as is said, and one at least; after a failure no other begins, and all are
// taken back.
func TestAFewAtATime(t *testing.T) {
	for parallel, want := range map[int]int32{0: 1, 3: 3, 20: 7} {
		l := newLab(t).withTemplate()
		var now, most atomic.Int32
		l.while = func(req soap.HasFault) {
			if _, clone := req.(*methods.CloneVM_TaskBody); !clone {
				return
			}
			n := now.Add(1)
			for old := most.Load(); n > old && !most.CompareAndSwap(old, n); old = most.Load() {
			}
			time.Sleep(200 * time.Millisecond)
			now.Add(-1)
		}
		if _, err := l.deploysSo(parallel); err != nil || most.Load() != want {
			t.Errorf("%d at a time: %d clones at once, %v", parallel, most.Load(), err)
		}
		if tags := strings.Fields(l.rests("/com/vmware/cis/tagging/tag")); len(tags) != 1 {
			t.Errorf("%d at a time: the tags are %s", parallel, tags)
		}
	}
	l := newLab(t).withTemplate()
	l.fails("CloneVM_Task", &types.SystemError{}, "vpxd is tired", 1)
	if _, err := l.deploysSo(2); err == nil || !strings.Contains(err.Error(), "vCenter says: vpxd is tired") || strings.Contains(err.Error(), "taking") || l.names() != "demo" {
		t.Errorf("%v, left %s", err, l.names())
	}
	clones := 0
	for _, call := range l.calls {
		if call == "CloneVM_Task" {
			clones++
		}
	}
	if clones > 2 {
		t.Errorf("%d clones were begun", clones)
	}
}

// deploysSo is deploys with so many machines at a time.
func (l *lab) deploysSo(parallel int) (Plan, error) {
	w := want()
	h := observed(l.t, l, w)
	p, err := NewPlan(w, h)
	if err != nil {
		return nil, err
	}
	return p, l.Deploy(l.t.Context(), w, h, p, Hooks{Wait: func(context.Context, string) error { return nil }, Parallel: parallel})
}

// TestWaitedForAtOnce: a node that is silent costs another neither its time nor its scrub.
func TestWaitedForAtOnce(t *testing.T) {
	l := newLab(t).withTemplate()
	w := l.launch(3)
	h := observed(t, l, w)
	p, err := NewPlan(w, h)
	if err != nil {
		t.Fatal(err)
	}
	gone := make(chan struct{})
	err = l.Deploy(t.Context(), w, h, p, Hooks{
		Wait: func(ctx context.Context, node string) error {
			if node == "n1" { // until all the others are done with
				select {
				case <-gone:
				case <-time.After(10 * time.Second):
					t.Error("the others wait for n1")
				}
			}
			return nil
		},
		Did: func(a Action) {
			if a.Do == Scrub && a.On == "demo-n3" {
				close(gone)
			}
		},
	})
	if err != nil {
		t.Error(err)
	}
}

// TestOnlyWhatIsNeeded is read, and of strangers nothing but name and mark.
func TestOnlyWhatIsNeeded(t *testing.T) {
	l := newLab(t).withTemplate()
	l.stranger("theirs")
	theirs := l.vm("theirs").Self
	err := l.reconfigure(t.Context(), theirs, types.VirtualMachineConfigSpec{ExtraConfig: options(ova.KeyData, "their-secret", "slipway.cluster", "other")})
	if err != nil {
		t.Fatal(err)
	}
	look := func(specs []types.PropertyFilterSpec) {
		for _, spec := range specs {
			for _, object := range spec.ObjectSet {
				for _, properties := range spec.PropSet {
					path := strings.Join(properties.PathSet, " ")
					if isTrue(properties.All) || object.Obj == theirs || strings.Contains(" "+path+" ", " config ") || strings.Contains(" "+path+" ", " summary ") {
						t.Errorf("read of %s: %s", object.Obj, path)
					}
				}
			}
		}
	}
	l.meet = func(req soap.HasFault) {
		switch r := req.(type) {
		case *methods.RetrievePropertiesBody:
			look(r.Req.SpecSet)
		case *methods.RetrievePropertiesExBody:
			look(r.Req.SpecSet)
		}
	}
	l.reply = func(res soap.HasFault) {
		if r, ok := res.(*methods.RetrievePropertiesBody); ok {
			for _, o := range r.Res.Returnval {
				for _, p := range o.PropSet {
					if o.Obj == theirs && p.Name != "name" && p.Name != `config.extraConfig["slipway.cluster"]` {
						t.Errorf("vCenter told %s of a stranger", p.Name)
					}
				}
			}
		}
	}
	if _, err := l.deploys(want()); err != nil {
		t.Error(err)
	}
}

// TestWarningsOfAnItem are shown as well: they come with what vCenter answers when the template was made, or was not.
func TestWarningsOfAnItem(t *testing.T) {
	const made = `"warnings": [{"category": "VALIDATION", "issues": [{"category": "VALUE_ILLEGAL", "file": "demo.ovf", "line_number": 12, "message": {"default_message": "no support for the guest other6x"}}]},` +
		`{"category": "INPUT", "name": "key", "message": {"default_message": "the key is not used"}}]`
	for refused, want := range map[string]string{
		"": "",
		`, "errors": [{"category": "SERVER", "error": {"messages": [{"default_message": "the host"}, {"default_message": "is away"}]}}]`: ": vCenter says: the host; is away",
	} {
		l := newLab(t)
		var said []string
		l.Warn = func(words string) { said = append(said, words) }
		l.answers("/rest/com/vmware/vcenter/ovf/library-item/", func(body []byte) []byte {
			var answer struct {
				Value map[string]any `json:"value"`
			}
			if err := errors.Join(json.Unmarshal(body, &answer), json.Unmarshal([]byte(`{"error": {`+made+refused+`}}`), &answer.Value)); err != nil {
				t.Error(err)
			}
			answer.Value["succeeded"] = refused == ""
			body, _ = json.Marshal(answer)
			return body
		})
		_, err := l.imports(wantImport(image(t, testOVA(t, "disk of the test"))))
		if (err != nil) != (want != "") || err != nil && !strings.HasSuffix(err.Error(), want) {
			t.Errorf("got %v, want %q", err, want)
		}
		if strings.Join(said, "\n") != "vCenter says: demo.ovf:12: no support for the guest other6x\nvCenter says: the key is not used" {
			t.Errorf("said %q", said)
		}
	}
}

// TestWarnings of vCenter about an image are shown.
func TestWarnings(t *testing.T) {
	l := newLab(t)
	var said []string
	l.Warn = func(words string) { said = append(said, words) }
	l.reply = func(res soap.HasFault) {
		if r, ok := res.(*methods.CreateImportSpecBody); ok {
			r.Res.Returnval.Warning = []types.LocalizedMethodFault{{Fault: &types.OvfHardwareCheck{}, LocalizedMessage: "Line 12: no support for the guest other6x."}}
		}
	}
	l.withTemplate()
	if len(said) != 1 || said[0] != "vCenter says: Line 12: no support for the guest other6x." {
		t.Errorf("said %q", said)
	}
}

// TestLinkedClones grow on a snapshot of the template, and keep it in place.
func TestLinkedClones(t *testing.T) {
	l := newLab(t)
	i := wantImport(image(t, testOVA(t, "disk of the test")))
	w := want()
	w.Nodes = w.Nodes[:2]
	w.Linked = true
	if _, err := l.imports(i); err != nil {
		t.Fatal(err)
	}
	_, err := l.deploys(w)
	if err == nil || !strings.HasPrefix(err.Error(), `node "n1": the template "demo" has no snapshot for linked clones`) {
		t.Errorf("no snapshot: %v", err)
	}
	i.Linked = true
	if _, err := l.imports(i); err == nil || !strings.Contains(err.Error(), "has no snapshot for linked clones\nhint: --replace") {
		t.Errorf("not replaced: %v", err)
	}
	i.Replace, i.Image = true, image(t, testOVA(t, "the disk once more")) // the simulator keeps the first one's directory
	if _, err := l.imports(i); err != nil {
		t.Fatal(err)
	}
	_, err = l.deploys(w)
	if err == nil || !strings.HasPrefix(err.Error(), `node "n1": a linked clone has the template's disk of 8192 MiB, and cannot have one of 20480`) {
		t.Errorf("a larger disk: %v", err)
	}
	for n := range w.Nodes {
		w.Nodes[n].Disk = 8 << 30
	}
	var specs []types.VirtualMachineCloneSpec
	l.meet = func(req soap.HasFault) {
		if r, ok := req.(*methods.CloneVM_TaskBody); ok {
			specs = append(specs, r.Req.Spec)
		}
	}
	if _, err := l.deploys(w); err != nil {
		t.Fatal(err)
	}
	template := newMachine(l.vm("demo").VirtualMachine)
	for _, s := range specs {
		if template.snapshot == nil || s.Snapshot == nil || *s.Snapshot != *template.snapshot || s.Location.DiskMoveType != "createNewChildDiskBacking" {
			t.Errorf("%+v", s)
		}
	}
	next := i
	next.Image = image(t, testOVA(t, "another disk"))
	if _, err := l.imports(next); err == nil || !strings.Contains(err.Error(), "linked clones of it use its disk: demo-n1, demo-n2\nhint: ") {
		t.Errorf("dropping the template: %v", err)
	}
	// A machine of its own, of the same template: its disk is one that can grow.
	w.Linked, w.Nodes, specs = false, want().Nodes[2:3], nil
	if _, err := l.deploys(w); err != nil || len(specs) != 1 || specs[0].Snapshot != nil || specs[0].Location.DiskMoveType != "moveAllDiskBackingsAndConsolidate" {
		t.Errorf("%v, %+v", err, specs)
	}
}
