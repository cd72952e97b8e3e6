package vsphere

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/vmware/govmomi/vapi/library"
	"github.com/vmware/govmomi/vim25/types"
)

// TestImportLeavesNothing: whatever fails or is interrupted, by either method.
func TestImportLeavesNothing(t *testing.T) {
	good := testOVA(t, "disk of the test")
	for _, method := range []Method{ByLibrary, ByNFC} {
		for name, tc := range map[string]struct {
			ova    []byte
			before func(*lab, context.CancelFunc)
			want   string
		}{
			"tampered":    {tampered(t, good), nil, `is not what the manifest says`},
			"interrupted": {good, func(l *lab, cancel context.CancelFunc) { l.steps.moving = func(int64) { cancel() } }, "context canceled"},
			"no mark":     {good, func(l *lab, _ context.CancelFunc) { l.fails("ReconfigVM_Task", &types.SystemError{}, "no", 1) }, "vCenter says: no"},
			"no template": {good, func(l *lab, _ context.CancelFunc) { l.fails("MarkAsTemplate", &types.SystemError{}, "not now", 1) }, "not now"},
		} {
			t.Run(string(method)+" "+name, func(t *testing.T) {
				l := newLab(t)
				w := wantImport(image(t, tc.ova))
				w.Method = method
				ctx, cancel := context.WithCancel(t.Context())
				defer cancel()
				_, carryOut, err := l.Prepare(ctx, w)
				if err != nil {
					t.Fatal(err)
				}
				if tc.before != nil {
					tc.before(l, cancel)
				}
				if err = carryOut(ctx); err == nil || !strings.Contains(err.Error(), tc.want) {
					t.Errorf("got %v, want %s", err, tc.want)
				}
				if got := l.names(); got != "" {
					t.Errorf("left the machines %s", got)
				}
				ended := "HttpNfcLeaseAbort"
				if strings.HasPrefix(name, "no ") {
					ended = "HttpNfcLeaseComplete"
				}
				if method == ByNFC && !slices.Contains(l.calls, ended) {
					t.Errorf("the lease was not ended by %s: %q", ended, l.calls)
				}
				if got := l.rests("/com/vmware/content/library/item/update-session"); got != "" {
					t.Errorf("left the sessions %s", got)
				}
				if shelf, err := l.readShelf(t.Context(), w.Library, w.concerns); err != nil || len(shelf.Items) > 0 && !strings.HasPrefix(name, "no ") {
					t.Errorf("left the item %+v, %v", shelf, err)
				}
				l.steps.moving = nil
				w.Image = image(t, good)
				if _, err := l.imports(w); err != nil {
					t.Errorf("once more: %v", err)
				}
			})
		}
	}
}

// TestKilledImport: what a killed run left is dropped or used; what others made is not.
func TestKilledImport(t *testing.T) {
	l := newLab(t)
	w := wantImport(image(t, testOVA(t, "disk of the test")))
	if _, err := l.imports(w); err != nil {
		t.Fatal(err)
	}
	change := func(from, to, note string) {
		t.Helper()
		shelf, err := l.readShelf(t.Context(), w.Library, w.concerns)
		if err != nil {
			t.Fatal(err)
		}
		item := library.Item{ID: shelf.Items[from].ID, Name: to, Description: &note}
		if err := library.NewManager(l.rest).UpdateLibraryItem(t.Context(), &item); err != nil {
			t.Fatal(err)
		}
	}
	plan := func(want string, w Import) {
		t.Helper()
		p, err := l.imports(w)
		if err != nil || !strings.HasPrefix(p.String(), want) {
			t.Errorf("%v\ngot\n%swant\n%s", err, p, want)
		}
	}
	// Killed while it uploaded another image; then after the template was made.
	next := w
	next.Image, next.Replace = image(t, testOVA(t, "another disk")), true
	staged := next.staged()
	change("demo", staged, halfNote(next.Image.Digest))
	plan(fmt.Sprintf("drop item      slipway/%s  an earlier run left it\nupload         slipway/%[1]s  2 files, ", staged), next)
	change("demo", staged, completeNote(next.Image.Digest))
	if err := l.rename(t.Context(), l.vm("demo").Self, staged); err != nil {
		t.Fatal(err)
	}
	plan(fmt.Sprintf("keep           slipway/%s  this image was uploaded by an earlier run\nkeep           %[1]s  this template was made by an earlier run\nrename         %[1]s  to demo\nrename item    slipway/%[1]s  to demo\n", staged), next)
	if got := newMachine(l.vm("demo").VirtualMachine); got.Extra[markImage] != next.Image.Digest || !got.Template || l.names() != "demo" {
		t.Errorf("the template is of %s, there are %s", got.Extra[markImage], l.names())
	}
	w.Replace = false
	if _, err := l.imports(w); err == nil || !strings.Contains(err.Error(), "is of another image\nhint: --replace") {
		t.Errorf("another image: %v", err)
	}
	change("demo", "demo", "my own")
	if _, err := l.imports(next); err == nil || !strings.Contains(err.Error(), `the name "demo" is taken: the item that has it was not made by slipway`) {
		t.Errorf("not ours: %v", err)
	}
}

// TestReplacedWhenWhole: until the new item and template are whole the old ones are there, whatever fails; then they are
// gone, and nothing else is left.
func TestReplacedWhenWhole(t *testing.T) {
	old, new := image(t, testOVA(t, "disk of the test")), testOVA(t, "another disk")
	for _, method := range []Method{ByLibrary, ByNFC} {
		t.Run(string(method), func(t *testing.T) {
			l := newLab(t)
			w := wantImport(old)
			w.Method = method
			if _, err := l.imports(w); err != nil {
				t.Fatal(err)
			}
			w.Replace = true
			there := func(digest string) {
				t.Helper()
				if got := newMachine(l.vm("demo").VirtualMachine); !got.Template || got.Extra[markImage] != digest || l.names() != "demo" {
					t.Errorf("there are %s, the template is of %s", l.names(), got.Extra[markImage])
				}
				shelf, err := l.readShelf(t.Context(), w.Library, w.concerns)
				if err != nil || method == ByLibrary && shelf.Items["demo"].Note != completeNote(digest) {
					t.Errorf("%+v, %v", shelf, err)
				}
			}
			w.Image = image(t, tampered(t, new))
			if _, err := l.imports(w); err == nil || !strings.Contains(err.Error(), "is not what the manifest says") {
				t.Errorf("tampered: %v", err)
			}
			there(old.Digest)
			w.Image = image(t, new)
			l.fails("MarkAsTemplate", &types.SystemError{}, "not now", 1)
			if _, err := l.imports(w); err == nil || !strings.Contains(err.Error(), "not now") {
				t.Errorf("no template: %v", err)
			}
			there(old.Digest)
			if _, err := l.imports(w); err != nil {
				t.Error(err)
			}
			there(w.Image.Digest)
			if shelf, err := l.readShelf(t.Context(), w.Library, func(string) bool { return true }); err != nil || len(shelf.Items) > 1 {
				t.Errorf("left the items %v, %v", shelf.Items, err)
			}
		})
	}
}
