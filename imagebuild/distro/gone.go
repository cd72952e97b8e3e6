package distro

import (
	"fmt"
	"strings"
)

// GoneError: a locked package cannot be had any more.
type GoneError struct {
	Package   Package
	URLs      []string // that were asked for it
	Now       string   // the version that the mirrors have instead, when that is known
	Snapshots string   // how mirrors of an earlier day look
}

func (e *GoneError) Error() string {
	what := "is no longer at " + strings.Join(e.URLs, " or ")
	if e.Now != "" {
		what = "the mirrors have only " + e.Now
	}
	return fmt.Sprintf("fetching %s %s: %s\n"+
		"hint: set image.mirror and image.securityMirror to mirrors that still have it, like %s,\n"+
		"      put the archive (sha256 %s) into the folder of --vendor, or take today's version with --update=%s",
		e.Package.Name, e.Package.Version, what, e.Snapshots, e.Package.SHA256, e.Package.Name)
}
