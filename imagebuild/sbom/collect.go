package sbom

import (
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"slipway/imagebuild/distro"
)

// Input is what a bill is made of: the tree that the image is made of, before anything is laid over it or purged from it.
type Input struct {
	Tool      string // who builds: slipway-v1.2.0
	Epoch     int64  // seconds since 1970
	Tree      fs.FS
	Installed []distro.Installed // the tree's packages, as its database has them
	Locked    []distro.Package   // and as the lock has them
	Purged    []string           // those that are not in the root
	Payloads  []Added
	Boot      []BootFile
}

// Added is a payload as it was made.
type Added struct {
	Name, Version string
	Own           bool      // a program of ours
	From          string    // URL of a download
	SHA256        string    // of a download or file, as it was taken
	Container     *Preload  // it is a container image, and its files are in there
	Files         []Content // programs and files
}

// Preload is a container image that a node has from the beginning.
type Preload struct {
	Ref    string // registry.k8s.io/pause:3.10
	Digest string // of its manifest: sha256:...
	Path   string // of the archive, in the root
	PURL   string
}

// Content is a file of the image and where it lies now.
type Content struct {
	Path, Host, SHA256 string
}

// BootFile is something that the loader or the boot file is made of: a file of the tree, or the initrd with its program.
type BootFile struct {
	Name, Version string
	Content
	Taken   []string // paths in the tree that it was taken from, or that its parts were; some package must have one of them
	Program *Content // the Go program in it; may be nil
}

// collector adds to a bill.
type collector struct {
	Bill
	in     Input
	owners map[string]distro.Installed // by path
}

// Collect makes the bill of an image. What the lock and the tree do not agree on is an error: the bill would be wrong.
func Collect(in Input) (*Bill, error) {
	c := collector{in: in, Bill: Bill{Tool: in.Tool, Created: time.Unix(in.Epoch, 0).UTC()}}
	c.add(Part{ID: string(Image), Name: title})
	c.add(Part{ID: string(Root), Name: "root file system"}, Link{string(Image), Contains, string(Root)})
	c.add(Part{ID: string(Boot), Name: "boot loader and boot file"}, Link{string(Image), Contains, string(Boot)})
	for _, step := range []func() error{c.packages, c.treePrograms, c.payloads, c.boot, c.sort} {
		if err := step(); err != nil {
			return nil, fmt.Errorf("writing the bill of materials: %w", err)
		}
	}
	return &c.Bill, nil
}

func (c *collector) add(p Part, links ...Link) {
	c.Parts = append(c.Parts, p)
	c.Links = append(c.Links, links...)
}

// packages are those that stay in the root.
func (c *collector) packages() error {
	c.owners = map[string]distro.Installed{}
	for _, p := range c.in.Installed {
		for _, file := range p.Files {
			c.owners[merged(file)] = p
		}
		if slices.Contains(c.in.Purged, p.Name) {
			continue
		}
		if err := c.addPackage(p); err != nil {
			return err
		}
		c.Links = append(c.Links, Link{string(Root), Contains, id(Package, p.Name)})
	}
	return nil
}

// merged is a path where /bin, /sbin and /lib are links into /usr, as the database may have it in either way.
func merged(file string) string {
	if top, _, _ := strings.Cut(strings.TrimPrefix(file, "/"), "/"); slices.Contains([]string{"bin", "sbin", "lib", "lib64"}, top) {
		return "/usr" + file
	}
	return file
}

func (c *collector) addPackage(p distro.Installed) error {
	i := slices.IndexFunc(c.in.Locked, func(l distro.Package) bool { return l.Name == p.Name && l.Version == p.Version })
	if i < 0 {
		return fmt.Errorf("the tree has package %s %s, and the lock does not", p.Name, p.Version)
	}
	c.add(Part{
		ID: id(Package, p.Name), Name: p.Name, Version: p.Version, PURL: p.PURL, SHA256: c.in.Locked[i].SHA256, Licence: p.Licence,
		By: p.Supplier, Home: p.Homepage, Source: "built from source package " + p.Source.Name + " " + p.Source.Version,
	})
	c.Texts = append(c.Texts, p.Texts...)
	for _, s := range p.Using {
		c.add(Part{ID: id(Source, s.Name+"@"+s.Version), Name: s.Name, Version: s.Version, PURL: s.PURL, By: p.Supplier},
			Link{id(Package, p.Name), MadeOf, id(Source, s.Name+"@"+s.Version)})
	}
	return nil
}

// treePrograms are the distribution's own Go programs.
func (c *collector) treePrograms() error {
	gone := []string{"/boot", "/dev", "/proc", "/run", "/sys", "/tmp"} // no root has what lies there
	programs, err := Programs(c.in.Tree, func(file string) bool { return slices.Contains(gone, file) })
	if err != nil {
		return err
	}
	for file, p := range programs {
		if slices.Contains(c.in.Purged, c.owners[file].Name) {
			continue
		}
		owner, version := string(Root), ""
		if in, ok := c.owners[file]; ok {
			owner, version = id(Package, in.Name), in.Version
		}
		c.addProgram(p, owner, id(Program, file[1:]), file, version, "")
	}
	return nil
}

func (c *collector) addProgram(p GoProgram, owner, id, file, version, licence string) {
	part := p.part(id, file, version)
	part.Licence = licence
	c.add(part, Link{owner, Contains, id})
	for _, m := range p.modules() {
		c.add(m, Link{id, Links, m.ID})
	}
}

// ownLicence is that of Slipway itself.
const ownLicence = "Apache-2.0"

func (c *collector) payloads() error {
	for _, a := range c.in.Payloads {
		part := Part{ID: id(Payload, a.Name), Name: a.Name, Version: a.Version, From: a.From, SHA256: a.SHA256}
		prefix := ""
		if a.Container != nil {
			name, tag, _ := strings.Cut(path.Base(a.Container.Ref), ":")
			part.ID, part.Name, part.Version = id(Container, name), strings.TrimSuffix(a.Container.Ref, ":"+tag), tag
			part.SHA256, part.Path, part.PURL = strings.TrimPrefix(a.Container.Digest, "sha256:"), a.Container.Path, a.Container.PURL
			prefix = name + ":"
		}
		if a.Own {
			part.Licence, part.By = ownLicence, "Slipway"
		}
		c.add(part, Link{string(Root), Contains, part.ID})
		for _, f := range a.Files {
			if err := c.addContent(f, part, prefix); err != nil {
				return err
			}
		}
	}
	return nil
}

// addContent adds a file of a payload: a program if it is Go's.
func (c *collector) addContent(f Content, of Part, prefix string) error {
	p, isGo, err := program(os.DirFS(filepath.Dir(f.Host)), filepath.Base(f.Host), false)
	if err != nil {
		return err
	}
	p.SHA256 = f.SHA256
	licence := ""
	if of.Licence == ownLicence {
		licence = ownLicence
	}
	name := prefix + strings.TrimPrefix(f.Path, "/")
	if isGo {
		c.addProgram(p, of.ID, id(Program, name), f.Path, of.Version, licence)
		return nil
	}
	c.add(Part{ID: id(File, name), Name: path.Base(f.Path), Version: of.Version, Path: f.Path, SHA256: f.SHA256, Licence: licence},
		Link{of.ID, Contains, id(File, name)})
	return nil
}

// boot is what the boot partition has. Packages that only it was taken from are in the bill too.
func (c *collector) boot() error {
	for _, f := range c.in.Boot {
		part := Part{ID: id(File, f.Name), Name: f.Name, Version: f.Version, SHA256: f.SHA256}
		c.add(part, Link{string(Boot), Contains, part.ID})
		if f.Program != nil {
			part.Licence = ownLicence
			if err := c.addContent(*f.Program, part, f.Name+":"); err != nil {
				return err
			}
		}
		owned := 0
		for _, taken := range f.Taken {
			owner, ok := c.owners[merged(taken)]
			if !ok {
				continue
			}
			owned++
			if slices.Contains(c.in.Purged, owner.Name) {
				if err := c.addPackage(owner); err != nil {
					return err
				}
			}
			c.Links = append(c.Links, Link{part.ID, MadeOf, id(Package, owner.Name)})
		}
		if owned == 0 {
			return fmt.Errorf("no package has %s, and %s is made of it", strings.Join(f.Taken, " or "), f.Name)
		}
	}
	return nil
}
