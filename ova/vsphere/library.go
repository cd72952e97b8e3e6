package vsphere

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"time"

	"github.com/vmware/govmomi/vapi/library"
	"github.com/vmware/govmomi/vim25/soap"
)

// readShelf looks for a library and an item in it.
func (c *Client) readShelf(ctx context.Context, name, item string) (Shelf, error) {
	m := library.NewManager(c.rest)
	var s Shelf
	err := c.ask(ctx, func() error {
		s = Shelf{}
		libraries, err := m.FindLibrary(ctx, library.Find{Name: name})
		if err != nil || len(libraries) == 0 {
			return err
		}
		if len(libraries) > 1 {
			return fmt.Errorf("there are %d of this name", len(libraries))
		}
		s.LibraryID = libraries[0]
		items, err := m.FindLibraryItems(ctx, library.FindItem{LibraryID: s.LibraryID, Name: item})
		if err != nil || len(items) == 0 {
			return err
		}
		found, err := m.GetLibraryItem(ctx, items[0])
		if err != nil {
			return err
		}
		s.ItemID = found.ID
		if found.Description != nil {
			s.Note = *found.Description
		}
		return nil
	})
	if err != nil {
		return s, fmt.Errorf("looking into the content library %q: %w", name, err)
	}
	return s, nil
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

func (i *importing) dropItem(ctx context.Context, id string) error {
	return i.ask(ctx, func() error { return library.NewManager(i.rest).DeleteLibraryItem(ctx, &library.Item{ID: id}) })
}

// upload makes an item and sends the files into it. It is complete, with a note that says so, or gone.
func (i *importing) upload(ctx context.Context) error {
	m := library.NewManager(i.rest)
	note := halfNote(i.want.Image.Digest)
	item := library.Item{Name: i.want.Name, LibraryID: i.shelf.LibraryID, Type: library.ItemTypeOVF, Description: &note}
	err := i.create(ctx, func(ctx context.Context) (err error) {
		item.ID, err = m.CreateLibraryItem(ctx, item)
		return err
	})
	if err != nil {
		return fmt.Errorf("making the item: %w", err)
	}
	if err = i.fill(ctx, m, item.ID); err == nil {
		note = completeNote(i.want.Image.Digest)
		err = i.ask(ctx, func() error { return m.UpdateLibraryItem(ctx, &item) })
	}
	if err != nil {
		after, cancel := afterwards(ctx)
		defer cancel()
		if bad := i.dropItem(after, item.ID); bad != nil {
			return errors.Join(err, leftover{fmt.Errorf("removing the half item: %w", bad)})
		}
		return err
	}
	i.shelf.ItemID, i.made = item.ID, ""
	return nil
}

// fill sends all files in one session, which does not outlive it.
func (i *importing) fill(ctx context.Context, m *library.Manager, item string) (err error) {
	var session string
	err = i.create(ctx, func(ctx context.Context) (err error) {
		session, err = m.CreateLibraryItemUpdateSession(ctx, library.Session{LibraryItemID: item})
		return err
	})
	if err != nil {
		return fmt.Errorf("beginning: %w", err)
	}
	ctx, stop := context.WithCancel(ctx)
	alive := make(chan struct{})
	go func() { defer close(alive); i.keepAlive(ctx, m, session) }()
	defer func() {
		stop()
		<-alive
		err = errors.Join(err, i.endSession(ctx, m, session, err != nil))
	}()
	i.Progress.Begin("upload")
	var before int64
	for _, f := range i.want.Image.Files {
		moved := func(n int64) { i.Progress.Bytes(before+n, i.want.Image.Size()) }
		if err := i.sendFile(ctx, m, session, f.send(moved)); err != nil {
			return fmt.Errorf("%q: %w", f.Name, err)
		}
		before += f.Size
	}
	if err := i.ask(ctx, func() error { return m.CompleteLibraryItemUpdateSession(ctx, session) }); err != nil {
		return fmt.Errorf("completing: %w", err)
	}
	if err := i.settle(ctx, m, session); err != nil {
		return err
	}
	i.Progress.End("upload", fmt.Sprintf("%s, %d bytes", i.want.Name, i.want.Image.Size()), false)
	return nil
}

// sendFile announces a file with its digest and sends it.
func (i *importing) sendFile(ctx context.Context, m *library.Manager, session string, s *sent) error {
	var file *library.UpdateFile
	err := i.ask(ctx, func() (err error) {
		file, err = m.AddLibraryItemFile(ctx, session, library.UpdateFile{
			Name: s.file.Name, Size: s.file.Size, SourceType: "PUSH",
			Checksum: &library.Checksum{Algorithm: "SHA256", Checksum: s.file.SHA256},
		})
		return err
	})
	if err != nil {
		return err
	}
	if file.UploadEndpoint == nil {
		return errors.New("vCenter does not say where to send it")
	}
	u, err := url.Parse(file.UploadEndpoint.URI)
	if err != nil {
		return err
	}
	p := soap.DefaultUpload
	p.ContentLength = s.file.Size
	if err := i.rest.Upload(ctx, s, u, &p); err != nil {
		return err
	}
	return s.check()
}

// settle waits until vCenter has taken what was sent. It is now that it compares digests.
func (i *importing) settle(ctx context.Context, m *library.Manager, session string) error {
	for {
		var s *library.Session
		err := i.ask(ctx, func() (err error) {
			s, err = m.GetLibraryItemUpdateSession(ctx, session)
			return err
		})
		switch {
		case err != nil:
			return fmt.Errorf("looking at the upload: %w", err)
		case s.State == "DONE":
			return nil
		case s.State != "ACTIVE" && s.ErrorMessage != nil:
			return &TaskError{Words: s.ErrorMessage.DefaultMessage}
		case s.State != "ACTIVE":
			return &TaskError{Words: "the upload is " + s.State}
		}
		if err := pause(ctx, i.Pause); err != nil {
			return err
		}
	}
}

// keepAlive tells vCenter from time to time that the session is in use.
func (i *importing) keepAlive(ctx context.Context, m *library.Manager, session string) {
	for pause(ctx, time.Minute) == nil {
		_ = i.ask(ctx, func() error { return m.KeepAliveLibraryItemUpdateSession(ctx, session) }) // a session that is lost shows at the next file
	}
}

// endSession removes a session; one that failed is called off first. vCenter may have removed it already.
func (i *importing) endSession(ctx context.Context, m *library.Manager, session string, failed bool) error {
	after, cancel := afterwards(ctx)
	defer cancel()
	if failed {
		_ = i.ask(after, func() error { return m.CancelLibraryItemUpdateSession(after, session) })
	}
	var gone bool
	err := i.ask(after, func() error {
		err := m.DeleteLibraryItemUpdateSession(after, session)
		gone = missing(err)
		return err
	})
	if err != nil && !gone {
		return leftover{fmt.Errorf("removing the upload session: %w", err)}
	}
	return nil
}
