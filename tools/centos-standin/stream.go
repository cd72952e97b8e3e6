package main

import (
	"bytes"
	"embed"
	"encoding/base64"
	"path"
	"regexp"
	"slices"
	"strings"

	"slipway/internal/testyum"
)

// files are those of CentOS that its packages have and Debian's have not.
//
//go:embed files
var files embed.FS

// Modes of a file, a program and a link, as stat(2) has them.
const (
	regular = 0o100644
	program = 0o100755
	link    = 0o120777
)

// streamFiles gives the packages what differs in CentOS Stream 10: names of units, places of files, what it is called.
func (s *shape) streamFiles() error {
	for _, f := range []struct {
		owner, path string
		mode        uint
	}{
		{"centos-stream-release", "/usr/lib/os-release", regular},
		{"chrony", "/usr/lib/systemd/system/chronyd.service", regular},
		{"chrony", "/etc/sysconfig/chronyd", regular},
		{"open-vm-tools", "/usr/lib/systemd/system/vmtoolsd.service", regular},
		{"dracut", "/usr/lib/kernel/install.d/50-dracut.install", program},
		{"dracut", "/usr/bin/dracut", program},
		{"htop", "/usr/bin/htop", program},
		{"podman", "/usr/bin/podman", program},
		{"selinux-policy-targeted", "/etc/selinux/config", regular},
		{"dbus-broker", "/usr/lib/systemd/system/dbus-broker.service", regular},
		{"dbus-broker", "/usr/lib/systemd/system/dbus.socket", regular},
	} {
		body, err := files.ReadFile("files/" + path.Base(f.path))
		if err != nil {
			return err
		}
		s.add(f.owner, f.path, f.mode, string(body))
	}
	s.remove("/usr/lib/systemd/system/chrony.service")
	s.remove("/usr/lib/systemd/system/dbus.service")
	s.remove("/usr/lib/systemd/system/multi-user.target.wants/dbus.service")
	s.remove("/usr/lib/systemd/system/sockets.target.wants/dbus.socket")
	s.remove("/usr/lib/systemd/system/open-vm-tools.service")
	s.add("centos-stream-release", "/etc/redhat-release", regular, "CentOS Stream release 10 (Coughlan)\n")
	s.add("chrony", "/etc/chrony.conf", regular, string(s.remove("/etc/chrony/chrony.conf")))
	s.add("bash", "/usr/bin/sh", link, "bash")
	s.add("filesystem", "/etc/ssl", 0o040755, "")
	s.add("filesystem", "/etc/pki/tls/certs", 0o040755, "")
	s.add("ca-certificates", "/etc/ssl/certs", link, "../pki/tls/certs")
	s.add("ca-certificates", "/etc/pki/tls/certs/ca-bundle.crt", link, "../../ca-trust/extracted/pem/tls-ca-bundle.pem")
	return s.authorities()
}

// authorities puts the certificates where CentOS has them.
func (s *shape) authorities() error {
	bundle, err := s.read("/etc/ssl/certs/ca-certificates.crt")
	if err != nil {
		return err
	}
	s.add("ca-certificates", "/etc/pki/ca-trust/extracted/pem/tls-ca-bundle.pem", regular, string(bundle))
	return nil
}

// relations are those that no tree tells: what comes first, what brings what, and users that only a package's metadata has.
func (s *shape) relations() {
	for _, p := range s.packages {
		switch p.Name {
		case "setup":
			p.Requires = nil
		case "filesystem":
			p.Requires = []string{"pre:setup"}
		case "basesystem":
			p.Requires = []string{"setup", "filesystem"}
		default:
			p.Requires = append(p.Requires, "pre:filesystem")
		}
	}
	for name, needs := range map[string][]string{ // packages without a file, and what they bring
		"glibc-minimal-langpack": nil, "container-selinux": {"selinux-policy-targeted"}, "kernel-ml-devel": {"kernel-ml-core"},
	} {
		s.get(name, "11").Requires = needs
	}
	tc := s.get("iproute-tc", s.packages["iproute"].Version)
	s.move("/usr/sbin/tc", "iproute", tc)
	s.packages["bash"].Provides = append(s.packages["bash"].Provides, "/bin/sh")
	s.packages["glibc"].Posttrans = "ldconfig"
	s.packages["docker-ce"].Conflicts = []string{"docker", "podman-docker"}
	s.packages["docker-ce"].Requires = append(s.packages["docker-ce"].Requires, "containerd.io", "docker-ce-cli", "container-selinux")
	s.packages["containerd.io"].Conflicts = []string{"runc", "containerd"} // as Docker's own do
	s.packages["dracut"].Requires = append(s.packages["dracut"].Requires, "systemd")
	s.ownUser("chrony", `u _chrony - "Chrony daemon" /var/lib/chrony /usr/sbin/nologin`)
}

// ownUser takes a user from the base's list: its package says who that is, as rpm 4.19 wants it, and no script makes it.
func (s *shape) ownUser(owner, line string) {
	name := strings.Fields(line)[1]
	encoded := base64.StdEncoding.EncodeToString([]byte(line))
	p := s.packages[owner]
	p.Provides = append(p.Provides, "user("+name+") = "+encoded, "group("+name+")")
	p.Requires = append(p.Requires, "user("+name+")")
	of := regexp.MustCompile(`(?m)^` + name + `:.*\n`)
	for i, f := range s.packages["setup"].Files {
		s.packages["setup"].Files[i].Body = of.ReplaceAll(f.Body, nil)
	}
	s.add(owner, "/usr/lib/sysusers.d/"+owner+".conf", regular, line+"\n")
}

// move gives a file to another package.
func (s *shape) move(file, from string, to *testyum.Package) {
	p := s.packages[from]
	for i, f := range p.Files {
		if f.Path == file {
			p.Files = slices.Delete(p.Files, i, i+1)
			to.Files = append(to.Files, f)
			return
		}
	}
}

// sorted are the packages by name, without those that nothing is left of.
func (s *shape) sorted() []*testyum.Package {
	var out []*testyum.Package
	for _, p := range s.packages {
		slices.SortFunc(p.Files, func(a, b testyum.File) int { return strings.Compare(a.Path, b.Path) })
		out = append(out, p)
	}
	slices.SortFunc(out, func(a, b *testyum.Package) int { return bytes.Compare([]byte(a.Name), []byte(b.Name)) })
	return out
}
