package verify

import (
	"crypto/sha256"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"slices"
	"strings"

	"slipway/imagebuild/distro"
	"slipway/imagebuild/drivers"
	"slipway/imagebuild/sbom"
)

// Packages are those of a root file system, as the database has them that it ships.
func Packages(root fs.FS) ([]distro.Installed, error) {
	release, err := fs.ReadFile(root, "usr/lib/os-release")
	if err != nil {
		return nil, fmt.Errorf("reading which distribution it is: %w", err)
	}
	name := ""
	for line := range strings.Lines(string(release)) {
		if id, ok := strings.CutPrefix(line, "ID="); ok {
			name = strings.Trim(strings.TrimSpace(id), `"'`)
		}
	}
	driver, err := drivers.Find(name)
	if err != nil {
		return nil, err
	}
	return driver.Installed(root, driver.Facts().ShipsAt)
}

// Bill is the bill of materials that a root file system carries, as it is there; nil without an error if it carries none.
func Bill(root fs.FS) (*sbom.Bill, []byte, error) {
	if _, err := fs.Stat(root, sbom.Path[1:]); err != nil {
		return nil, nil, nil // the image is older than bills
	}
	text, err := fs.ReadFile(root, sbom.Path[1:])
	if err != nil {
		return nil, nil, err
	}
	bill, err := sbom.Read(text)
	return bill, text, err
}

// bill holds the bill of materials against what is really there: every package, and what the boot file is made of.
func (c *checker) bill(root fs.FS) (wrong []string) {
	bill, _, err := Bill(root)
	if err != nil {
		return []string{fmt.Sprintf("%s: %v", sbom.Path, err)}
	}
	if bill == nil {
		return nil
	}
	packages, err := Packages(root)
	if err != nil {
		return []string{fmt.Sprintf("%s cannot be checked: %v", sbom.Path, err)}
	}
	said, there := map[string]string{}, map[string]string{}
	for _, p := range bill.In(string(sbom.Root), sbom.Contains, sbom.Package) {
		said["package "+p.Name] = p.Version
	}
	for _, p := range packages {
		there["package "+p.Name] = p.Version
	}
	for _, p := range bill.In(string(sbom.Boot), sbom.Contains, sbom.File) {
		if part, ok := c.booted[p.Name]; ok {
			sum := sha256.New()
			if _, err := io.Copy(sum, io.NewSectionReader(part, 0, part.Size())); err != nil {
				return []string{fmt.Sprintf("the %s cannot be read: %v", p.Name, err)}
			}
			said["the "+p.Name], there["the "+p.Name] = "sha256 "+p.SHA256, fmt.Sprintf("sha256 %x", sum.Sum(nil))
		}
	}
	names := maps.Clone(said)
	maps.Copy(names, there)
	for _, name := range slices.Sorted(maps.Keys(names)) {
		if said[name] != there[name] {
			wrong = append(wrong, fmt.Sprintf("%s has %s as %q, and the image has it as %q", sbom.Path, name, said[name], there[name]))
		}
	}
	return wrong
}
