package firstboot

import (
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"path"
	"strings"

	"slipway/firstboot/peer"
)

// instancePath holds the id of this instance of the node. It lies on the state partition and goes with it: a machine that
// was wiped is another instance.
const instancePath = "/var/lib/slipway/instance"

// openInstance reads the instance's id, and makes it where there is none. One that cannot be read is replaced: for others
// this node is then one that lost its state, which is what they should take it for. An error says that the id is not on
// the disk; it will do until the next start, as a node that comes back as another instance never starts anything anew.
func openInstance(files FS, random io.Reader) (string, error) {
	text, err := files.ReadFile(instancePath)
	if id := strings.TrimSpace(string(text)); err == nil && peer.IsInstance(id) {
		return id, nil
	}
	if errors.Is(err, fs.ErrNotExist) {
		err = nil
	}
	id, made := makeInstance(files, random)
	return id, errors.Join(err, made)
}

func makeInstance(files FS, random io.Reader) (string, error) {
	raw := make([]byte, 16)
	if _, err := io.ReadFull(random, raw); err != nil {
		return "", fmt.Errorf("making an instance: %w", err)
	}
	id := hex.EncodeToString(raw)
	err := files.MkdirAll(path.Dir(instancePath), 0o700)
	if err == nil {
		err = files.WriteFile(instancePath, []byte(id+"\n"), 0o600)
	}
	if err != nil {
		return id, fmt.Errorf("writing the instance: %w", err)
	}
	return id, nil
}
