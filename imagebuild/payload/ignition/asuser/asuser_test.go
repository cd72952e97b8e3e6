package as_user

import (
	"os"
	"os/user"
	"path/filepath"
	"strconv"
	"syscall"
	"testing"

	"slipway/internal/testtool"
)

// them is another user, if root may become one, or else the one who runs the test.
func them(t *testing.T) *user.User {
	t.Helper()
	if os.Getuid() != 0 {
		return &user.User{Uid: strconv.Itoa(os.Getuid()), Gid: strconv.Itoa(os.Getgid())}
	}
	return &user.User{Uid: "4711", Gid: "4712"}
}

func TestOwnerAndMode(t *testing.T) {
	u, home := them(t), t.TempDir()
	uid, _ := strconv.Atoi(u.Uid)
	gid, _ := strconv.Atoi(u.Gid)
	for _, dir := range []string{filepath.Dir(home), home} { // the way there must be open
		if err := os.Chmod(dir, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Chown(home, uid, gid); err != nil {
		t.Fatal(err)
	}
	before := syscall.Umask(0o022)
	defer syscall.Umask(before)
	keys := filepath.Join(home, ".ssh/deep/authorized_keys")
	if err := MkdirAll(u, filepath.Dir(keys), 0o777); err != nil {
		t.Fatal(err)
	}
	f, err := OpenFile(u, keys, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o666)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	for path, mode := range map[string]os.FileMode{keys: 0o600, filepath.Dir(keys): 0o700, filepath.Join(home, ".ssh"): 0o700} {
		info, err := os.Stat(path)
		if err != nil {
			t.Fatal(err)
		}
		owner := info.Sys().(*syscall.Stat_t)
		if info.Mode().Perm() != mode || int(owner.Uid) != uid || int(owner.Gid) != gid {
			t.Errorf("%s: %v of %d:%d", path, info.Mode(), owner.Uid, owner.Gid)
		}
	}
	if now := syscall.Umask(0o022); now != 0o022 {
		t.Errorf("the umask of the others is %o", now)
	}
}

// Root's powers do not go along: what the user's home leads to is written only if the user may.
func TestNoMoreThanTheUserMay(t *testing.T) {
	if os.Getuid() != 0 {
		testtool.Missing(t, "this is not root: only root can become another user")
	}
	u := them(t)
	secret := filepath.Join(t.TempDir(), "secret")
	if err := os.WriteFile(secret, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := OpenFile(u, secret, os.O_WRONLY, 0); !os.IsPermission(err) {
		t.Errorf("opened root's file: %v", err)
	}
	if err := MkdirAll(u, filepath.Join(filepath.Dir(secret), "a/b"), 0o700); !os.IsPermission(err) {
		t.Errorf("made a folder in root's: %v", err)
	}
	if f, err := os.OpenFile(secret, os.O_WRONLY, 0); err != nil { // and root is root again
		t.Error(err)
	} else {
		f.Close()
	}
}

func TestOddIDs(t *testing.T) {
	for _, u := range []*user.User{{Uid: "x", Gid: "1"}, {Uid: "1", Gid: ""}} {
		if _, err := OpenFile(u, "/dev/null", os.O_RDONLY, 0); err == nil {
			t.Errorf("%+v passed", u)
		}
	}
}
