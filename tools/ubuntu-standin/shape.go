package main

import (
	"embed"
	"fmt"
	"slices"
	"strings"

	"slipway/internal/testapt"
)

//go:embed files
var osReleases embed.FS

// shaped is a package of the archive to be.
type shaped struct {
	component, pocket string
	file              string // it goes in as it is; else what deb holds is written anew
	deb               *testapt.Deb
}

func (p shaped) add(a *testapt.Archive) (testapt.Entry, error) {
	if p.file != "" {
		return a.AddFile(p.component, p.file, p.deb)
	}
	return a.Add(p.component, p.deb)
}

// universe is what Ubuntu has there; the rest is in main.
var universe = []string{"docker.io", "tini", "systemd-boot-efi", "squashfs-tools", "conntrack", "libopentracing1", "libopentracing-c-wrapper0t64", "gdisk"}

// gone are Debian's packages that others of Ubuntu's hold.
var gone = []string{"docker-cli", "debian-archive-keyring", "linux-image-amd64", "linux-modules-amd64", "linux-base-amd64"}

// shape gives the packages Ubuntu's names and contents where those differ, and leaves all others alone.
func shape(in input, names []string, files map[string]string) ([]shaped, error) {
	read := func(name string) (*testapt.Deb, error) {
		if files[name] == "" {
			return nil, fmt.Errorf("the lock has no package %s", name)
		}
		return testapt.Read(files[name])
	}
	var out []shaped
	var version string // of the one kernel
	for _, name := range names {
		if v, ok := strings.CutPrefix(name, "linux-binary-"); ok {
			version = v
		}
		if slices.Contains(gone, name) || strings.HasPrefix(name, "linux-") && name != "linux-base" {
			continue
		}
		d, err := read(name)
		if err != nil {
			return nil, err
		}
		p := shaped{component: "main", file: files[name], deb: d}
		if slices.Contains(universe, name) {
			p.component = "universe"
		}
		changed, err := change(in, d, read)
		if err != nil {
			return nil, err
		}
		if changed {
			p.file = ""
		}
		out = append(out, p)
	}
	kernel, err := shapeKernel(in, version, read)
	if err != nil {
		return nil, err
	}
	return append(append(out, kernel...), ubuntuKeyring(), older(out, "haproxy")), nil
}

// change makes of Debian's package what Ubuntu has under its name.
func change(in input, d *testapt.Deb, read func(string) (*testapt.Deb, error)) (bool, error) {
	switch d.Get("Package") {
	case "base-files":
		text, err := osReleases.ReadFile("files/os-release." + in.release)
		if err != nil {
			return false, err
		}
		d.Set("Version", d.Get("Version")+"ubuntu1")
		return true, d.Replace("/usr/lib/os-release", text)
	case "apt":
		d.Set("Version", d.Get("Version")+"ubuntu1")
		d.Set("Depends", strings.Replace(d.Get("Depends"), "debian-archive-keyring", "ubuntu-keyring", 1))
		return true, nil
	case "docker.io": // with the docker command
		cli, err := read("docker-cli")
		if err != nil {
			return false, err
		}
		d.Set("Version", d.Get("Version")+"ubuntu1")
		d.Files = merge(d.Files, cli.Files)
		return true, nil
	}
	return false, nil
}

// merge adds what is not there yet.
func merge(files, more []testapt.Member) []testapt.Member {
	has := map[string]bool{}
	for _, f := range files {
		has[f.Name] = true
	}
	for _, f := range more {
		if !has[f.Name] {
			files = append(files, f)
		}
	}
	return files
}

func ubuntuKeyring() shaped {
	return shaped{component: "main", deb: testapt.New(
		"Package: ubuntu-keyring\nVersion: 2023.11.28.1\nArchitecture: all\nMulti-Arch: foreign\nMaintainer: Ubuntu <devel@example.org>\n"+
			"Description: keys of the archive\n", map[string]string{"usr/share/keyrings/README": "a stand-in has no keys of Ubuntu's\n"})}
}

// older moves a package to the updates and leaves a lower version of it in the release, so that there is something to choose.
func older(packages []shaped, name string) shaped {
	i := slices.IndexFunc(packages, func(p shaped) bool { return p.deb.Get("Package") == name })
	packages[i].pocket = "-security"
	old := *packages[i].deb
	old.Control = slices.Clone(old.Control)
	old.Set("Version", "2.8.5-1ubuntu3")
	return shaped{component: "main", deb: &old}
}
