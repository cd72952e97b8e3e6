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

// Programs of ours that go into the image.
const (
	daemonName = "slipwayd"
	initName   = "slipway-init"
)

// ownProgram is one of them.
type ownProgram struct {
	name   string
	path   string // of the file that the image build takes
	sha256 string // of its content, hex
	data   []byte // what slipway carries and path must hold before the build; nil: path is a file of the user's
}

// findProgram takes the file that the user names, else the one that slipway carries, else one beside slipway, as a
// developer's build may have it. A carried one will lie in the cache, under its digest; nothing is written yet.
func findProgram(name, named, cache string) (ownProgram, error) {
	if named != "" {
		return programFile(name, named, "")
	}
	data, err := carried.Program(name)
	if err != nil {
		return ownProgram{}, fmt.Errorf("looking for %s: %w", name, err)
	}
	if data != nil {
		sum := sha256.Sum256(data)
		digest := hex.EncodeToString(sum[:])
		return ownProgram{name: name, path: filepath.Join(cache, "programs", name+"-"+digest), sha256: digest, data: data}, nil
	}
	self, err := os.Executable()
	if err != nil {
		return ownProgram{}, fmt.Errorf("looking for %s: %w", name, err)
	}
	hint := fmt.Sprintf("\nhint: this slipway was built without %s inside: `make build` builds both", name)
	if name == daemonName {
		hint += "; or name one with --slipwayd"
	}
	return programFile(name, filepath.Join(filepath.Dir(self), name), hint)
}

func programFile(name, path, hint string) (ownProgram, error) {
	sum, err := durable.Digest(path)
	if err != nil {
		return ownProgram{}, usageError{fmt.Errorf("looking for %s: %w%s", name, err, hint)}
	}
	return ownProgram{name: name, path: path, sha256: sum}, nil
}

// place writes a carried program into the cache, unless it lies there already.
func (p ownProgram) place() error {
	if p.data == nil {
		return nil
	}
	have, err := durable.Digest(p.path)
	if err == nil && have == p.sha256 {
		os.Chtimes(p.path, time.Time{}, time.Now()) // in use: it is not pruned
		return nil
	}
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("placing %s: %w", p.name, err)
	}
	if err := os.MkdirAll(filepath.Dir(p.path), 0o755); err != nil {
		return fmt.Errorf("placing %s: %w", p.name, err)
	}
	if err := durable.Write(p.path, p.data, 0o755); err != nil {
		return fmt.Errorf("placing %s: %w", p.name, err)
	}
	return nil
}
