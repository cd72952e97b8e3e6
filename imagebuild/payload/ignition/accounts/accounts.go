// Package accounts looks up users and groups in the files of a root that is not the running one. Start with FindUser.
//
// It is compiled into Ignition in the place of getpwnam in a chroot, which needs the C library. It knows passwd(5) and
// group(5) only: name services of the root are not asked.
package accounts

import (
	"bufio"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strconv"
	"strings"
)

// User is one line of passwd(5).
type User struct {
	Name, Home string
	UID, GID   int
}

// Group is one line of group(5).
type Group struct {
	Name string
	GID  int
}

// FindUser returns nil without an error when the file at path, or the user in it, is not there.
func FindUser(path, name string) (*User, error) {
	field, err := find(path, name, 7)
	if field == nil || err != nil {
		return nil, err
	}
	uid, err1 := strconv.Atoi(field[2])
	gid, err2 := strconv.Atoi(field[3])
	if err := errors.Join(err1, err2); err != nil {
		return nil, fmt.Errorf("reading %s: the ids of %q: %w", path, name, err)
	}
	return &User{Name: name, UID: uid, GID: gid, Home: field[5]}, nil
}

// FindGroup returns nil without an error when the file at path, or the group in it, is not there.
func FindGroup(path, name string) (*Group, error) {
	field, err := find(path, name, 4)
	if field == nil || err != nil {
		return nil, err
	}
	gid, err := strconv.Atoi(field[2])
	if err != nil {
		return nil, fmt.Errorf("reading %s: the id of %q: %w", path, name, err)
	}
	return &Group{Name: name, GID: gid}, nil
}

// find returns the fields of the first whole line with that name, like getpwnam(3).
func find(path, name string, fields int) ([]string, error) {
	f, err := os.Open(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	defer f.Close()
	lines := bufio.NewScanner(f)
	lines.Buffer(nil, 1<<20) // a group's members are on one line
	for lines.Scan() {
		field := strings.Split(lines.Text(), ":")
		if len(field) == fields && field[0] == name {
			return field, nil
		}
	}
	return nil, lines.Err()
}
