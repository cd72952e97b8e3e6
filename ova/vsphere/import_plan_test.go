package vsphere

import (
	"fmt"
	"strings"
	"testing"

	"github.com/vmware/govmomi/vim25/types"

	"slipway/internal/golden"
)

// imageMachine is a template named demo, or what is to become one, made of an image.
func imageMachine(name, image string, template bool) Machine {
	return Machine{Name: name, Template: template, Extra: map[string]string{markCluster: "demo", markMachine: "demo", markImage: image}}
}

// TestImportPlans pins what an import decides for the states of item and template, and of what earlier runs left staged.
func TestImportPlans(t *testing.T) {
	items := map[string]string{"current": completeNote("d1d1d1d1d1d1"), "older": completeNote("d0d0d0d0d0d0"), "half": halfNote("d0d0d0d0d0d0"), "foreign": "my own"}
	templates := map[string]Machine{
		"current": imageMachine("demo", "d1d1d1d1d1d1", true), "older": imageMachine("demo", "d0d0d0d0d0d0", true),
		"foreign": {Name: "demo", Template: true, Note: completeNote("d1d1d1d1d1d1"), Extra: map[string]string{}},
	}
	staged := map[string]Machine{
		"current": imageMachine("demo.d1d1d1d1d1d1", "d1d1d1d1d1d1", true), "older": imageMachine("demo.d1d1d1d1d1d1", "d0d0d0d0d0d0", true), "half": imageMachine("demo.d1d1d1d1d1d1", "d1d1d1d1d1d1", false),
		"unmarked": {Name: "demo.d1d1d1d1d1d1", Note: halfNote("d1d1d1d1d1d1"), Extra: map[string]string{}},
		"foreign":  {Name: "demo.d1d1d1d1d1d1", On: true, Note: halfNote("d1d1d1d1d1d1"), Extra: map[string]string{}},
	}
	var out strings.Builder
	try := func(w Import, item, stagedItem, template, stagedTemplate string) {
		w.Library, w.Name, w.Image.Digest = "slipway", "demo", "d1d1d1d1d1d1"
		shelf, machines := Shelf{LibraryID: "l1", Items: map[string]Item{}}, map[string]Machine{}
		if note, ok := items[item]; ok {
			shelf.Items["demo"] = Item{"i1", note}
		}
		if note, ok := items[stagedItem]; ok {
			name := "demo.d1d1d1d1d1d1"
			if stagedItem == "other" || stagedItem == "stranger" {
				name = "demo.d0d0d0d0d0d0"
			}
			shelf.Items[name] = Item{"i2", note}
		}
		if m, ok := templates[template]; ok {
			machines["demo"] = m
		}
		if m, ok := staged[stagedTemplate]; ok {
			machines[m.Name] = m
		}
		p, err := NewImportPlan(w, shelf, machines)
		fmt.Fprintf(&out, "-- %s, item %s and staged %s, template %s and staged %s, replace %t --\n%s", w.Method, item, stagedItem, template, stagedTemplate, w.Replace, p)
		if err != nil {
			fmt.Fprintf(&out, "error: %v\n", err)
		}
	}
	for _, replace := range []bool{false, true} {
		for _, template := range []string{"absent", "current", "older", "foreign"} {
			for _, item := range []string{"absent", "current", "older", "half", "foreign"} {
				try(Import{Method: ByLibrary, Replace: replace}, item, "absent", template, "absent")
			}
			try(Import{Method: ByNFC, Replace: replace}, "absent", "absent", template, "absent")
		}
	}
	for _, there := range []string{"absent", "current", "older"} {
		for _, left := range [][2]string{{"half", "absent"}, {"older", "absent"}, {"current", "absent"}, {"current", "half"}, {"current", "unmarked"}, {"current", "older"}, {"current", "current"}, {"foreign", "absent"}, {"absent", "foreign"}} {
			try(Import{Method: ByLibrary, Replace: true}, there, left[0], there, left[1])
		}
	}
	// What runs for another image left goes too; what only looks like it does not.
	items["other"], staged["other"] = halfNote("d0d0d0d0d0d0"), imageMachine("demo.d0d0d0d0d0d0", "d0d0d0d0d0d0", false)
	try(Import{Method: ByLibrary}, "absent", "other", "absent", "other")
	items["stranger"], staged["stranger"] = "my own", Machine{Name: "demo.d0d0d0d0d0d0"}
	try(Import{Method: ByLibrary}, "absent", "stranger", "absent", "stranger")
	// Interrupted between the two swaps.
	try(Import{Method: ByLibrary, Replace: true}, "older", "current", "current", "absent")
	golden.Check(t, "testdata/import_plans.txt", out.String())
}

// TestTemplateIsKnownByMarks, not by a note that people edit; and a template that holds others' disks is not dropped.
func TestTemplateIsKnownByMarks(t *testing.T) {
	w := Import{Name: "demo", Image: Image{Digest: "d1d1d1d1d1d1"}, Method: ByNFC, Replace: true}
	ours, clone := imageMachine("demo", "d1d1d1d1d1d1", true), imageMachine("demo-n1", "d0d0d0d0d0d0", false)
	clone.Extra[markNode], clone.Extra[markMachine], clone.Extra[markLinked] = "n1", "demo-n1", "d0d0d0d0d0d0"
	byHand := imageMachine("demo", "d1d1d1d1d1d1", true)
	byHand.Extra[markMachine] = "golden"
	linkable := imageMachine("demo", "d1d1d1d1d1d1", true)
	linkable.snapshot = &types.ManagedObjectReference{}
	for name, tc := range map[string]struct {
		want   condition
		m      Machine
		linked bool
	}{
		"with another note":              {want: current, m: ours},
		"by an older slipway":            {want: current, m: Machine{Template: true, Extra: map[string]string{markCluster: "demo", markImage: "d1d1d1d1d1d1"}}},
		"with our note only":             {want: foreign, m: Machine{Template: true, Note: completeNote("d1d1d1d1d1d1"), Extra: map[string]string{}}},
		"cloned by hand":                 {want: foreign, m: byHand},
		"a node's machine as a template": {want: foreign, m: Machine{Template: true, Extra: map[string]string{markCluster: "demo", markNode: "n1", markImage: "d1d1d1d1d1d1"}}},
		"without the snapshot":           {want: older, m: ours, linked: true},
		"with the snapshot":              {want: current, m: linkable, linked: true},
	} {
		w := w
		w.Linked = tc.linked
		if got := w.templateState(map[string]Machine{"demo": tc.m}); got != tc.want {
			t.Errorf("%s: got %d, want %d", name, got, tc.want)
		}
	}
	_, err := NewImportPlan(w, Shelf{}, map[string]Machine{"demo": imageMachine("demo", "d0d0d0d0d0d0", true), "demo-n1": clone})
	if err == nil || !strings.HasPrefix(err.Error(), `importing: the template "demo" cannot be dropped: linked clones of it use its disk: demo-n1`) {
		t.Errorf("got %v", err)
	}
}
