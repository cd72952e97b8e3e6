package vsphere

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/vmware/govmomi/property"
	"github.com/vmware/govmomi/view"
	"github.com/vmware/govmomi/vim25/types"
)

// entity is something of vCenter's inventory.
type entity struct {
	ref  types.ManagedObjectReference
	path string // below where it was looked for: folders and name, with slashes between
}

func (e entity) name() string { return e.path[strings.LastIndexByte(e.path, '/')+1:] }

// uplinks tags port groups that no machine can use.
const uplinks = "SYSTEM/DVS.UPLINKPG"

// entities lists what there is of some kinds below a folder, however deep, sorted by path.
func (c *Client) entities(ctx context.Context, below types.ManagedObjectReference, kinds ...string) (all []entity, err error) {
	v, err := view.NewManager(c.vim).CreateContainerView(ctx, below, append([]string{"Folder"}, kinds...), true)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, v.Destroy(context.WithoutCancel(ctx))) }()
	found, err := c.retrieve(ctx, v.Reference(), "view", types.PropertySpec{Type: "ManagedEntity", PathSet: []string{"name", "parent", "tag"}})
	if err != nil {
		return nil, err
	}
	byRef := map[types.ManagedObjectReference]node{}
	for _, o := range found {
		byRef[o.Obj] = newNode(o)
	}
	for ref, n := range byRef {
		if slices.Contains(kinds, ref.Type) && !n.uplink {
			all = append(all, entity{ref, n.path(byRef)})
		}
	}
	slices.SortFunc(all, func(a, b entity) int { return strings.Compare(a.path+" "+a.ref.Value, b.path+" "+b.ref.Value) })
	return all, nil
}

// node is an entity as vCenter tells of it.
type node struct {
	name   string
	parent types.ManagedObjectReference
	uplink bool
}

func newNode(o types.ObjectContent) (n node) {
	for _, p := range o.PropSet {
		switch v := p.Val.(type) {
		case string:
			n.name = v
		case types.ManagedObjectReference:
			n.parent = v
		case types.ArrayOfTag:
			n.uplink = slices.ContainsFunc(v.Tag, func(t types.Tag) bool { return t.Key == uplinks })
		}
	}
	return n
}

// path is that below the last folder that is known.
func (n node) path(byRef map[types.ManagedObjectReference]node) string {
	path := n.name
	for parent, known := byRef[n.parent]; known; parent, known = byRef[parent.parent] {
		path = parent.name + "/" + path
	}
	return path
}

// retrieve reads properties of what a property of an object refers to.
func (c *Client) retrieve(ctx context.Context, of types.ManagedObjectReference, refers string, spec types.PropertySpec) ([]types.ObjectContent, error) {
	res, err := property.DefaultCollector(c.vim).RetrieveProperties(ctx, types.RetrieveProperties{SpecSet: []types.PropertyFilterSpec{{
		ObjectSet: []types.ObjectSpec{{Obj: of, Skip: types.NewBool(true), SelectSet: []types.BaseSelectionSpec{
			&types.TraversalSpec{Type: of.Type, Path: refers},
		}}},
		PropSet: []types.PropertySpec{spec},
	}}})
	if err != nil {
		return nil, err
	}
	return res.Returnval, nil
}

// choose picks the one that is meant: by its path, from the root of the inventory or below the folder that the paths of
// all begin at; else by name, else by vCenter's own id; "" means the only one there is.
func choose(what, name, root string, all []entity) (entity, error) {
	for _, means := range []func(entity) bool{
		func(e entity) bool {
			return name == "" || strings.Contains(name, "/") && (same(e.path, name) || same(root+e.path, name))
		},
		func(e entity) bool { return same(e.name(), name) },
		func(e entity) bool { return e.ref.Value == name },
	} {
		fit := slices.DeleteFunc(slices.Clone(all), func(e entity) bool { return !means(e) })
		switch {
		case len(fit) == 1:
			return fit[0], nil
		case len(fit) > 1:
			return entity{}, ambiguous(what, name, root, fit)
		}
	}
	if name == "" {
		return entity{}, fmt.Errorf("choosing the %s: there is none", what)
	}
	return entity{}, fmt.Errorf("finding the %s %q: it is not there, or the user of GOVC_USERNAME may not see it", what, name)
}

// same compares two names or paths: vCenter's inventory writes some characters in another way than hosts and people do.
func same(a, b string) bool { return a == b || plainName.Replace(a) == plainName.Replace(b) }

// ambiguous lists what may be meant, as it can be written into the spec.
func ambiguous(what, name, root string, fit []entity) error {
	var lines []string
	for _, e := range fit {
		lines = append(lines, fmt.Sprintf("  %s%s (%s)", root, e.path, e.ref.Value))
	}
	meant := "there is more than one"
	if name != "" {
		meant = fmt.Sprintf("%q may mean more than one", name)
	}
	return fmt.Errorf("choosing the %s: %s:\n%s\nhint: say which under vsphere.%s of the spec, by its path or by the id in brackets", what, meant, strings.Join(lines, "\n"), what)
}
