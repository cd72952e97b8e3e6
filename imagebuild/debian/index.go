package debian

import (
	"bufio"
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"slipway/imagebuild/distro"
)

// describe finds the archives with these digests in the indexes that apt fetched and checked, or among the kept ones: the
// lock goes on saying of those where they came from.
func (a apt) describe(release string, digests []string, keep []distro.Package) ([]distro.Package, error) {
	found, err := a.scan(release, digests)
	if err != nil {
		return nil, err
	}
	var out []distro.Package
	for _, digest := range digests {
		p, ok := found[digest]
		if i := slices.IndexFunc(keep, func(k distro.Package) bool { return k.SHA256 == digest }); i >= 0 {
			p, ok = keep[i], true
		}
		if !ok {
			return nil, fmt.Errorf("no index describes the archive with the digest %q", digest)
		}
		out = append(out, p)
	}
	slices.SortFunc(out, byName)
	return out, nil
}

func byName(a, b distro.Package) int { return strings.Compare(a.Name, b.Name) }

// scan reads the indexes of all suites for archives with these digests. What two suites have comes from the first.
func (a apt) scan(release string, digests []string) (map[string]distro.Package, error) {
	found := map[string]distro.Package{}
	want := map[string]bool{}
	for _, d := range digests {
		want[d] = true
	}
	for _, s := range suites(release) {
		if err := a.scanSuite(s, want, found); err != nil {
			return nil, err
		}
	}
	return found, nil
}

// scanSuite adds what the indexes of one suite have to found.
func (a apt) scanSuite(s suite, want map[string]bool, found map[string]distro.Package) error {
	indexes, err := filepath.Glob(filepath.Join(a.dir, "lists", "*_dists_"+s.name+"_*_Packages"))
	if err != nil {
		return err
	}
	for _, index := range indexes {
		if err := scanIndex(index, s.name, want, found); err != nil {
			return err
		}
	}
	return nil
}

func scanIndex(path, suite string, want map[string]bool, found map[string]distro.Package) error {
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	defer f.Close()
	sc := bufio.NewScanner(f)
	sc.Buffer(nil, 4<<20)
	sc.Split(splitParagraph)
	for sc.Scan() {
		p := parseStanza(sc.Text())
		if _, known := found[p.SHA256]; want[p.SHA256] && !known {
			p.Archive = suite
			found[p.SHA256] = p
		}
	}
	return sc.Err()
}

func splitParagraph(data []byte, atEOF bool) (int, []byte, error) {
	if i := bytes.Index(data, []byte("\n\n")); i >= 0 {
		return i + 2, data[:i], nil
	}
	if atEOF && len(data) > 0 {
		return len(data), bytes.TrimRight(data, "\n"), nil
	}
	return 0, nil, nil
}

// parseStanza reads one paragraph.
func parseStanza(text string) distro.Package {
	var p distro.Package
	for line := range strings.SplitSeq(text, "\n") {
		key, value, _ := strings.Cut(line, ": ")
		switch key {
		case "Package":
			p.Name = value
		case "Version":
			p.Version = value
		case "Source": // with the version in parentheses when that is another
			if source, _, _ := strings.Cut(value, " "); source != p.Name {
				p.Source = source
			}
		case "SHA256":
			p.SHA256 = value
		case "Size":
			fmt.Sscan(value, &p.Size)
		case "Filename":
			p.Path = value
		}
	}
	return p
}
