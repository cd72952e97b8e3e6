package journal

import (
	"errors"
	"fmt"
	"io/fs"
	"slices"
)

// asidePrefix begins the names of journals that could not be read; a number follows.
const asidePrefix = Path + ".unreadable-"

// Open reads the journal; a missing file is an empty journal. One that cannot be read is put aside, and the Store then
// says that what was known of the cluster of token is lost. The Store is never nil: an error says that this could not be
// made durable, or what was put aside, and for either the node can still tell its status.
func Open(files FS, token string) (*Store, error) {
	s := &Store{fs: files, now: Journal{Version: version}}
	data, err := files.ReadFile(Path)
	if errors.Is(err, fs.ErrNotExist) {
		return s, s.resume(token)
	}
	if err == nil {
		s.now, err = Parse(data)
	}
	if err == nil {
		return s, nil
	}
	return s, s.quarantine(token, fmt.Errorf("reading %s: %w", Path, err))
}

// resume looks whether a journal was put aside and no new one begun: power may have failed in between.
func (s *Store) resume(token string) error {
	aside, err := s.fs.Glob(asidePrefix + "*")
	if err != nil || len(aside) > 0 {
		return errors.Join(err, s.lose(token))
	}
	return nil
}

// quarantine puts the file aside and begins a journal that knows of the loss.
func (s *Store) quarantine(token string, cause error) error {
	aside, err := s.fs.Glob(asidePrefix + "*")
	name := ""
	for i := 1; name == "" || slices.Contains(aside, name); i++ {
		name = fmt.Sprint(asidePrefix, i)
	}
	if err == nil {
		err = s.fs.Rename(Path, name)
	}
	if err != nil {
		s.now = lost(token)
		return errors.Join(cause, fmt.Errorf("putting the journal aside: %w", err))
	}
	return errors.Join(fmt.Errorf("%w\nit is kept as %s", cause, name), s.lose(token))
}

// lose begins a journal that knows of the loss, in memory at least.
func (s *Store) lose(token string) error {
	err := s.Update(func(j *Journal) { *j = lost(token) })
	s.now = lost(token)
	return err
}

func lost(token string) Journal { return Journal{Version: version, Token: token, Lost: true} }
