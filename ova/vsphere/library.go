package vsphere

import (
	"context"
	"fmt"
	"strings"

	"github.com/vmware/govmomi/vapi/library"
)

// readShelf looks for a library, and for the items in it whose names matter.
func (c *Client) readShelf(ctx context.Context, name string, matters func(item string) bool) (Shelf, error) {
	m := library.NewManager(c.rest)
	s := Shelf{Items: map[string]Item{}}
	err := c.ask(ctx, func() error {
		ids, err := m.FindLibrary(ctx, library.Find{Name: name})
		if err == nil && len(ids) > 1 {
			err = fmt.Errorf("there are %d of this name", len(ids))
		}
		if err == nil && len(ids) == 1 {
			s.LibraryID = ids[0]
		}
		return err
	})
	var ids []string
	if err == nil && s.LibraryID != "" {
		err = c.ask(ctx, func() (err error) {
			ids, err = m.ListLibraryItems(ctx, s.LibraryID)
			return err
		})
	}
	for _, id := range ids {
		if err == nil {
			err = c.ask(ctx, func() error { return s.take(ctx, m, id, matters) })
		}
	}
	if err != nil {
		return s, fmt.Errorf("looking into the content library %q: %w", name, err)
	}
	return s, nil
}

// take puts an item on the shelf if its name matters. Names are unique in a library.
func (s Shelf) take(ctx context.Context, m *library.Manager, id string, matters func(item string) bool) error {
	found, err := m.GetLibraryItem(ctx, id)
	if missing(err) { // somebody deleted it meanwhile
		return nil
	}
	if err != nil || !matters(found.Name) {
		return err
	}
	item := Item{ID: found.ID}
	if found.Description != nil {
		item.Note = *found.Description
	}
	s.Items[found.Name] = item
	return nil
}

func (i *importing) makeLibrary(ctx context.Context) error {
	note := "Made by slipway"
	return i.create(ctx, func(ctx context.Context) (err error) {
		i.shelf.LibraryID, err = library.NewManager(i.rest).CreateLibrary(ctx, library.Library{
			Name: i.want.Library, Type: "LOCAL", Description: &note,
			Storage: []library.StorageBacking{{DatastoreID: i.site.datastore.Reference().Value, Type: "DATASTORE"}},
		})
		i.made = i.shelf.LibraryID
		return err
	})
}

// dropLibrary removes the library that this run made for nothing.
func (i *importing) dropLibrary(ctx context.Context) error {
	if i.made == "" {
		return nil
	}
	after, cancel := i.afterwards(ctx)
	defer cancel()
	err := i.ask(after, func() error {
		return library.NewManager(i.rest).DeleteLibrary(after, &library.Library{ID: i.made, Type: "LOCAL"})
	})
	if err != nil {
		return leftover{fmt.Errorf("removing the library: %w", err)}
	}
	return nil
}

// item is the name of the one that an action is about.
func (i *importing) item(a Action) string { return strings.TrimPrefix(a.On, i.want.shelved("")) }

func (i *importing) dropItem(ctx context.Context, id string) error {
	return i.ask(ctx, func() error { return library.NewManager(i.rest).DeleteLibraryItem(ctx, &library.Item{ID: id}) })
}

// changeItem renames an item, or notes something about it; "" is for no change.
func (i *importing) changeItem(ctx context.Context, id, name, note string) error {
	change := library.Item{ID: id, Name: name}
	if note != "" {
		change.Description = &note
	}
	return i.ask(ctx, func() error { return library.NewManager(i.rest).UpdateLibraryItem(ctx, &change) })
}
