package vsphere

import (
	"context"
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
				if shelf, err := l.readShelf(t.Context(), w.Library, w.Name); err != nil || shelf.ItemID != "" && !strings.HasPrefix(name, "no ") {
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

// TestKilledImport: what a killed run left is dropped; what others made is not.
func TestKilledImport(t *testing.T) {
	l := newLab(t)
	w := wantImport(image(t, testOVA(t, "disk of the test")))
	if _, err := l.imports(w); err != nil {
		t.Fatal(err)
	}
	shelf, err := l.readShelf(t.Context(), w.Library, w.Name)
	if err != nil {
		t.Fatal(err)
	}
	note := func(text string) {
		t.Helper()
		if err := library.NewManager(l.rest).UpdateLibraryItem(t.Context(), &library.Item{ID: shelf.ItemID, Description: &text}); err != nil {
			t.Fatal(err)
		}
	}
	note(halfNote(w.Image.Digest))
	p, err := l.imports(w)
	if err != nil || !strings.HasPrefix(p.String(), "drop item      slipway/demo\nupload         slipway/demo      2 files, ") {
		t.Errorf("half: %v\n%s", err, p)
	}
	next := w
	next.Image = image(t, testOVA(t, "another disk"))
	if _, err := l.imports(next); err == nil || !strings.Contains(err.Error(), "is of another image\nhint: --replace") {
		t.Errorf("another image: %v", err)
	}
	next.Replace = true
	if p, err := l.imports(next); err != nil {
		t.Errorf("replacing: %v\n%s", err, p)
	}
	if got := newMachine(l.vm("demo").VirtualMachine); got.Extra[markImage] != next.Image.Digest || !got.Template {
		t.Errorf("the template is of %s", got.Extra[markImage])
	}
	if shelf, err = l.readShelf(t.Context(), w.Library, w.Name); err != nil {
		t.Fatal(err)
	}
	note("my own")
	if _, err := l.imports(next); err == nil || !strings.Contains(err.Error(), `the name "demo" is taken: the item that has it was not made by slipway`) {
		t.Errorf("not ours: %v", err)
	}
}
