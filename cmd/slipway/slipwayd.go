package main

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"slipway/cmd/slipway/carried"
	"slipway/internal/durable"
)

// daemon is the slipwayd that goes into the image.
type daemon struct {
	path   string // of the file that the image build takes
	sha256 string // of its content, hex
	data   []byte // what slipway carries and path must hold before the build; nil: path is a file of the user's
}

// findDaemon takes the file that the user names, else the one that slipway carries, else one beside slipway, as a
// developer's build may have it. A carried one will lie in the cache, under its digest; nothing is written yet.
func findDaemon(named, cache string) (daemon, error) {
	if named != "" {
		return daemonFile(named, "")
	}
	data, err := carried.Slipwayd()
	if err != nil {
		return daemon{}, fmt.Errorf("looking for slipwayd: %w", err)
	}
	if data != nil {
		sum := sha256.Sum256(data)
		digest := hex.EncodeToString(sum[:])
		return daemon{path: filepath.Join(cache, "programs", "slipwayd-"+digest), sha256: digest, data: data}, nil
	}
	self, err := os.Executable()
	if err != nil {
		return daemon{}, fmt.Errorf("looking for slipwayd: %w", err)
	}
	return daemonFile(filepath.Join(filepath.Dir(self), "slipwayd"),
		"\nhint: this slipway was built without its daemon inside: `make build` builds both; or name one with --slipwayd")
}

func daemonFile(path, hint string) (daemon, error) {
	sum, err := durable.Digest(path)
	if err != nil {
		return daemon{}, usageError{fmt.Errorf("looking for slipwayd: %w%s", err, hint)}
	}
	return daemon{path: path, sha256: sum}, nil
}

// place writes a carried daemon into the cache, unless it lies there already.
func (d daemon) place() error {
	if d.data == nil {
		return nil
	}
	have, err := durable.Digest(d.path)
	if err == nil && have == d.sha256 {
		os.Chtimes(d.path, time.Time{}, time.Now()) // in use: it is not pruned
		return nil
	}
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("placing slipwayd: %w", err)
	}
	if err := os.MkdirAll(filepath.Dir(d.path), 0o755); err != nil {
		return fmt.Errorf("placing slipwayd: %w", err)
	}
	if err := durable.Write(d.path, d.data, 0o755); err != nil {
		return fmt.Errorf("placing slipwayd: %w", err)
	}
	return nil
}
