package debian

import (
	"bufio"
	"fmt"
	"net/mail"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"time"

	"slipway/imagebuild/distro"
)

var snapshotURL = regexp.MustCompile(`/(\d{8}T\d{6}Z)/?$`)

// snapshotTime is the time that a mirror's URL names, as those of https://snapshot.debian.org do.
func snapshotTime(mirror string) (time.Time, bool) {
	m := snapshotURL.FindStringSubmatch(mirror)
	if m == nil {
		return time.Time{}, false
	}
	t, err := time.Parse("20060102T150405Z", m[1])
	return t, err == nil
}

// checkSnapshots refuses a snapshot whose indexes had expired already at the time that it is a snapshot of: whoever asked
// for that time did not ask for something older.
func (a apt) checkSnapshots(release string, mirrors distro.Mirrors) error {
	for _, s := range suites(release) {
		at, ok := snapshotTime(mirrors[s.name])
		if !ok {
			continue
		}
		files, err := filepath.Glob(filepath.Join(a.dir, "lists", "*_dists_"+s.name+"_*Release"))
		if err != nil {
			return err
		}
		for _, file := range files {
			until, err := validUntil(file)
			if err != nil {
				return fmt.Errorf("reading the release file of %s: %w", s.name, err)
			}
			if !until.IsZero() && until.Before(at) {
				return &StaleError{Mirror: mirrors[s.name], Suite: s.name, Until: until}
			}
		}
	}
	return nil
}

// validUntil is the field of a release file; zero if it has none.
func validUntil(file string) (time.Time, error) {
	f, err := os.Open(file)
	if err != nil {
		return time.Time{}, err
	}
	defer f.Close()
	for sc := bufio.NewScanner(f); sc.Scan(); {
		if value, ok := strings.CutPrefix(sc.Text(), "Valid-Until: "); ok {
			return mail.ParseDate(value) // RFC 5322, as deb822 has it; time.RFC1123 knows no one-digit days
		}
	}
	return time.Time{}, nil
}
