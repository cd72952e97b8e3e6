package centos

import (
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"

	"slipway/imagebuild/distro"
)

// MirrorError: the metadata of a repository could not be fetched or did not verify.
type MirrorError struct {
	Repository, URL string
	Err             error
	Output          string
}

func (e *MirrorError) Error() string {
	text := fmt.Sprintf("reading the metadata of %s at %s: %v", e.Repository, e.URL, e.Err)
	if said := dnfErrors(e.Output); said != "" {
		text += "\n" + said
	}
	if strings.Contains(e.Output, "GPG signature") {
		return text + "\nhint: the mirror or the key is wrong: never use its packages. image.keys names the keys of a mirror that signs anew"
	}
	return text + "\nhint: check the network, or set image.mirror or image.mirrors." + e.Repository + " to a mirror that you reach"
}

func (e *MirrorError) Unwrap() error { return e.Err }

var failedRepository = regexp.MustCompile(`for repo '([^']+)'`)

// mirrorError finds which repository dnf complains of.
func mirrorError(from []source, err error, out string) error {
	e := &MirrorError{Repository: "the repositories", Err: err, Output: out}
	if m := failedRepository.FindStringSubmatch(out); m != nil {
		e.Repository = m[1]
		for _, s := range from {
			if s.name == m[1] {
				e.URL = s.url
			}
		}
	}
	return e
}

// UnresolvedError: the packages do not exist or do not fit together.
type UnresolvedError struct {
	Missing []string
	Kept    bool // locked packages are in the way, perhaps
	Output  string
}

func (e *UnresolvedError) Error() string {
	if len(e.Missing) > 0 {
		return fmt.Sprintf("resolving packages: not in the repositories: %s\nhint: check image.packages for a typo, or name the repository that has it in image.repositories", strings.Join(e.Missing, ", "))
	}
	text := "resolving packages: they do not fit together\n" + dnfErrors(e.Output)
	if e.Kept {
		text += "\nhint: slipway.lock keeps the versions that it has: build with --update=NAME of the packages above, or with --update for all of today's"
	}
	return text
}

// ExitCode makes it wrong input.
func (*UnresolvedError) ExitCode() int { return 2 }

var missingName = regexp.MustCompile(`(?m)^No match for argument: (\S+)`)

// unresolved says why dnf found no answer: a package that is not there, or a locked one that is gone.
func unresolved(out string, keep []distro.Package, gone []*distro.GoneError) error {
	e := &UnresolvedError{Kept: len(keep) > 0, Output: out}
	var errs []error
	for _, m := range missingName.FindAllStringSubmatch(out, -1) {
		e.Missing = append(e.Missing, m[1])
	}
	for _, g := range gone {
		if slices.Contains(e.Missing, g.Package.Name) || regexp.MustCompile(`\b`+regexp.QuoteMeta(g.Package.Name)+`\b`).MatchString(dnfErrors(out)) {
			errs = append(errs, g)
		}
	}
	if len(errs) > 0 {
		return errors.Join(errs...)
	}
	slices.Sort(e.Missing)
	e.Missing = slices.Compact(e.Missing)
	return e
}

// dnfErrors keeps the lines in which dnf complains.
func dnfErrors(out string) string {
	var keep []string
	on := false
	for line := range strings.Lines(out) {
		line = strings.TrimRight(line, "\n")
		if on = on || strings.HasPrefix(line, "Error"); on && strings.TrimSpace(line) != "" && !strings.HasPrefix(line, "(") {
			keep = append(keep, "  | "+line)
		}
	}
	return strings.Join(keep[:min(len(keep), 12)], "\n")
}

// SignatureError: a package is not signed by a key that its repository may be signed by.
type SignatureError struct {
	Package, Repository, Said string
	Want                      []string
}

func (e *SignatureError) Error() string {
	said := e.Said
	if said == "" {
		said = "it has no signature"
	}
	return fmt.Sprintf("checking the signature of %s from %s: %s; wanted is one by the key %s\nhint: the mirror or the key is wrong: never use this package",
		e.Package, e.Repository, said, strings.Join(e.Want, " or "))
}

// KernelsError: an image has one kernel.
type KernelsError struct{ Kernels []string }

func (e *KernelsError) Error() string {
	if len(e.Kernels) == 0 {
		return "resolving packages: no package with a kernel among them\nhint: check image.kernelStream"
	}
	return fmt.Sprintf("resolving packages: %d kernels: %s\nhint: an image has one: choose it with image.kernelStream, and take out of image.packages what brings the other",
		len(e.Kernels), strings.Join(e.Kernels, " and "))
}

// ExitCode makes it wrong input.
func (*KernelsError) ExitCode() int { return 2 }

// BesideError: packages that cannot be in an image beside Docker's.
type BesideError struct{ Packages []string }

func (e *BesideError) Error() string {
	return fmt.Sprintf("resolving packages: %s beside docker-ce and containerd.io, which have the same programs\nhint: take out of image.packages what brings it",
		strings.Join(e.Packages, ", "))
}

// ExitCode makes it wrong input.
func (*BesideError) ExitCode() int { return 2 }
