package testyum

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/google/rpmpack"
)

// Package is an rpm to be.
type Package struct {
	Name, Version, Release string
	Arch                   string // x86_64 or noarch
	Epoch                  uint32 // 0: none

	Requires  []string // "name", "name = 1-2"; "pre:name" for what scripts need
	Provides  []string
	Conflicts []string

	Prein, Postin, Posttrans string
	Files                    []File
	Time                     time.Time
}

// File is one file, folder or link of a package.
type File struct {
	Path         string // absolute
	Mode         uint   // with the bits of its type, as in stat(2)
	Owner, Group string
	Time         time.Time
	Body         []byte // a link's target
}

// FileName is what mirrors call the package.
func (p Package) FileName() string {
	return fmt.Sprintf("%s-%s-%s.%s.rpm", p.Name, p.Version, p.Release, p.Arch)
}

// Write puts the rpm into a folder. Without a key it is unsigned.
func (p Package) Write(dir string, key *Key) error {
	out, err := p.rpm()
	if err != nil {
		return fmt.Errorf("making the package %s: %w", p.Name, err)
	}
	if key != nil {
		out.SetPGPSigner(key.sign)
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	f, err := os.Create(filepath.Join(dir, p.FileName()))
	if err != nil {
		return err
	}
	defer f.Close()
	if err := out.Write(f); err != nil {
		return fmt.Errorf("making the package %s: %w", p.Name, err)
	}
	return f.Close()
}

func (p Package) rpm() (*rpmpack.RPM, error) {
	epoch := p.Epoch
	if epoch == 0 {
		epoch = rpmpack.NoEpoch
	}
	meta := rpmpack.RPMMetaData{
		Name: p.Name, Version: p.Version, Release: p.Release, Epoch: epoch, Arch: p.Arch, BuildTime: p.Time, BuildHost: "localhost",
		Summary: p.Name, Description: p.Name, Licence: "none", Vendor: "slipway stand-in", Compressor: "zstd:1",
	}
	for _, r := range []struct {
		texts []string
		to    *rpmpack.Relations
	}{{p.Requires, &meta.Requires}, {p.Provides, &meta.Provides}, {p.Conflicts, &meta.Conflicts}} {
		for _, text := range r.texts {
			relation, err := relationOf(text)
			if err != nil {
				return nil, err
			}
			*r.to = append(*r.to, relation)
		}
	}
	out, err := rpmpack.NewRPM(meta)
	if err != nil {
		return nil, err
	}
	out.AddPrein(p.Prein)
	out.AddPostin(p.Postin)
	out.AddPosttrans(p.Posttrans)
	for _, f := range p.Files {
		out.AddFile(rpmpack.RPMFile{
			Name: f.Path, Body: f.Body, Mode: f.Mode, Owner: f.Owner, Group: f.Group, MTime: uint32(f.Time.Unix()),
		})
	}
	return out, nil
}

// scriptPre marks a dependency of %pre: rpm orders by it. https://github.com/rpm-software-management/rpm include/rpm/rpmds.h
const scriptPre = 1 << 9

func relationOf(text string) (*rpmpack.Relation, error) {
	name, pre := strings.CutPrefix(text, "pre:")
	r, err := rpmpack.NewRelation(name)
	if err == nil && pre {
		r.Sense = rpmpack.SenseAny | scriptPre
	}
	return r, err
}
