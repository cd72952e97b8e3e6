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

// upload makes an item and sends the files into it. It is complete, with a note that says so, or gone.
func (i *importing) upload(ctx context.Context) error {
	note := halfNote(i.want.Image.Digest)
	item := library.Item{Name: i.want.staged(), LibraryID: i.shelf.LibraryID, Type: library.ItemTypeOVF, Description: &note}
	err := i.create(ctx, func(ctx context.Context) (err error) {
		item.ID, err = library.NewManager(i.rest).CreateLibraryItem(ctx, item)
		return err
	})
	if err != nil {
		return fmt.Errorf("making the item: %w", err)
	}
	if err = i.fill(ctx, item.ID); err == nil {
		err = i.changeItem(ctx, item.ID, "", completeNote(i.want.Image.Digest))
	}
	if err != nil {
		after, cancel := i.afterwards(ctx)
		defer cancel()
		if bad := i.dropItem(after, item.ID); bad != nil {
			return errors.Join(err, leftover{fmt.Errorf("removing the half item: %w", bad)})
		}
		return err
	}
	i.shelf.Items[item.Name], i.made = Item{ID: item.ID}, ""
	return nil
}

// fill sends all files in one session.
func (i *importing) fill(ctx context.Context, item string) error {
	m := library.NewManager(i.rest)
	s := uploading{Client: i.Client, m: m}
	err := i.create(ctx, func(ctx context.Context) (err error) {
		s.id, err = m.CreateLibraryItemUpdateSession(ctx, library.Session{LibraryItemID: item})
		return err
	})
	if err != nil {
		return fmt.Errorf("beginning: %w", err)
	}
	i.Progress.Begin("upload")
	err = s.whileAlive(ctx, func(ctx context.Context) error { return s.send(ctx, i.want.Image) })
	if err = errors.Join(err, s.end(ctx, err != nil)); err != nil {
		return err
	}
	i.Progress.End("upload", fmt.Sprintf("%s, %d bytes", i.want.Name, i.want.Image.Size()), false)
	return nil
}

// uploading is a session in which an item gets its files.
type uploading struct {
	*Client
	m  *library.Manager
	id string
}

// whileAlive does work and tells vCenter meanwhile, from time to time, that the session is in use.
func (s uploading) whileAlive(ctx context.Context, work func(context.Context) error) error {
	ctx, stop := context.WithCancel(ctx)
	over := make(chan struct{})
	go func() {
		defer close(over)
		for pause(ctx, time.Minute) == nil {
			_ = s.ask(ctx, func() error { return s.m.KeepAliveLibraryItemUpdateSession(ctx, s.id) }) // a session that is lost shows at the next file
		}
	}()
	defer func() { stop(); <-over }()
	return work(ctx)
}

// send sends the files of an image, and waits until vCenter has taken them.
func (s uploading) send(ctx context.Context, img Image) error {
	var before int64
	for _, f := range img.Files {
		moved := func(n int64) { s.Progress.Bytes(before+n, img.Size()) }
		if err := s.sendFile(ctx, f.send(moved)); err != nil {
			return fmt.Errorf("%q: %w", f.Name, err)
		}
		before += f.Size
	}
	if err := s.ask(ctx, func() error { return s.m.CompleteLibraryItemUpdateSession(ctx, s.id) }); err != nil {
		return fmt.Errorf("completing: %w", err)
	}
	return s.settle(ctx)
}

// sendFile announces a file with its digest and sends it.
func (s uploading) sendFile(ctx context.Context, f *sent) error {
	var told *library.UpdateFile
	err := s.ask(ctx, func() (err error) {
		told, err = s.m.AddLibraryItemFile(ctx, s.id, library.UpdateFile{
			Name: f.file.Name, Size: f.file.Size, SourceType: "PUSH",
			Checksum: &library.Checksum{Algorithm: "SHA256", Checksum: f.file.SHA256},
		})
		return err
	})
	if err != nil {
		return err
	}
	if told.UploadEndpoint == nil {
		return errors.New("vCenter does not say where to send it")
	}
	u, err := url.Parse(told.UploadEndpoint.URI)
	if err != nil {
		return err
	}
	p := soap.DefaultUpload
	p.ContentLength = f.file.Size
	if err := s.rest.Upload(ctx, f, u, &p); err != nil {
		return err
	}
	return f.check()
}

// settle waits until vCenter has taken what was sent. It is now that it compares digests.
func (s uploading) settle(ctx context.Context) error {
	for {
		var now *library.Session
		err := s.ask(ctx, func() (err error) {
			now, err = s.m.GetLibraryItemUpdateSession(ctx, s.id)
			return err
		})
		switch {
		case err != nil:
			return fmt.Errorf("looking at the upload: %w", err)
		case now.State == "DONE":
			return nil
		case now.State != "ACTIVE" && now.ErrorMessage != nil:
			return &TaskError{Words: now.ErrorMessage.DefaultMessage}
		case now.State != "ACTIVE":
			return &TaskError{Words: "the upload is " + now.State}
		}
		if err := pause(ctx, s.Pause); err != nil {
			return err
		}
	}
}

// end removes the session; one that failed is called off first. vCenter may have removed it already.
func (s uploading) end(ctx context.Context, failed bool) error {
	after, cancel := s.afterwards(ctx)
	defer cancel()
	if failed {
		_ = s.ask(after, func() error { return s.m.CancelLibraryItemUpdateSession(after, s.id) })
	}
	var gone bool
	err := s.ask(after, func() error {
		err := s.m.DeleteLibraryItemUpdateSession(after, s.id)
		gone = missing(err)
		return err
	})
	if err != nil && !gone {
		return leftover{fmt.Errorf("removing the upload session: %w", err)}
	}
	return nil
}
