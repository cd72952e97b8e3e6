package carried

import (
	"bytes"
	"compress/gzip"
	"testing"
	"testing/fstest"
)

func packed(t *testing.T, data string) []byte {
	t.Helper()
	var b bytes.Buffer
	w := gzip.NewWriter(&b)
	if _, err := w.Write([]byte(data)); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func TestProgram(t *testing.T) {
	whole := packed(t, "a program")
	files := fstest.MapFS{
		"whole.gz": {Data: whole},
		"cut.gz":   {Data: whole[:len(whole)-6]},
		"other.gz": {Data: []byte("no archive")},
	}
	if got, err := program(files, "whole.gz"); err != nil || string(got) != "a program" {
		t.Errorf("got %q, %v", got, err)
	}
	if got, err := program(files, "missing.gz"); err != nil || got != nil {
		t.Errorf("without one: %q, %v", got, err)
	}
	for _, name := range []string{"cut.gz", "other.gz"} {
		if got, err := program(files, name); err == nil {
			t.Errorf("%s: got %q and no error", name, got)
		}
	}
}
