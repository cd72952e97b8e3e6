package vendored

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"path/filepath"

	"slipway/imagebuild/payload"
	"slipway/internal/durable"
)

// Toolchain is the Go toolchain that compiles payloads. The folder has its name and no more: it must be installed.
type Toolchain struct {
	Version  string            `json:"version"`            // go1.26.8
	Programs map[string]string `json:"programs,omitempty"` // those that make the bytes of a program, by name: sha256
}

// programs of the toolchain that decide what comes out.
var programs = []string{"asm", "compile", "go", "link"}

// FindToolchain asks the go that environ finds for its name, and reads its programs.
func FindToolchain(ctx context.Context, run payload.Runner, environ []string, dir string) (Toolchain, error) {
	var out bytes.Buffer
	env := append(append([]string{}, environ...), "GOENV=off", "GOTOOLCHAIN=local", "GOFLAGS=", "GOWORK=off")
	err := run.Run(ctx, payload.Cmd{Args: []string{"go", "env", "-json", "GOVERSION", "GOROOT", "GOTOOLDIR"}, Dir: dir, Env: env, Stdout: &out, Stderr: io.Discard})
	said := map[string]string{}
	if err == nil {
		err = json.Unmarshal(out.Bytes(), &said)
	}
	if err != nil {
		return Toolchain{}, fmt.Errorf("asking go where it is: %w", err)
	}
	t := Toolchain{Version: said["GOVERSION"], Programs: map[string]string{}}
	for _, name := range programs {
		path := filepath.Join(said["GOTOOLDIR"], name)
		if name == "go" {
			path = filepath.Join(said["GOROOT"], "bin", name)
		}
		sum, err := durable.Digest(path)
		if errors.Is(err, fs.ErrNotExist) {
			continue // some are built when they are needed
		}
		if err != nil {
			return t, fmt.Errorf("reading the toolchain: %w", err)
		}
		t.Programs[name] = sum
	}
	return t, nil
}

// Differs names the programs that are other ones than in the other toolchain of the same version.
func (t Toolchain) Differs(other Toolchain) (names []string) {
	for _, name := range programs {
		if a, b := t.Programs[name], other.Programs[name]; a != b && a != "" && b != "" {
			names = append(names, name)
		}
	}
	return names
}
