package vsphere

import (
	"fmt"
	"slices"
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
	Linked  bool // with a snapshot, for linked clones
}

// staged is the name under which item and template are made. They get their own when they are whole, so that whatever
// has that name is whole, and what it replaces is there until then. Files on a datastore keep the first name, so it is
// another one for every image.
func (want Import) staged() string { return want.stem() + want.Image.Digest[:digestPart] }

const (
	digestPart = 12
	mostName   = 80 // characters, in vCenter
)

func (want Import) stem() string {
	return want.Name[:min(len(want.Name), mostName-digestPart-1)] + "."
}

// isStaged says whether an import of any image for this template would use the name.
func (want Import) isStaged(name string) bool {
	digest, ok := strings.CutPrefix(name, want.stem())
	return ok && len(digest) == digestPart && strings.Trim(digest, "0123456789abcdef") == ""
}

// concerns says whether what has the name must be looked at.
func (want Import) concerns(name string) bool { return name == want.Name || want.isStaged(name) }

// otherImages lists staged names of other images, sorted.
func otherImages[T any](want Import, there map[string]T) (names []string) {
	for name := range there {
		if want.isStaged(name) && name != want.staged() {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	return names
}

// shelved is how people see an item.
func (want Import) shelved(item string) string { return want.Library + "/" + item }

// Shelf is what was found of a library.
type Shelf struct {
	LibraryID string // "" if there is none
	Items     map[string]Item
}

// Item is one that was found in a library, by its name.
type Item struct {
	ID   string
	Note string // its description, the only place for a mark that an item has
}

// Descriptions of items, and what people read about templates.
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

// itemState judges an item by its note.
func itemState(shelf Shelf, name, digest string) condition {
	item, there := shelf.Items[name]
	switch {
	case !there:
		return absent
	case item.Note == completeNote(digest):
		return current
	case strings.HasPrefix(item.Note, noteHalf):
		return half
	case strings.HasPrefix(item.Note, noteComplete+"sha256:"):
		return older
	}
	return foreign
}

// templateState judges what has the template's own name by its marks. Being a template is the last thing that one
// becomes, so it is whole.
func (want Import) templateState(machines map[string]Machine) condition {
	m, there := machines[want.Name]
	switch {
	case !there:
		return absent
	case !m.Template || !m.isImage(want.Name):
		return foreign
	case want.made(m):
		return current
	}
	return older
}

// stagedState judges what has a name under which templates are made. What vCenter makes of an item cannot be marked
// before the call that makes it has returned: what a killed run left so is known by this name, which nobody gives, by
// our note, and by being neither a template nor on.
func (want Import) stagedState(machines map[string]Machine, name string) condition {
	m, there := machines[name]
	unmarked := m.Extra[markImage] == "" && m.Extra[markCluster] == "" && !m.Template && !m.On && strings.HasPrefix(m.Note, noteHalf)
	switch {
	case !there:
		return absent
	case m.Template && m.isImage(want.Name) && want.made(m):
		return current
	case m.isImage(want.Name) || unmarked:
		return half
	}
	return foreign
}

// made says whether a template of ours is the one that is wanted.
func (want Import) made(m Machine) bool {
	return m.Extra[markImage] == want.Image.Digest && (!want.Linked || m.snapshot != nil)
}

// isImage says whether the machine was made of an image to become the template of this name. Clones of it, whoever made
// them, have another name or a node.
func (m Machine) isImage(name string) bool {
	made := m.Extra[markMachine]
	return m.Extra[markImage] != "" && m.Extra[markNode] == "" && (made == name || made == "") // "": by an older slipway
}

// NewImportPlan decides what leads to the template: the item is uploaded and a template made of it under another name;
// then what they replace goes, and they take its place. A name that is taken by what is not ours is refused, and another
// image of ours unless it is to be replaced.
func NewImportPlan(want Import, shelf Shelf, machines map[string]Machine) (Plan, error) {
	template := want.templateState(machines)
	item := itemState(shelf, want.Name, want.Image.Digest)
	if want.Method == ByNFC || template == current && item == absent { // the item is not needed any longer
		item = current
	}
	if err := want.mayReplace("item", item); err != nil {
		return nil, err
	}
	if err := want.mayReplace("template", template); err != nil {
		return nil, err
	}
	upload, err := want.uploading(shelf, item)
	if err != nil {
		return nil, err
	}
	build, err := want.building(machines, template)
	if err != nil {
		return nil, err
	}
	return append(append(upload, build...), want.swapping(item, template)...), nil
}

// uploading gets the item to where it is staged, and drops what is there without need.
func (want Import) uploading(shelf Shelf, item condition) (p Plan, err error) {
	if want.Method == ByNFC {
		return nil, nil
	}
	if shelf.LibraryID == "" && item != current {
		p = append(p, Action{MakeLibrary, want.Library, "", -1})
	}
	for _, name := range otherImages(want, shelf.Items) {
		if state := itemState(shelf, name, want.Image.Digest); state == older || state == half {
			p = append(p, Action{DropItem, want.shelved(name), "an earlier run left it", -1})
		}
	}
	on := want.shelved(want.staged())
	state := itemState(shelf, want.staged(), want.Image.Digest)
	switch {
	case state == foreign:
		return nil, want.taken(want.staged(), "item")
	case state == current && item != current:
		return append(p, Action{Keep, on, "this image was uploaded by an earlier run", -1}), nil
	case state != absent:
		p = append(p, Action{DropItem, on, "an earlier run left it", -1})
	}
	if item == current {
		return p, nil
	}
	return append(p, Action{Upload, on, fmt.Sprintf("%d files, %d bytes", len(want.Image.Files), want.Image.Size()), -1}), nil
}

// building makes the template where it is staged.
func (want Import) building(machines map[string]Machine, template condition) (p Plan, err error) {
	for _, name := range otherImages(want, machines) {
		if want.stagedState(machines, name) == half {
			p = append(p, Action{DropTemplate, name, "an earlier run left it", -1})
		}
	}
	state := want.stagedState(machines, want.staged())
	switch {
	case state == foreign:
		return nil, want.taken(want.staged(), "machine")
	case state == current && template != current:
		return append(p, Action{Keep, want.staged(), "this template was made by an earlier run", -1}), nil
	case state != absent:
		p = append(p, Action{DropTemplate, want.staged(), "an earlier run left it", -1})
	}
	if template == current {
		return append(p, Action{Keep, want.Name, "the template is of this image", -1}), nil
	}
	if old := machines[want.Name]; template == older {
		if err := old.noLinked(machines); err != nil {
			return nil, err
		}
	}
	how := "from the item"
	if want.Method == ByNFC {
		how = fmt.Sprintf("%d bytes, straight to a host", want.Image.Size())
	}
	return append(p, Action{MakeTemplate, want.staged(), how, -1}), nil
}

// swapping puts what is staged in place of what it replaces.
func (want Import) swapping(item, template condition) (p Plan) {
	if template != current {
		if template != absent {
			p = append(p, Action{DropTemplate, want.Name, "", -1})
		}
		p = append(p, Action{RenameTemplate, want.staged(), "to " + want.Name, -1})
	}
	if item != current {
		if item != absent {
			p = append(p, Action{DropItem, want.shelved(want.Name), "", -1})
		}
		p = append(p, Action{RenameItem, want.shelved(want.staged()), "to " + want.Name, -1})
	}
	return p
}

func (want Import) mayReplace(what string, state condition) error {
	switch {
	case state == foreign:
		return want.taken(want.Name, what)
	case state == older && !want.Replace && what == "template" && want.Linked:
		return fmt.Errorf("importing: the template %q is of another image, or has no snapshot for linked clones\nhint: --replace drops it when the new one is whole", want.Name)
	case state == older && !want.Replace:
		return fmt.Errorf("importing: the %s %q is of another image\nhint: --replace drops it when the new one is whole; machines that were cloned from it stay as they are", what, want.Name)
	}
	return nil
}

func (want Import) taken(name, what string) error {
	return fmt.Errorf("importing: the name %q is taken: the %s that has it was not made by slipway\nhint: choose another one under vsphere.template", name, what)
}
