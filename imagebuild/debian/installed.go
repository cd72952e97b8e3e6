package debian

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"path"
	"regexp"
	"slices"
	"strings"

	"slipway/imagebuild/distro"
	"slipway/imagebuild/purl"
)

// Installed reads dpkg's database: status(5).
func (Driver) Installed(tree fs.FS, database string) ([]distro.Installed, error) {
	status, err := fs.ReadFile(tree, path.Join(database, "status"))
	if err != nil {
		return nil, fmt.Errorf("reading the package database: %w", err)
	}
	var found []distro.Installed
	in := release(tree)
	sc := bufio.NewScanner(bytes.NewReader(status))
	sc.Buffer(nil, 4<<20)
	sc.Split(splitParagraph)
	for sc.Scan() {
		if f := fieldsOf(sc.Text()); f["Status"] == "install ok installed" {
			found = append(found, installed(f, in))
		}
	}
	if err := sc.Err(); err != nil {
		return nil, fmt.Errorf("reading the package database: %w", err)
	}
	slices.SortFunc(found, func(a, b distro.Installed) int { return strings.Compare(a.Name, b.Name) })
	return found, nil
}

// Contents reads info/PACKAGE.list of dpkg's database for what each brought. Licences come from the copyright files that the
// tree has.
func (Driver) Contents(tree fs.FS, database string, packages []distro.Installed) error {
	for i := range packages {
		p := &packages[i]
		var err error
		if p.Files, err = filesOf(tree, database, p.Name, p.Architecture); err != nil {
			return fmt.Errorf("reading the package database: %w", err)
		}
		text, err := fs.ReadFile(tree, path.Join("usr/share/doc", p.Name, "copyright"))
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return fmt.Errorf("reading the licences of %s: %w", p.Name, err)
		}
		p.Licence, p.Texts = licences(string(text))
	}
	borrowLicences(packages)
	return nil
}

// fieldsOf are the first lines of a paragraph's fields.
func fieldsOf(paragraph string) map[string]string {
	out := map[string]string{}
	for line := range strings.SplitSeq(paragraph, "\n") {
		if key, value, ok := strings.Cut(line, ":"); ok && !strings.HasPrefix(line, " ") {
			out[key] = strings.TrimSpace(value)
		}
	}
	return out
}

// installed is one package. Its source has the same name and version unless the database says another.
func installed(f map[string]string, release string) distro.Installed {
	p := distro.Installed{
		Name: f["Package"], Version: f["Version"], Architecture: f["Architecture"], Supplier: "Debian", Homepage: f["Homepage"],
		Needs: names(f["Depends"] + ", " + f["Pre-Depends"]),
	}
	p.Source = source(f["Source"], p.Name, p.Version)
	upstream := ""
	if p.Source.Name != p.Name || p.Source.Version != p.Version {
		upstream = p.Source.Name + "@" + p.Source.Version
	}
	p.PURL = packageURL(p.Name, p.Version, map[string]string{"arch": p.Architecture, "distro": release, "upstream": upstream})
	for _, relation := range strings.Split(f["Built-Using"]+","+f["Static-Built-Using"], ",") {
		if m := exactly.FindStringSubmatch(relation); m != nil {
			p.Using = append(p.Using, distro.Source{Name: m[1], Version: m[2], PURL: packageURL(m[1], m[2], map[string]string{"arch": "source", "distro": release})})
		}
	}
	return p
}

// exactly is one relation of a field like "golang-1.24 (= 1.24.4-1), glibc (= 2.41-12)".
var exactly = regexp.MustCompile(`^\s*([a-z0-9][a-z0-9.+-]*) \(= ([^)\s]+)\)\s*$`)

// source reads a field like "gcc-14 (14.2.0-19)", where the version is there if it is another than the package's.
func source(field, name, version string) distro.Source {
	s := distro.Source{Name: name, Version: version}
	if field != "" {
		var in string
		if s.Name, in, _ = strings.Cut(field, " ("); in != "" {
			s.Version = strings.TrimSuffix(in, ")")
		}
	}
	s.PURL = packageURL(s.Name, s.Version, map[string]string{"arch": "source"})
	return s
}

func packageURL(name, version string, qualifiers map[string]string) string {
	return purl.URL{Type: "deb", Namespace: "debian", Name: name, Version: version, Qualifiers: qualifiers}.Text()
}

// filesOf are a package's; where two architectures could be installed at once, the list's name has the architecture in it.
func filesOf(tree fs.FS, database, name, architecture string) ([]string, error) {
	for _, list := range []string{name, name + ":" + architecture} {
		text, err := fs.ReadFile(tree, path.Join(database, "info", list+".list"))
		if err == nil {
			return strings.Split(strings.TrimSpace(string(text)), "\n"), nil
		}
		if !errors.Is(err, fs.ErrNotExist) {
			return nil, err
		}
	}
	return nil, nil
}

// release is the distribution and its release as scanners write them: debian-13.
func release(tree fs.FS) string {
	text, err := fs.ReadFile(tree, "usr/lib/os-release")
	if err != nil {
		return ""
	}
	values := map[string]string{}
	for line := range strings.Lines(string(text)) {
		key, value, _ := strings.Cut(strings.TrimSpace(line), "=")
		values[key] = strings.Trim(value, `"'`)
	}
	return values["ID"] + "-" + values["VERSION_ID"]
}

// borrowLicences is for packages whose documentation is a link to another's, which the tree leaves out: by Debian's policy,
// 12.5, that one is built from the same source, and depended upon.
func borrowLicences(packages []distro.Installed) {
	for i, p := range packages {
		if p.Licence != "" {
			continue
		}
		for _, other := range packages {
			if other.Source == p.Source && other.Licence != "" && slices.Contains(p.Needs, other.Name) {
				packages[i].Licence, packages[i].Texts = other.Licence, other.Texts
				break
			}
		}
	}
}
