package main

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"slipway/internal/testapt"
)

// input is what a stand-in is made of.
type input struct {
	lock, pool, release, out string
	bare                     bool
	now                      time.Time
}

// locked is what is read of a slipway.lock.
type locked struct {
	Packages []struct{ Name, SHA256 string }
}

// components are Ubuntu's; two of them are empty here, and nobody asks for them.
var components = []string{"main", "restricted", "universe", "multiverse"}

// versions of releases, as their Release files have them.
var versions = map[string]string{"noble": "24.04", "resolute": "26.04"}

// standIn writes the archive.
func standIn(in input) error {
	if versions[in.release] == "" {
		return fmt.Errorf("there is no stand-in for %q", in.release)
	}
	packages, err := readPackages(in)
	if err != nil {
		return err
	}
	key, err := testapt.NewKey("Ubuntu stand-in", in.now.Add(-time.Hour), 0)
	if err != nil {
		return err
	}
	archive := &testapt.Archive{
		Dir: filepath.Join(in.out, "ubuntu"), Key: key, Made: in.now,
		Fields: fmt.Sprintf("Origin: Ubuntu\nLabel: Ubuntu\nVersion: %s\nDescription: a stand-in for tests\n", versions[in.release]),
	}
	pockets := map[string][]testapt.Entry{}
	for _, p := range packages {
		entry, err := p.add(archive)
		if err != nil {
			return err
		}
		pockets[p.pocket] = append(pockets[p.pocket], entry)
	}
	for _, pocket := range []string{"", "-updates", "-security"} {
		if err := archive.Suite(in.release+pocket, components, pockets[pocket]); err != nil {
			return err
		}
	}
	for name, data := range map[string][]byte{"archive.asc": key.Public, "fingerprint": []byte(key.Fingerprint + "\n"), "release": []byte(in.release + "\n")} {
		if err := os.WriteFile(filepath.Join(in.out, name), data, 0o644); err != nil {
			return err
		}
	}
	return nil
}

// readPackages are those of the lock in Ubuntu's shape.
func readPackages(in input) ([]shaped, error) {
	data, err := os.ReadFile(in.lock)
	if err != nil {
		return nil, err
	}
	var lock locked
	if err := json.Unmarshal(data, &lock); err != nil {
		return nil, fmt.Errorf("reading %s: %w", in.lock, err)
	}
	files := map[string]string{} // package -> file
	var names []string
	for _, p := range lock.Packages {
		files[p.Name] = filepath.Join(in.pool, p.SHA256+".deb")
		names = append(names, p.Name)
	}
	return shape(in, names, files)
}

// writeImage writes the image section of a cluster.yaml beside which key archive.asc lies.
func writeImage(dir, url string) error {
	print, err := os.ReadFile(filepath.Join(dir, "fingerprint"))
	if err != nil {
		return fmt.Errorf("reading what is there: %w", err)
	}
	release, err := os.ReadFile(filepath.Join(dir, "release"))
	if err != nil {
		return fmt.Errorf("reading what is there: %w", err)
	}
	r := strings.TrimSpace(string(release))
	text := fmt.Sprintf("image:\n  distro: ubuntu\n  release: %[1]s\n  mirrors: {%[1]s: '%[2]s', %[1]s-updates: '%[2]s', %[1]s-security: '%[2]s'}\n"+
		"  keys: [{file: archive.asc, fingerprint: %[3]s}]\n", r, url+"/ubuntu", strings.TrimSpace(string(print)))
	return os.WriteFile(filepath.Join(dir, "image.yaml"), []byte(text), 0o644)
}
