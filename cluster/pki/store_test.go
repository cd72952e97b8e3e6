package pki

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"filippo.io/age"
)

func TestDirModesAndPermissions(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "secrets")
	d, err := CreateDir(dir, nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	set := mustIssue(t, mustInit(t, d), inventory())
	if err := set.Save(); err != nil {
		t.Fatal(err)
	}
	filepath.WalkDir(dir, func(path string, e fs.DirEntry, err error) error {
		info, _ := e.Info()
		want := fs.FileMode(0o600)
		if e.IsDir() {
			want = 0o700
		}
		if err != nil || info.Mode().Perm() != want {
			t.Errorf("%s: mode %o, want %o (%v)", path, info.Mode().Perm(), want, err)
		}
		return nil
	})
	var busy interface{ ExitCode() int }
	if _, err := OpenDir(dir, nil); !errors.As(err, &busy) || busy.ExitCode() != 4 {
		t.Errorf("a second process: %v", err)
	}
	if err := os.Chmod(filepath.Join(dir, "ca.key"), 0o644); err != nil {
		t.Fatal(err)
	}
	if _, err := d.Get("ca.key"); err == nil || !strings.Contains(err.Error(), "others can read it") {
		t.Errorf("a key that others can read: %v", err)
	}
}

func TestEncryptedStore(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "secrets")
	id, err := age.GenerateX25519Identity()
	if err != nil {
		t.Fatal(err)
	}
	d, err := CreateDir(dir, []string{id.Recipient().String()}, []age.Identity{id})
	if err != nil {
		t.Fatal(err)
	}
	if err := mustIssue(t, mustInit(t, d), inventory()).Save(); err != nil {
		t.Fatal(err)
	}
	d.Close()
	filepath.WalkDir(dir, func(path string, e fs.DirEntry, _ error) error {
		if data, _ := os.ReadFile(path); strings.Contains(string(data), "PRIVATE KEY") || strings.HasSuffix(path, ".key") {
			t.Errorf("%s is a plain key", path)
		}
		return nil
	})
	other, _ := age.GenerateX25519Identity()
	for _, tc := range []struct {
		ids  []age.Identity
		want string
	}{{nil, "--age-identity"}, {[]age.Identity{other}, "opens no key"}, {[]age.Identity{id}, ""}} {
		d, err := OpenDir(dir, tc.ids)
		if err != nil {
			t.Fatal(err)
		}
		p, err := Open(d, epoch)
		if err != nil {
			t.Fatal(err)
		}
		_, err = p.OperatorTLS()
		if (err == nil) != (tc.want == "") || err != nil && !strings.Contains(err.Error(), tc.want) {
			t.Errorf("want %q, got %v", tc.want, err)
		}
		d.Close()
	}
}

func TestRecipientsNeverChange(t *testing.T) {
	a, _ := age.GenerateX25519Identity()
	b, _ := age.GenerateX25519Identity()
	create := func(dir string, r ...string) error {
		d, err := CreateDir(dir, r, nil)
		if err != nil {
			return err
		}
		defer d.Close()
		return d.Put("ca.key", []byte("key"))
	}
	plain, sealed := t.TempDir(), t.TempDir()
	if err := errors.Join(create(plain), create(sealed, a.Recipient().String())); err != nil {
		t.Fatal(err)
	}
	if err := create(plain, a.Recipient().String()); err == nil || !strings.Contains(err.Error(), "not encrypted") {
		t.Errorf("plain, then encrypted: %v", err)
	}
	if err := create(sealed, b.Recipient().String()); err == nil || !strings.Contains(err.Error(), "other recipients") {
		t.Errorf("another recipient: %v", err)
	}
	if err := create(filepath.Join(plain, "new"), "age1nonsense"); err == nil {
		t.Error("nonsense was taken for a recipient")
	}
	if _, err := os.Stat(filepath.Join(plain, "new")); !errors.Is(err, fs.ErrNotExist) {
		t.Error("a refused recipient left a folder behind")
	}
}
