package main

import (
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"time"

	"slipway/internal/testyum"
)

// release is what every package's version ends with.
const release = "1.el10"

// shape collects the packages of the stand-in by their names.
type shape struct {
	tree     string
	users    idNames
	groups   idNames
	time     time.Time
	packages map[string]*testyum.Package
	owner    map[string]string // path -> package
}

// newShape sorts the tree's files into packages with CentOS's names.
func newShape(tree string, now time.Time) (*shape, error) {
	s := &shape{tree: tree, time: now, packages: map[string]*testyum.Package{}, owner: map[string]string{}}
	var err error
	if s.users, err = readIDs(filepath.Join(tree, "etc/passwd")); err != nil {
		return nil, err
	}
	if s.groups, err = readIDs(filepath.Join(tree, "etc/group")); err != nil {
		return nil, err
	}
	debs, err := readTree(tree)
	if err != nil {
		return nil, err
	}
	for _, d := range debs {
		if !dropped.MatchString(d.name) {
			s.take(d)
		}
	}
	if err := s.leftovers(); err != nil {
		return nil, err
	}
	return s, s.fill()
}

// get makes a package when it is first asked for.
func (s *shape) get(name, version string) *testyum.Package {
	if s.packages[name] == nil {
		s.packages[name] = &testyum.Package{Name: name, Version: version, Release: release, Arch: "x86_64", Time: s.time}
	}
	return s.packages[name]
}

// take turns one of Debian's packages into one of CentOS's, or adds it to that.
func (s *shape) take(d debian) {
	p := s.get(rpmName(d.name), rpmVersion(d.version))
	for _, need := range d.depends {
		if to := rpmName(need); to != p.Name && !dropped.MatchString(need) && !slices.Contains(p.Requires, to) {
			p.Requires = append(p.Requires, to)
		}
	}
	for _, file := range d.files {
		switch {
		case absent.MatchString(file):
		case s.owner[file] == "" || s.owner[file] == p.Name:
			s.owner[file] = p.Name
		default:
			s.owner[file] = "filesystem" // a folder of two
		}
	}
}

// leftovers finds what no package has: what maintainer scripts made.
func (s *shape) leftovers() error {
	return filepath.WalkDir(s.tree, func(name string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		file := strings.TrimPrefix(name, s.tree)
		if file == "" || absent.MatchString(file) {
			return nil
		}
		if s.owner[file] == "" || strings.Count(file, "/") == 1 {
			s.owner[file] = leftoverOwner(file, d)
		}
		return nil
	})
}

func leftoverOwner(file string, d fs.DirEntry) string {
	switch {
	case strings.Count(file, "/") == 1 || d.IsDir():
		return "filesystem"
	case slices.Contains([]string{"/etc/passwd", "/etc/group", "/etc/shadow", "/etc/gshadow", "/etc/subuid", "/etc/subgid"}, file):
		return "setup"
	}
	return "basesystem"
}

// fill reads the files into their packages.
func (s *shape) fill() error {
	for file, owner := range s.owner {
		st, err := os.Lstat(filepath.Join(s.tree, file))
		if os.IsNotExist(err) {
			continue // left out when the tree was made
		}
		if err != nil {
			return err
		}
		f, ok, err := s.file(file, st)
		if err != nil {
			return err
		}
		if ok {
			p := s.get(owner, "11")
			p.Files = append(p.Files, f)
		}
	}
	return nil
}

// file is one of the tree's, as CentOS has it; ok is false for devices and sockets.
func (s *shape) file(name string, st fs.FileInfo) (f testyum.File, ok bool, err error) {
	sys := st.Sys().(*syscall.Stat_t)
	f = testyum.File{
		Path: name, Mode: uint(sys.Mode), Time: st.ModTime(), Owner: s.users.name(sys.Uid), Group: s.groups.name(sys.Gid),
	}
	switch {
	case st.IsDir():
		return f, true, nil
	case st.Mode()&fs.ModeSymlink != 0:
		target, err := os.Readlink(filepath.Join(s.tree, name))
		f.Body = []byte(target)
		return f, true, err
	case st.Mode().IsRegular():
		f.Body, err = os.ReadFile(filepath.Join(s.tree, name))
		return f, true, err
	}
	return f, false, nil
}

// idNames are names by number.
type idNames map[uint32]string

func (n idNames) name(id uint32) string {
	if name := n[id]; name != "" {
		return name
	}
	return "root"
}

// readIDs reads passwd(5) or group(5).
func readIDs(file string) (idNames, error) {
	data, err := os.ReadFile(file)
	if err != nil {
		return nil, err
	}
	out := idNames{}
	for line := range strings.Lines(string(data)) {
		f := strings.Split(line, ":")
		var id uint32
		if len(f) < 3 {
			continue
		}
		if _, err := fmt.Sscan(f[2], &id); err != nil {
			return nil, fmt.Errorf("reading %s: %w", file, err)
		}
		out[id] = f[0]
	}
	return out, nil
}

// add puts a file of ours into a package, in place of one that was there.
func (s *shape) add(owner, name string, mode uint, body string) {
	s.remove(name)
	p := s.get(owner, "11")
	p.Files = append(p.Files, testyum.File{Path: name, Mode: mode, Owner: "root", Group: "root", Time: s.time, Body: []byte(body)})
}

// remove takes a file out of whatever has it, and returns what it held.
func (s *shape) remove(name string) []byte {
	for _, p := range s.packages {
		i := slices.IndexFunc(p.Files, func(f testyum.File) bool { return path.Clean(f.Path) == name })
		if i >= 0 {
			body := p.Files[i].Body
			p.Files = slices.Delete(p.Files, i, i+1)
			return body
		}
	}
	return nil
}
