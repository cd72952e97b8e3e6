package debian

import (
	"fmt"
	"path/filepath"
	"strings"
	"time"

	"slipway/imagebuild/distro"
)

// lists are the files that apt fetched and checked of an archive, whose names end so: Packages, Release.
func (a apt) lists(archive, suite, end string) ([]string, error) {
	mirror := strings.TrimSuffix(a.mirrors[archive], "/")
	return filepath.Glob(filepath.Join(a.dir, "lists", listName(mirror+"/dists/"+suite)+"_*"+end))
}

// listName is how apt calls the file that it fetched from a URL: URItoFileName in apt-pkg/contrib/strutl.cc.
func listName(url string) string {
	_, name, _ := strings.Cut(url, "://")
	if at := strings.Index(name, "@"); at >= 0 && at < strings.Index(name, "/") {
		name = name[at+1:]
	}
	var out strings.Builder
	for _, c := range []byte(name) {
		switch {
		case c == '/':
			out.WriteByte('_')
		case c <= 0x20 || c >= 0x7f || strings.IndexByte(`\|{}[]<>"^~_=!@#$%^&*`, c) >= 0:
			fmt.Fprintf(&out, "%%%02x", c)
		default:
			out.WriteByte(c)
		}
	}
	return out.String()
}

// archives are the archives of a request with their suites: the distribution's first.
func (a apt) archives(req distro.Request) (out []struct{ name, suite string }) {
	for _, s := range a.table.Suites(req.Release) {
		out = append(out, struct{ name, suite string }{s.Name, s.Name})
	}
	for _, r := range req.Repositories {
		out = append(out, struct{ name, suite string }{r.Name, r.Suite})
	}
	return out
}

// made is when the metadata of each archive was made, by its own word.
func (a apt) made(req distro.Request) (map[string]time.Time, error) {
	out := map[string]time.Time{}
	for _, archive := range a.archives(req) {
		files, err := a.lists(archive.name, archive.suite, "Release")
		if err != nil {
			return nil, err
		}
		for _, file := range files {
			date, err := releaseDate(file, "Date")
			if err != nil {
				return nil, fmt.Errorf("reading the release file of %s: %w", archive.name, err)
			}
			if !date.IsZero() {
				out[archive.name] = date.UTC()
			}
		}
	}
	return out, nil
}

// checkAge refuses metadata older than the lock's. A mirror whose URL names a day is meant to be old.
func (a apt) checkAge(req distro.Request, in distro.ResolveInput) error {
	now, err := a.made(req)
	if err != nil {
		return err
	}
	return distro.CheckAge(in.Made, now, in.Mirrors, func(mirror string) bool {
		_, snapshot := snapshotTime(mirror)
		return snapshot
	})
}
