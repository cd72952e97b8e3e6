package debian

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
)

// MirrorError: the package indexes could not be fetched or did not verify.
type MirrorError struct {
	Mirror string
	Err    error
	Output string
}

func (e *MirrorError) Error() string {
	return fmt.Sprintf("reading the package indexes of %s: %v\n%s\nhint: check the network, or set image.mirror to a mirror that you reach", e.Mirror, e.Err, aptErrors(e.Output))
}

func (e *MirrorError) Unwrap() error { return e.Err }

// UnresolvedError: the packages do not exist or do not fit together.
type UnresolvedError struct {
	Missing []string
	Output  string
}

func (e *UnresolvedError) Error() string {
	if len(e.Missing) > 0 {
		return fmt.Sprintf("resolving packages: not in the distribution: %s\nhint: check image.packages for a typo", strings.Join(e.Missing, ", "))
	}
	return "resolving packages: they do not fit together\n" + aptErrors(e.Output)
}

// ExitCode makes it wrong input.
func (*UnresolvedError) ExitCode() int { return 2 }

// GoneError: a locked package is no longer at its URL.
type GoneError struct {
	Package Package
	Status  string
}

func (e *GoneError) Error() string {
	return fmt.Sprintf("fetching %s %s: %s answers %s: the mirror no longer has this version\n"+
		"hint: build again with --update to lock today's versions, set image.mirror to a snapshot mirror\n"+
		"      (https://snapshot.debian.org/archive/debian/<date>), or put the archive into the folder of --vendor",
		e.Package.Name, e.Package.Version, e.Package.URL, e.Status)
}

var missing = regexp.MustCompile(`(?m)^E: (?:Unable to locate package|Couldn't find any package by \w+|Version '\S+' for|Package) '?([a-z0-9][a-z0-9.+-]*)'?`)

func missingPackages(out string) []string {
	var names []string
	for _, m := range missing.FindAllStringSubmatch(out, -1) {
		names = append(names, m[1])
	}
	slices.Sort(names)
	return slices.Compact(names)
}

// aptErrors keeps the lines in which apt complains.
func aptErrors(out string) string {
	var keep []string
	for line := range strings.SplitSeq(out, "\n") {
		if strings.HasPrefix(line, "E:") || strings.HasPrefix(line, "Err:") || strings.HasPrefix(line, "  ") {
			keep = append(keep, "  | "+line)
		}
	}
	return strings.Join(keep[:min(len(keep), 12)], "\n")
}
