package centos

import (
	"compress/gzip"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"os"
	"path"
	"path/filepath"
	"time"

	"github.com/klauspost/compress/zstd"
	"github.com/ulikunitz/xz"

	"slipway/imagebuild/distro"
)

// metadata is one repository's, as dnf fetched and checked it.
// Format: https://github.com/rpm-software-management/createrepo_c, repomd.xml, primary.xml and filelists.xml.
type metadata struct {
	repository         string
	primary, filelists string // files
}

// metadata are those of the sources, in their order, and when they were made.
func (d dnf) metadata(from []source) (metas []metadata, made map[string]time.Time, err error) {
	made = map[string]time.Time{}
	for _, s := range from {
		m, at, err := d.readRepomd(s.name)
		if err != nil {
			return nil, nil, fmt.Errorf("reading the metadata of %s: %w", s.name, err)
		}
		metas, made[s.name] = append(metas, m), at
	}
	return metas, made, nil
}

// repomd is repomd.xml.
type repomd struct {
	Data []struct {
		Type     string `xml:"type,attr"`
		Location struct {
			Href string `xml:"href,attr"`
		} `xml:"location"`
		Timestamp int64 `xml:"timestamp"`
	} `xml:"data"`
}

// readRepomd finds what dnf fetched of a repository: in a folder whose name ends with a hash of its URL.
func (d dnf) readRepomd(repository string) (metadata, time.Time, error) {
	m, at := metadata{repository: repository}, int64(0)
	found, err := filepath.Glob(d.path("cache", repository+"-????????????????", "repodata/repomd.xml"))
	if err != nil || len(found) != 1 {
		return m, time.Time{}, fmt.Errorf("dnf left %d of it: %w", len(found), err)
	}
	data, err := os.ReadFile(found[0])
	if err != nil {
		return m, time.Time{}, err
	}
	var index repomd
	if err := xml.Unmarshal(data, &index); err != nil {
		return m, time.Time{}, err
	}
	for _, e := range index.Data {
		at = max(at, e.Timestamp)
		switch file := filepath.Join(filepath.Dir(found[0]), path.Base(e.Location.Href)); e.Type {
		case "primary":
			m.primary = file
		case "filelists":
			m.filelists = file
		}
	}
	return m, time.Unix(at, 0).UTC(), nil
}

// primaryPackage is one element of primary.xml.
type primaryPackage struct {
	Name    string `xml:"name"`
	Arch    string `xml:"arch"`
	Version struct {
		Epoch   string `xml:"epoch,attr"`
		Version string `xml:"ver,attr"`
		Release string `xml:"rel,attr"`
	} `xml:"version"`
	Checksum struct {
		Type string `xml:"type,attr"`
		Sum  string `xml:",chardata"`
	} `xml:"checksum"`
	Size struct {
		Package int64 `xml:"package,attr"`
	} `xml:"size"`
	Location struct {
		Href string `xml:"href,attr"`
	} `xml:"location"`
	Source string `xml:"format>sourcerpm"`
}

// id is how dnf calls it: an epoch of 0 is left out.
func (p primaryPackage) id() nevra {
	evr := p.Version.Version + "-" + p.Version.Release
	if p.Version.Epoch != "" && p.Version.Epoch != "0" {
		evr = p.Version.Epoch + ":" + evr
	}
	return nevra{p.Name, evr, p.Arch}
}

// find adds to found what the repository has of want. What two repositories have comes from the first.
func (m metadata) find(want map[nevra]bool, found map[nevra]distro.Package) error {
	return eachElement(m.primary, "package", func(decode func(any) error) error {
		var p primaryPackage
		if err := decode(&p); err != nil {
			return err
		}
		id := p.id()
		if _, known := found[id]; known || !want[id] {
			return nil
		}
		if p.Checksum.Type != "sha256" {
			return fmt.Errorf("%s has a checksum of the kind %q; sha256 can be locked", p.Name, p.Checksum.Type)
		}
		found[id] = distro.Package{
			Name: p.Name, Version: id.evr, Source: sourceName(p.Source, p.Name), SHA256: p.Checksum.Sum, Size: p.Size.Package,
			Archive: m.repository, Path: p.Location.Href,
		}
		return nil
	})
}

// eachElement calls use for every element of a name in an XML file, however it is compressed.
func eachElement(file, name string, use func(decode func(any) error) error) error {
	f, err := os.Open(file)
	if err != nil {
		return err
	}
	defer f.Close()
	r, err := unpacked(f)
	if err != nil {
		return err
	}
	for d := xml.NewDecoder(r); ; {
		token, err := d.Token()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		if start, ok := token.(xml.StartElement); ok && start.Name.Local == name {
			if err := use(func(to any) error { return d.DecodeElement(to, &start) }); err != nil {
				return err
			}
		}
	}
}

// unpacked tells the compression by the name, as createrepo_c writes it.
func unpacked(f *os.File) (io.Reader, error) {
	switch filepath.Ext(f.Name()) {
	case ".gz":
		return gzip.NewReader(f)
	case ".zst":
		return zstd.NewReader(f)
	case ".xz":
		return xz.NewReader(f)
	}
	return f, nil
}
