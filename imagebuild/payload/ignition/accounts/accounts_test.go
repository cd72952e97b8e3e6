package accounts

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func write(t *testing.T, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestFind(t *testing.T) {
	passwd := write(t, "root:x:0:0:root:/root:/bin/sh\nbroken:x:1\ncore:x:1000:1001:A B,,:/home/core:\ncore:x:7:7::/:/\nodd:x:a:b::/:/\n")
	if u, err := FindUser(passwd, "core"); err != nil || *u != (User{Name: "core", Home: "/home/core", UID: 1000, GID: 1001}) {
		t.Errorf("%+v %v", u, err)
	}
	group := write(t, "wheel:x:10:"+strings.Repeat("member,", 20_000)+"\nusers:x:100:\n")
	if g, err := FindGroup(group, "users"); err != nil || *g != (Group{Name: "users", GID: 100}) {
		t.Errorf("%+v %v", g, err)
	}
	for _, name := range []string{"broken", "nobody", ""} {
		if u, err := FindUser(passwd, name); u != nil || err != nil {
			t.Errorf("%q: %+v %v", name, u, err)
		}
	}
	if u, err := FindUser(passwd, "odd"); err == nil || u != nil || !strings.Contains(err.Error(), `the ids of "odd"`) {
		t.Errorf("%+v %v", u, err)
	}
	if u, err := FindUser(filepath.Join(t.TempDir(), "none"), "core"); u != nil || err != nil {
		t.Errorf("no file: %+v %v", u, err)
	}
	if _, err := FindGroup(t.TempDir(), "users"); err == nil {
		t.Error("a folder passed for a file")
	}
}

// The machine that runs the test knows root by both.
func TestOwnRoot(t *testing.T) {
	u, err := FindUser("/etc/passwd", "root")
	if err != nil || u == nil || u.UID != 0 || u.GID != 0 {
		t.Errorf("%+v %v", u, err)
	}
	if g, err := FindGroup("/etc/group", "root"); err != nil || g == nil || g.GID != 0 {
		t.Errorf("%+v %v", g, err)
	}
}
