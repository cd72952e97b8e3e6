package debian

import (
	"bufio"
	"fmt"
	"net/mail"
	"os"
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
func (a apt) checkSnapshots(req distro.Request) error {
	for _, archive := range a.archives(req) {
		at, ok := snapshotTime(a.mirrors[archive.name])
		if !ok {
			continue
		}
		files, err := a.lists(archive.name, archive.suite, "Release")
		if err != nil {
			return err
		}
		for _, file := range files {
			until, err := releaseDate(file, "Valid-Until")
			if err != nil {
				return fmt.Errorf("reading the release file of %s: %w", archive.name, err)
			}
			if !until.IsZero() && until.Before(at) {
				return &StaleError{Mirror: a.mirrors[archive.name], Suite: archive.suite, Until: until}
			}
		}
	}
	return nil
}

// releaseDate is a field of a release file; zero if it has none.
func releaseDate(file, field string) (time.Time, error) {
	f, err := os.Open(file)
	if err != nil {
		return time.Time{}, err
	}
	defer f.Close()
	for sc := bufio.NewScanner(f); sc.Scan(); {
		if value, ok := strings.CutPrefix(sc.Text(), field+": "); ok {
			return mail.ParseDate(value) // RFC 5322, as deb822 has it; time.RFC1123 knows no one-digit days
		}
	}
	return time.Time{}, nil
}
