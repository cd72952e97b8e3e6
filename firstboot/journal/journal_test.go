package journal

import (
	"encoding/json"
	"errors"
	"io/fs"
	"testing"
	"time"
)

// memory is a file system of one file.
type memory struct {
	data []byte
	fail error
}

func (m *memory) ReadFile(string) ([]byte, error) {
	if m.data == nil {
		return nil, fs.ErrNotExist
	}
	return m.data, nil
}

func (m *memory) MkdirAll(string, fs.FileMode) error { return nil }

func (m *memory) WriteFile(_ string, data []byte, _ fs.FileMode) error {
	if m.fail != nil {
		return m.fail
	}
	m.data = data
	return nil
}

func TestUpdate(t *testing.T) {
	files := &memory{}
	s, err := Open(files)
	if err != nil {
		t.Fatal(err)
	}
	at := time.Date(2026, 6, 1, 0, 0, 0, 0, time.UTC)
	change := func(j *Journal) {
		j.Token, j.Formed, j.FormedAt = "demo/1", true, at
		j.Steps = append(j.Steps, Entry{"etcd", at})
	}
	files.fail = errors.New("disk full")
	if err := s.Update(change); !errors.Is(err, files.fail) || s.Get().Formed || s.Get().Has("etcd") {
		t.Fatalf("after a failed write: %v, %+v", err, s.Get())
	}
	files.fail = nil
	if err := s.Update(change); err != nil {
		t.Fatal(err)
	}
	again, err := Open(files)
	if err != nil {
		t.Fatal(err)
	}
	if j := again.Get(); !j.FormedAs("demo/1") || j.FormedAs("demo/2") || !j.Has("etcd") || j.Has("files") {
		t.Errorf("read back: %+v", j)
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
