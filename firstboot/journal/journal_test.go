package journal

import (
	"encoding/json"
	"errors"
	"io/fs"
	"path"
	"slices"
	"strings"
	"testing"
	"time"
)

// memory is a file system without folders. failAt is the number of the change that fails, with everything after it.
type memory struct {
	files           map[string]string
	readErr         error
	changes, failAt int
}

var errDisk = errors.New("disk full")

func (m *memory) change(do func()) error {
	m.changes++
	if m.failAt > 0 && m.changes >= m.failAt {
		return errDisk
	}
	do()
	return nil
}

func (m *memory) ReadFile(name string) ([]byte, error) {
	if m.readErr != nil {
		return nil, m.readErr
	}
	data, ok := m.files[name]
	if !ok {
		return nil, fs.ErrNotExist
	}
	return []byte(data), nil
}

func (m *memory) Glob(pattern string) ([]string, error) {
	var found []string
	for name := range m.files {
		if ok, err := path.Match(pattern, name); ok && err == nil {
			found = append(found, name)
		}
	}
	slices.Sort(found)
	return found, nil
}

func (m *memory) MkdirAll(string, fs.FileMode) error { return nil }

func (m *memory) WriteFile(name string, data []byte, _ fs.FileMode) error {
	return m.change(func() { m.files[name] = string(data) })
}

func (m *memory) Rename(from, to string) error {
	return m.change(func() {
		m.files[to] = m.files[from]
		delete(m.files, from)
	})
}

func TestUpdate(t *testing.T) {
	files := &memory{files: map[string]string{}}
	s, err := Open(files, "demo/1")
	if err != nil {
		t.Fatal(err)
	}
	at := time.Date(2026, 6, 1, 0, 0, 0, 0, time.UTC)
	change := func(j *Journal) {
		j.Token, j.Formed, j.FormedAt = "demo/1", true, at
		j.Steps = append(j.Steps, Entry{"etcd", at})
	}
	files.failAt = 1
	if err := s.Update(change); !errors.Is(err, errDisk) || s.Get().Formed || s.Get().Has("etcd") {
		t.Fatalf("after a failed write: %v, %+v", err, s.Get())
	}
	files.failAt = 0
	if err := s.Update(change); err != nil {
		t.Fatal(err)
	}
	again, err := Open(files, "demo/1")
	if err != nil {
		t.Fatal(err)
	}
	if j := again.Get(); !j.FormedAs("demo/1") || j.FormedAs("demo/2") || !j.Has("etcd") || j.Has("files") {
		t.Errorf("read back: %+v", j)
	}
}

// TestQuarantine: what cannot be read is kept under another name, and the journal knows for good that something was lost,
// for this cluster and no other.
func TestQuarantine(t *testing.T) {
	for name, text := range map[string]string{"cut off": `{"version":1,"formed":`, "newer": `{"version":2,"formed":true,"token":"demo/1"}`, "empty": ``} {
		files := &memory{files: map[string]string{Path: text, Path + ".unreadable-1": "of an earlier time"}}
		s, err := Open(files, "demo/1")
		if err == nil || !strings.Contains(err.Error(), Path+".unreadable-2") {
			t.Errorf("%s: error %v", name, err)
		}
		if kept := files.files[Path+".unreadable-2"]; kept != text || files.files[Path+".unreadable-1"] != "of an earlier time" {
			t.Errorf("%s: kept %q", name, kept)
		}
		again, err := Open(files, "demo/1")
		if err != nil {
			t.Errorf("%s: the next time: %v", name, err)
		}
		for _, j := range []Journal{s.Get(), again.Get()} {
			if !j.LostAs("demo/1") || j.LostAs("demo/2") || j.FormedAs("demo/1") {
				t.Errorf("%s: %+v", name, j)
			}
		}
	}
}

// TestQuarantineCutOff stops the quarantine before each of its changes: at no moment is there an empty journal, and the
// next start ends as an undisturbed one.
func TestQuarantineCutOff(t *testing.T) {
	for failAt := 1; failAt <= 2; failAt++ {
		files := &memory{files: map[string]string{Path: "?"}, failAt: failAt}
		if s, err := Open(files, "demo/1"); !errors.Is(err, errDisk) || !s.Get().LostAs("demo/1") {
			t.Errorf("cut off at change %d: %v, %+v", failAt, err, s.Get())
		}
		files.failAt = 0
		if s, _ := Open(files, "demo/1"); !s.Get().LostAs("demo/1") || files.files[Path+".unreadable-1"] != "?" {
			t.Errorf("after change %d: %+v, %q", failAt, s.Get(), files.files)
		}
		if s, err := Open(files, "demo/1"); err != nil || !s.Get().LostAs("demo/1") {
			t.Errorf("after change %d, once more: %v", failAt, err)
		}
	}
}

// TestBadDisk: a journal that the disk does not give is not an empty one either.
func TestBadDisk(t *testing.T) {
	files := &memory{files: map[string]string{Path: `{"version":1,"formed":false}`}, readErr: errors.New("input/output error"), failAt: 1}
	if s, err := Open(files, "demo/1"); !errors.Is(err, files.readErr) || !errors.Is(err, errDisk) || !s.Get().LostAs("demo/1") {
		t.Errorf("%v, %+v", err, s.Get())
	}
}

func TestParseRefuses(t *testing.T) {
	for name, text := range map[string]string{
		"empty":          ``,
		"cut off":        `{"version":1,"formed":`,
		"other version":  `{"version":2,"formed":false}`,
		"unknown key":    `{"version":1,"formed":false,"x":1}`,
		"two documents":  `{"version":1,"formed":false}{}`,
		"formed as what": `{"version":1,"formed":true}`,
		"lost of what":   `{"version":1,"formed":false,"lost":true}`,
		"memory of what": `{"version":1,"formed":false,"memory":{"formedBy":"lb1"}}`,
	} {
		if j, err := Parse([]byte(text)); err == nil {
			t.Errorf("%s: parsed as %+v", name, j)
		}
	}
}

// FuzzParse: what is accepted is written and read back as the same.
func FuzzParse(f *testing.F) {
	f.Add([]byte(`{"version":1,"token":"demo/1","started":"new","formed":true,"formedAt":"2026-06-01T00:00:00Z","steps":[{"step":"etcd","at":"2026-06-01T00:00:00Z"}]}`))
	f.Add([]byte(`{"version":1,"formed":false}`))
	f.Add([]byte(`{"version":1,"formed":false,"memory":{"token":"demo/1","started":{"cp1":["00112233445566778899aabbccddeeff"]},"formedBy":"lb1"}}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		j, err := Parse(data)
		if err != nil {
			return
		}
		text, err := json.Marshal(j)
		if err != nil {
			return // a time that JSON cannot hold is not one that slipwayd wrote
		}
		again, err := Parse(text)
		if err != nil || again.Token != j.Token || again.Formed != j.Formed || len(again.Steps) != len(j.Steps) {
			t.Errorf("%+v read back as %+v, %v", j, again, err)
		}
	})
}
