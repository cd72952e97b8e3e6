package debian

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"slipway/imagebuild/distro"
	"slipway/imagebuild/keyring"
)

// believe decides whose signature counts for which archive: the distribution's keys, or those that the request has in their
// place, and for a repository its one key.
func (a *apt) believe(req distro.Request, files []string) error {
	if err := os.MkdirAll(filepath.Join(a.dir, "keys"), 0o755); err != nil {
		return err
	}
	own, err := a.ownKeys(req, files)
	if err != nil {
		return err
	}
	a.trust = map[string]string{}
	for _, s := range a.table.Suites(req.Release) {
		a.trust[s.Name] = "signed-by=" + own
	}
	for _, r := range req.Repositories {
		file, err := a.pick(r.Name, files, []string{r.Signer})
		if err != nil {
			return fmt.Errorf("%w\nhint: check image.repositories: the fingerprint is that of the primary key in the file", err)
		}
		a.trust[r.Name] = "signed-by=" + file
	}
	return nil
}

// ownKeys is the file with the keys that the distribution's own archives must be signed by.
func (a *apt) ownKeys(req distro.Request, files []string) (string, error) {
	if len(req.Signers) > 0 {
		file, err := a.pick("archive", files, req.Signers)
		if err != nil {
			return "", fmt.Errorf("%w\nhint: check image.keys: the fingerprint is that of the primary key in the file", err)
		}
		return file, nil
	}
	prints, pinned := a.table.Fingerprints[req.Release]
	if !pinned {
		return a.table.Keyring, nil
	}
	file, err := a.pick("archive", []string{a.table.Keyring}, prints)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return "", fmt.Errorf("%w\nhint: install %s, or name the key of your mirror in image.keys", err, a.table.KeyringFrom)
	case err != nil:
		return "", fmt.Errorf("%w\nhint: is %s of today?", err, a.table.KeyringFrom)
	}
	return file, nil
}

// pick writes a keyring of these keys alone.
func (a *apt) pick(name string, files, prints []string) (string, error) {
	data, err := keyring.Select(files, prints)
	if err != nil {
		return "", err
	}
	file := filepath.Join(a.dir, "keys", name+".gpg")
	return file, os.WriteFile(file, data, 0o644)
}
