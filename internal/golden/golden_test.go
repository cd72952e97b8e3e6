package golden

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestDiff(t *testing.T) {
	long := strings.Repeat("x\n", shown+2)
	for name, c := range map[string]struct{ want, got, diff string }{
		"changed":          {"a\nb\nc\n", "a\nB\nc\n", "-    2  b\n+    2  B\n"},
		"two places":       {"a\nb\nc\nd\n", "0\na\nb\nc\n", "+    1  0\n-    4  d\n"},
		"only want":        {"a\n", "", "-    1  a\n"},
		"only got":         {"", "a\nb\n", "+    1  a\n+    2  b\n"},
		"nothing common":   {"a\nb\n", "c\n", "-    1  a\n-    2  b\n+    1  c\n"},
		"end of the file":  {"a\nb\n", "a\nb", "-    2  b\n+    2  \"b\"\n"},
		"end of a line":    {"a \n", "a\n", "-    1  \"a \\n\"\n+    1  a\n"},
		"more than enough": {long, "", diff(strings.Repeat("x\n", shown), "") + "... and 2 more\n"},
	} {
		t.Run(name, func(t *testing.T) {
			if got := diff(c.want, c.got); got != c.diff {
				t.Errorf("got:\n%swant:\n%s", got, c.diff)
			}
		})
	}
}

// listener is a test that keeps its errors to itself.
type listener struct {
	testing.TB
	heard []string
}

func (l *listener) Helper() {}
func (l *listener) Errorf(format string, a ...any) {
	l.heard = append(l.heard, fmt.Sprintf(format, a...))
}

// heard runs a check of got, and gives its errors.
func heard(t *testing.T, rewrite bool, path, got string) string {
	t.Helper()
	defer func(was bool) { *update = was }(*update)
	*update = rewrite
	var l listener
	Check(&l, path, got)
	return strings.Join(l.heard, "\n")
}

func TestCheck(t *testing.T) {
	path := filepath.Join(t.TempDir(), "new", "folder", "golden.txt")
	const how = "go test ./internal/golden -update"
	for _, step := range []struct {
		name    string
		rewrite bool
		got     string
		want    []string // in the errors; none means no error
	}{
		{"missing", false, "a\n", []string{path + " does not exist\n", how}},
		{"rewritten", true, "a\n", nil},
		{"the same", false, "a\n", nil},
		{"another", false, "b\n", []string{path + " differs", "-    1  a\n+    1  b\n", how}},
	} {
		got := heard(t, step.rewrite, path, step.got)
		if len(step.want) == 0 && got != "" {
			t.Errorf("%s: %s", step.name, got)
		}
		for _, part := range step.want {
			if !strings.Contains(got, part) {
				t.Errorf("%s: got %q, want %q in it", step.name, got, part)
			}
		}
	}
	if data, err := os.ReadFile(path); err != nil || string(data) != "a\n" {
		t.Errorf("the file holds %q, %v", data, err)
	}
	if got := heard(t, true, filepath.Join(path, "below a file"), "a\n"); !strings.Contains(got, "rewriting a golden: ") {
		t.Errorf("a failed rewrite says %q", got)
	}
}
