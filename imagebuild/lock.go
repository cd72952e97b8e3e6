package imagebuild

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"slipway/imagebuild/debian"
	"slipway/imagebuild/stage"
)

// LockName is the file beside the spec that pins every input of an image.
const LockName = "slipway.lock"

// Lock pins what went into an image: with one lock, every build gives the same bytes.
type Lock struct {
	Version  int              `json:"version"`
	Epoch    int64            `json:"epoch"`   // SOURCE_DATE_EPOCH of everything built from this lock
	Request  string           `json:"request"` // digest of what was asked for; another one needs a new lock
	Packages []debian.Package `json:"packages"`
	Payloads []LockedPayload  `json:"payloads"`
}

// LockedPayload pins one payload: where it came from and what it became.
type LockedPayload struct {
	Name    string            `json:"name"`
	Version string            `json:"version"`
	Origin  string            `json:"origin"`        // gomod:<module>@<version>, a URL or a path
	Sum     string            `json:"sum,omitempty"` // the module's checksum, as in go.sum
	Files   map[string]string `json:"files"`         // path in the image -> sha256
}

const lockVersion = 1

// ReadLock returns nil without an error when there is no lock yet.
func ReadLock(path string) (*Lock, error) {
	data, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("reading the lock: %w", err)
	}
	var l Lock
	if err := json.Unmarshal(data, &l); err != nil {
		return nil, &LockError{Path: path, Problem: err.Error()}
	}
	if l.Version != lockVersion {
		return nil, &LockError{Path: path, Problem: fmt.Sprintf("version %d, this slipway reads %d", l.Version, lockVersion)}
	}
	return &l, nil
}

// Write replaces the lock as a whole or not at all.
func (l *Lock) Write(path string) error {
	data, err := json.MarshalIndent(l, "", "  ")
	if err != nil {
		return err
	}
	tmp := path + ".part"
	err = os.WriteFile(tmp, append(data, '\n'), 0o644)
	if err == nil {
		err = os.Rename(tmp, path)
	}
	if err != nil {
		os.Remove(tmp)
		return fmt.Errorf("writing the lock: %w", stage.Friendly(err))
	}
	return nil
}

// LockError: the file is no lock that this program can read.
type LockError struct{ Path, Problem string }

func (e *LockError) Error() string {
	return fmt.Sprintf("reading %s: %s\nhint: restore it, or delete it and build again to lock anew", e.Path, e.Problem)
}

// ExitCode makes it wrong input.
func (*LockError) ExitCode() int { return 2 }

// DriftError: --locked was asked for and what is there now is not what the lock says.
type DriftError struct{ Lines []string }

func (e *DriftError) Error() string {
	return "the build has drifted from " + LockName + ":\n  " + strings.Join(e.Lines, "\n  ") +
		"\nhint: build without --locked to accept the change, and commit the new lock"
}

// ExitCode is the documented code for drift.
func (*DriftError) ExitCode() int { return 3 }

// driftPayloads compares two payload lists, line by line for a person.
func driftPayloads(locked, now []LockedPayload) []string {
	was := map[string]LockedPayload{}
	for _, p := range locked {
		was[p.Name] = p
	}
	var lines []string
	for _, p := range now {
		old, ok := was[p.Name]
		delete(was, p.Name)
		switch {
		case !ok:
			lines = append(lines, fmt.Sprintf("payload %s %s: not in the lock", p.Name, p.Version))
		case old.Version != p.Version || old.Origin != p.Origin:
			lines = append(lines, fmt.Sprintf("payload %s: locked %s, now %s", p.Name, old.Origin, p.Origin))
		case old.Sum != p.Sum:
			lines = append(lines, fmt.Sprintf("payload %s: the module's checksum was %s, now %s", p.Name, old.Sum, p.Sum))
		}
		if ok && old.Origin == p.Origin {
			lines = append(lines, driftFiles(p.Name, old.Files, p.Files)...)
		}
	}
	for name := range was {
		lines = append(lines, fmt.Sprintf("payload %s: locked, but no longer part of the image", name))
	}
	slices.Sort(lines)
	return lines
}

func driftFiles(name string, old, now map[string]string) []string {
	var lines []string
	for path, sum := range now {
		switch was, ok := old[path]; {
		case !ok:
			lines = append(lines, fmt.Sprintf("payload %s: %s is not in the lock", name, path))
		case was != sum:
			lines = append(lines, fmt.Sprintf("payload %s: %s was sha256 %.12s, now %.12s (another Go or C toolchain?)", name, filepath.Base(path), was, sum))
		}
	}
	for path := range old {
		if _, ok := now[path]; !ok {
			lines = append(lines, fmt.Sprintf("payload %s: %s is locked, but no longer part of it", name, path))
		}
	}
	return lines
}
