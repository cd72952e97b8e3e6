package vsphere

import (
	"fmt"
	"strings"
)

// Method is how an OVA gets to vCenter.
type Method string

// The methods.
const (
	ByLibrary Method = "library" // through vCenter, which checks every file against its SHA-256
	ByNFC     Method = "nfc"     // straight to an ESXi host
)

// Import is what is wanted: the template of a cluster, made of an image.
type Import struct {
	Cluster string // id; marks what is ours
	Place   Place
	Network string // that the template's card is connected to
	Library string
	Name    string // of the template and of the item
	Image   Image
	Method  Method
	Replace bool // a template and an item of ours that hold another image
	Secure  bool // Secure Boot
}

// Shelf is what was found of a library and its item.
type Shelf struct {
	LibraryID string // "" if there is none
	ItemID    string // "" if there is none
	Note      string // description of the item
}

// Descriptions of items and notes of templates. What is not complete is dropped by the next run.
const (
	noteComplete = "Slipway image "
	noteHalf     = "Slipway image, not complete: "
)

func completeNote(digest string) string { return noteComplete + "sha256:" + digest }
func halfNote(digest string) string     { return noteHalf + "sha256:" + digest }

// condition is how something of a name is.
type condition int

const (
	absent  condition = iota
	current           // holds the image
	older             // holds another one of ours
	half              // an interrupted run left it
	foreign
)

// judge reads a note.
func judge(there bool, note, digest string) condition {
	switch {
	case !there:
		return absent
	case note == completeNote(digest):
		return current
	case strings.HasPrefix(note, noteHalf):
		return half
	case strings.HasPrefix(note, noteComplete+"sha256:"):
		return older
	}
	return foreign
}

// NewImportPlan decides what leads to the template. A name that is taken by what is not ours is refused, and another
// image of ours unless it is to be replaced.
func NewImportPlan(want Import, shelf Shelf, machines map[string]Machine) (Plan, error) {
	m, there := machines[want.Name]
	note := m.Note
	if there && !m.Template && judge(true, note, want.Image.Digest) != half {
		note = "" // a machine like any other
	}
	template := judge(there, note, want.Image.Digest)
	if template == current && shelf.ItemID == "" { // sent by NFC, or the item is not needed any longer
		return Plan{{Keep, want.Name, "the template is of this image", -1}}, nil
	}
	p, fresh, err := want.item(shelf)
	if err != nil {
		return nil, err
	}
	if template == current && !fresh {
		return append(p, Action{Keep, want.Name, "the template is of this image", -1}), nil
	}
	if err := want.mayReplace("template", template); err != nil {
		return nil, err
	}
	if template != absent {
		p = append(p, Action{DropTemplate, want.Name, "", -1})
	}
	return append(p, Action{MakeTemplate, want.Name, want.how(), -1}), nil
}

func (want Import) how() string {
	if want.Method == ByNFC {
		return fmt.Sprintf("%d bytes, straight to a host", want.Image.Size())
	}
	return "from the item"
}

// item plans the library's part; fresh says that the item is another one afterwards.
func (want Import) item(shelf Shelf) (p Plan, fresh bool, err error) {
	if want.Method == ByNFC {
		return nil, false, nil
	}
	if shelf.LibraryID == "" {
		p = append(p, Action{MakeLibrary, want.Library, "", -1})
	}
	on := want.Library + "/" + want.Name
	state := judge(shelf.ItemID != "", shelf.Note, want.Image.Digest)
	if state == current {
		return append(p, Action{Keep, on, "the item is this image", -1}), false, nil
	}
	if err := want.mayReplace("item", state); err != nil {
		return nil, false, err
	}
	if state != absent {
		p = append(p, Action{DropItem, on, "", -1})
	}
	upload := Action{Upload, on, fmt.Sprintf("%d files, %d bytes", len(want.Image.Files), want.Image.Size()), -1}
	return append(p, upload), state == older, nil
}

func (want Import) mayReplace(what string, state condition) error {
	switch {
	case state == foreign:
		return fmt.Errorf("importing: the name %q is taken: the %s that has it was not made by slipway\nhint: choose another one under vsphere.template", want.Name, what)
	case (state == older || state == current) && !want.Replace:
		return fmt.Errorf("importing: the %s %q is of another image\nhint: --replace drops it; machines that were cloned from it stay as they are", what, want.Name)
	}
	return nil
}
