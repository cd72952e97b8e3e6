package main

import (
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"
)

// In which package of ELRepo's, and of EL10's own, a module is: the first that matches, else core. Those of extra are what
// nodes of Kubernetes miss most. Indexes are depmod's to make, and in no package.
var modulePackages = []struct{ suffix, pattern string }{
	{"-", `/modules\.(dep|alias|symbols|softdep|weakdep|devname|builtin\.(bin|alias\.bin))`},
	{"-modules-internal", `/sundance\.ko`}, // that nobody asks for
	{"-modules-extra", `/(br_netfilter|nft_compat|xt_\w+|ip_set\w*|wireguard|iscsi_tcp)\.ko`},
	{"-modules", `/kernel/(net|drivers/(net|usb|media|gpu|hid|infiniband))/`},
	{"-core", ``},
}

// kernel splits the tree's kernel into packages.
func (s *shape) kernel() error {
	folders, err := filepath.Glob(filepath.Join(s.tree, "usr/lib/modules/*"))
	if err != nil || len(folders) != 1 {
		return fmt.Errorf("looking for the kernel: want exactly one in %s, found %d", s.tree, len(folders))
	}
	uname := filepath.Base(folders[0])
	version := rpmVersion(strings.TrimSuffix(uname, "+deb13-amd64"))
	for _, suffix := range []string{"", "-core", "-modules", "-modules-extra", "-modules-internal"} {
		s.get("kernel-ml"+suffix, version)
	}
	exactly := " = " + version + "-" + release
	s.packages["kernel-ml"].Requires = []string{"kernel-ml-core" + exactly, "kernel-ml-modules" + exactly}
	s.packages["kernel-ml-core"].Requires = []string{"dracut", "systemd"}
	s.packages["kernel-ml-core"].Posttrans = "/usr/bin/kernel-install add " + uname + " /lib/modules/" + uname + "/vmlinuz || exit $?"
	s.packages["kernel-ml-modules"].Requires = []string{"kernel-ml-core" + exactly}
	s.packages["kernel-ml-modules-extra"].Requires = []string{"kernel-ml-modules" + exactly}
	s.packages["kernel-ml-modules-internal"].Requires = []string{"kernel-ml-modules" + exactly}
	return filepath.WalkDir(folders[0], func(name string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		return s.kernelFile(strings.TrimPrefix(name, s.tree), d)
	})
}

func (s *shape) kernelFile(name string, d fs.DirEntry) error {
	suffix := "-core"
	for _, m := range modulePackages {
		if !d.IsDir() && regexp.MustCompile(m.pattern).MatchString(name) {
			suffix = m.suffix
			break
		}
	}
	if suffix == "-" {
		return nil
	}
	st, err := d.Info()
	if err != nil {
		return err
	}
	f, ok, err := s.file(name, st)
	if err == nil && ok {
		p := s.packages["kernel-ml"+suffix]
		p.Files = append(p.Files, f)
	}
	return err
}

// read reads a file of the tree.
func (s *shape) read(name string) ([]byte, error) { return os.ReadFile(filepath.Join(s.tree, name)) }
