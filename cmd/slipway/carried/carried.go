// Package carried holds the programs for the image that slipway has inside itself, so that one file is all there is to
// install. Start with Program. `make build` and `make release` put them into bin/ before they link slipway; what is
// built by hand without them carries nothing.
package carried

import (
	"bytes"
	"compress/gzip"
	"embed"
	"errors"
	"fmt"
	"io"
	"io/fs"
)

//go:embed bin
var programs embed.FS

// Program is slipwayd or slipway-init, or nil if this slipway was built without it.
func Program(name string) ([]byte, error) {
	return program(programs, "bin/"+name+".gz")
}

// program unpacks one program; nil if there is none of that name.
func program(files fs.FS, name string) ([]byte, error) {
	packed, err := fs.ReadFile(files, name)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	r, err := gzip.NewReader(bytes.NewReader(packed))
	if err != nil {
		return nil, fmt.Errorf("unpacking %s: %w", name, err)
	}
	data, err := io.ReadAll(r)
	if err != nil {
		return nil, fmt.Errorf("unpacking %s: %w", name, err)
	}
	return data, nil
}
