package imagebuild

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"slices"
	"strings"

	"slipway/imagebuild/distro"
	"slipway/imagebuild/payload"
	"slipway/imagebuild/stage"
	"slipway/internal/durable"
)

// LockName is the file beside the spec that pins every input of an image.
const LockName = "slipway.lock"

// Lock pins what went into an image: with one lock, every build gives the same bytes.
type Lock struct {
	Version  int              `json:"version"`
	Epoch    int64            `json:"epoch"`        // SOURCE_DATE_EPOCH of everything built from this lock
	Asked    distro.Request   `json:"distribution"` // what was asked for; anything else needs another lock
	Tools    Tools            `json:"tools"`        // what made the image: noticed, not pinned
	Packages []distro.Package `json:"packages"`
	Payloads []LockedPayload  `json:"payloads"`
}

// LockedPayload pins one payload: where it came from and what it became.
type LockedPayload struct {
	Name    string            `json:"name"`
	Version string            `json:"version"`
	Origin  string            `json:"origin"`            // gomod <module>@<version>, or a URL or file name and what it must be
	Modules map[string]string `json:"modules,omitempty"` // module@version -> checksum, as in go.sum: all that its programs are made of
	Private []string          `json:"private,omitempty"` // of Modules, those that the checksum database was not asked about
	Files   map[string]string `json:"files"`             // path in the image -> sha256
}

// sums are the checksums that the modules of another build must have.
func (p LockedPayload) sums() []payload.ModuleSum {
	var out []payload.ModuleSum
	for _, at := range slices.Sorted(maps.Keys(p.Modules)) {
		path, version, _ := strings.Cut(at, "@")
		out = append(out, payload.ModuleSum{Path: path, Version: version, Sum: p.Modules[at], Private: slices.Contains(p.Private, at)})
	}
	return out
}

// Version 1 knew neither the tools, nor all modules, nor what was asked of the distribution; what it does not say is new.
const (
	lockVersion   = 2
	oldestVersion = 1
)

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
	if l.Version < oldestVersion || l.Version > lockVersion {
		return nil, &LockError{Path: path, Problem: fmt.Sprintf("version %d, this slipway reads %d to %d", l.Version, oldestVersion, lockVersion)}
	}
	l.Version = lockVersion
	return &l, nil
}

// Write replaces the lock as a whole or not at all, also when the power fails.
func (l *Lock) Write(path string) error {
	data, err := json.MarshalIndent(l, "", "  ")
	if err != nil {
		return err
	}
	if err := durable.Write(path, append(data, '\n'), 0o644); err != nil {
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
