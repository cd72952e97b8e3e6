// Package golden compares what a test made with a file in the repository, and rewrites the file under the flag -update,
// which it alone registers. Start with Check; ask Update only where another tool does the rewriting. How the text is made
// (a listing, a txtar archive) stays with the test. It is for tests alone: package housetest keeps it out of programs.
package golden

import (
	"errors"
	"flag"
	"io/fs"
	"os"
	"path/filepath"
	"runtime/debug"
	"strings"
	"testing"
)

var update = flag.Bool("update", false, "rewrite golden files and whatever else tests keep up to date")

// Update says whether this run rewrites golden files.
func Update() bool { return *update }

// Check fails the test, which goes on, unless the file at path holds exactly got. Under -update it writes the file instead,
// and makes its folders.
func Check[T ~string | ~[]byte](t testing.TB, path string, got T) {
	t.Helper()
	if *update {
		if err := write(path, []byte(got)); err != nil {
			t.Errorf("rewriting a golden: %v", err)
		}
		return
	}
	want, err := os.ReadFile(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		t.Errorf("%s does not exist\n%s", path, hint())
	case err != nil:
		t.Errorf("reading a golden: %v", err)
	case string(want) != string(got):
		t.Errorf("%s differs (-want +got, by line):\n%s%s", path, diff(string(want), string(got)), hint())
	}
}

func write(path string, data []byte) error {
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return err
	}
	return os.WriteFile(path, data, 0o644)
}

// hint is the command that rewrites the goldens of the package under test.
func hint() string {
	folder := ""
	if b, ok := debug.ReadBuildInfo(); ok { // its path is slipway/kernel.test in the tests of slipway/kernel
		folder = strings.TrimSuffix(strings.TrimPrefix(b.Path, b.Main.Path), ".test")
	}
	return "hint: if that is meant, go test ." + folder + " -update"
}
