package debian

import (
	"errors"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"
	"time"

	"slipway/imagebuild/distro"
)

// MirrorError: the package indexes could not be fetched or did not verify.
type MirrorError struct {
	Mirrors distro.Mirrors
	Err     error
	Output  string
}

func (e *MirrorError) Error() string {
	return fmt.Sprintf("reading the package indexes of %s: %v\n%s\nhint: %s", mirrorList(e.Mirrors), e.Err, aptErrors(e.Output), e.hint())
}

func (e *MirrorError) hint() string {
	if strings.Contains(e.Output, " is expired ") {
		return "the mirror is old. What slipway.lock has is built from it all the same; for something new take a mirror of today, or one\n" +
			"      whose URL says that it is old, like https://snapshot.debian.org/archive/debian/20261001T000000Z"
	}
	return "check the network, or set image.mirror and image.securityMirror to mirrors that you reach"
}

func (e *MirrorError) Unwrap() error { return e.Err }

// mirrorList names every mirror once.
func mirrorList(mirrors distro.Mirrors) string {
	return strings.Join(slices.Compact(slices.Sorted(maps.Values(mirrors))), ", ")
}

// StaleError: a snapshot holds indexes that had expired at the snapshot's own time.
type StaleError struct {
	Mirror, Suite string
	Until         time.Time
}

func (e *StaleError) Error() string {
	return fmt.Sprintf("reading the package indexes of %s: those of %s were valid until %s, which is before the time in the URL\n"+
		"hint: this snapshot is not what its name says; take another mirror", e.Mirror, e.Suite, e.Until.UTC().Format(time.RFC3339))
}

// UnresolvedError: the packages do not exist or do not fit together.
type UnresolvedError struct {
	Missing []string
	Kept    []string // locked packages of which others want another version
	Output  string
}

func (e *UnresolvedError) Error() string {
	if len(e.Missing) > 0 {
		return fmt.Sprintf("resolving packages: not in the distribution: %s\nhint: check image.packages for a typo", strings.Join(e.Missing, ", "))
	}
	text := "resolving packages: they do not fit together\n" + aptErrors(e.Output)
	if len(e.Kept) > 0 {
		text += "\nhint: slipway.lock keeps the versions that it has: build with --update=" + strings.Join(e.Kept, ",") + ", or with --update for all of today's"
	}
	return text
}

// ExitCode makes it wrong input.
func (*UnresolvedError) ExitCode() int { return 2 }

var missing = regexp.MustCompile(`(?m)^E: (?:Unable to locate package|Couldn't find any package by \w+|Version '\S+' for|Package) '?([a-z0-9][a-z0-9.+-]*)'?`)

func missingPackages(out string) []string {
	var names []string
	for _, m := range missing.FindAllStringSubmatch(out, -1) {
		names = append(names, m[1])
	}
	slices.Sort(names)
	return slices.Compact(names)
}

var otherVersion = regexp.MustCompile(`(?m)^.* : (?:Pre)?(?:Depends|Breaks|Conflicts): ([a-z0-9][a-z0-9.+-]*).* but `)

// unresolved says why apt found no answer: a locked package that is gone, or one of which others want another version.
func unresolved(out string, keep []distro.Package, gone []*distro.GoneError) error {
	var errs []error
	var kept []string
	for _, m := range otherVersion.FindAllStringSubmatch(out, -1) {
		for _, g := range gone {
			if g.Package.Name == m[1] {
				errs = append(errs, g)
			}
		}
		if _, ok := find(keep, m[1]); ok {
			kept = append(kept, m[1])
		}
	}
	if len(errs) > 0 {
		return errors.Join(errs...)
	}
	slices.Sort(kept)
	return &UnresolvedError{Missing: missingPackages(out), Kept: slices.Compact(kept), Output: out}
}

var unmet = regexp.MustCompile(`^ [a-z0-9][a-z0-9.+:-]* : `)

// aptErrors keeps the lines in which apt complains.
func aptErrors(out string) string {
	var keep []string
	for line := range strings.SplitSeq(out, "\n") {
		if strings.HasPrefix(line, "E:") || strings.HasPrefix(line, "Err:") || strings.HasPrefix(line, "  ") || unmet.MatchString(line) {
			keep = append(keep, "  | "+line)
		}
	}
	return strings.Join(keep[:min(len(keep), 12)], "\n")
}
