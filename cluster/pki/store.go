package pki

import (
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"

	"filippo.io/age"

	"slipway/internal/durable"
)

// Store keeps certificates (NAME.crt, NAME.pub) and keys (NAME.key); names may have folders.
type Store interface {
	// Get reads an entry; the error wraps fs.ErrNotExist when there is none.
	Get(name string) ([]byte, error)
	// Put writes an entry, whole or not at all.
	Put(name string, data []byte) error
	// PutAll writes many, each whole or not at all.
	PutAll(entries map[string][]byte) error
	// String says where the store is, for messages.
	String() string
}

// Memory is a Store that is gone with the process: for previews and tests.
type Memory map[string][]byte

// Get reads an entry.
func (m Memory) Get(name string) ([]byte, error) {
	data, ok := m[name]
	if !ok {
		return nil, fmt.Errorf("reading %q: %w", name, fs.ErrNotExist)
	}
	return data, nil
}

// Put writes an entry.
func (m Memory) Put(name string, data []byte) error {
	m[name] = data
	return nil
}

// PutAll writes entries.
func (m Memory) PutAll(entries map[string][]byte) error {
	maps.Copy(m, entries)
	return nil
}

func (Memory) String() string { return "memory" }

// Dir is a Store in a folder: folders 0700, files 0600. If the folder names age recipients, keys are encrypted to them
// (NAME.key.age); certificates are not secret and stay readable.
type Dir struct {
	path       string
	recipients []age.Recipient
	identities []age.Identity
	lock       *os.File
}

// OpenDir opens an existing folder and locks it against other processes until Close. The identities are needed only
// to read keys of an encrypted store.
func OpenDir(path string, identities []age.Identity) (*Dir, error) {
	if _, err := os.Stat(path); errors.Is(err, fs.ErrNotExist) {
		return nil, inputError{fmt.Errorf("opening the secrets: %q: %w\nhint: run `slipway pki init` first", path, fs.ErrNotExist)}
	}
	d := &Dir{path: path, identities: identities}
	if err := d.acquire(); err != nil {
		return nil, err
	}
	text, err := os.ReadFile(filepath.Join(path, recipientsFile))
	if err == nil {
		d.recipients, err = parseRecipients(string(text))
	}
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		d.Close()
		return nil, fmt.Errorf("opening the secrets: %w", err)
	}
	return d, nil
}

// CreateDir makes the folder, or opens it when it exists, for keys encrypted to recipients (none: not encrypted).
// A store's recipients never change: a mix of plain and encrypted keys would surprise.
func CreateDir(path string, recipients []string, identities []age.Identity) (*Dir, error) {
	text := strings.Join(append(sorted(recipients), ""), "\n")
	if _, err := parseRecipients(text); err != nil {
		return nil, inputError{err}
	}
	if err := os.MkdirAll(path, 0o700); err != nil {
		return nil, fmt.Errorf("making the secrets folder: %w", err)
	}
	d, err := OpenDir(path, identities)
	if err != nil {
		return nil, err
	}
	if err := d.settle(text); err != nil {
		d.Close()
		return nil, err
	}
	return d, nil
}

// settle makes text (recipients, one a line) the store's, or checks that it already is.
func (d *Dir) settle(text string) error {
	if text == "" {
		return nil
	}
	have, err := os.ReadFile(filepath.Join(d.path, recipientsFile))
	switch {
	case err == nil && string(have) == text:
		return nil
	case err == nil:
		return inputError{fmt.Errorf("making the secrets folder: %q is encrypted to other recipients, see %s in it", d.path, recipientsFile)}
	case !errors.Is(err, fs.ErrNotExist):
		return fmt.Errorf("making the secrets folder: %w", err)
	}
	if keys, _ := filepath.Glob(filepath.Join(d.path, "*.key")); len(keys) > 0 {
		return inputError{fmt.Errorf("making the secrets folder: %q already holds keys that are not encrypted\nhint: choose another folder with --secrets, or leave --age-recipient out", d.path)}
	}
	if err := d.write(recipientsFile, []byte(text)); err != nil {
		return err
	}
	d.recipients, err = parseRecipients(text)
	return err
}

// acquire takes the folder's lock or says who is in the way.
func (d *Dir) acquire() error {
	f, err := os.Open(d.path)
	if err != nil {
		return fmt.Errorf("opening the secrets: %w", err)
	}
	if err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err != nil {
		f.Close()
		return busyError{fmt.Errorf("opening the secrets: another slipway works in %q", d.path)}
	}
	d.lock = f
	return nil
}

// Close gives the folder free.
func (d *Dir) Close() error { return d.lock.Close() }

func (d *Dir) String() string { return fmt.Sprintf("%q", d.path) }

// Get reads an entry, decrypting keys.
func (d *Dir) Get(name string) ([]byte, error) {
	if !d.encrypts(name) {
		return d.read(name)
	}
	data, err := os.ReadFile(filepath.Join(d.path, filepath.FromSlash(name)+".age"))
	if err != nil {
		return nil, fmt.Errorf("reading the secrets: %w", err)
	}
	return d.decrypt(name, data)
}

// Put writes an entry, encrypting keys.
func (d *Dir) Put(name string, data []byte) error {
	if !d.encrypts(name) {
		return d.write(name, data)
	}
	sealed, err := encrypt(data, d.recipients)
	if err != nil {
		return fmt.Errorf("encrypting %q: %w", name, err)
	}
	return d.write(name+".age", sealed)
}

// PutAll writes entries, encrypting keys.
func (d *Dir) PutAll(entries map[string][]byte) error {
	var files []durable.File
	for _, name := range slices.Sorted(maps.Keys(entries)) {
		data := entries[name]
		if d.encrypts(name) {
			sealed, err := encrypt(data, d.recipients)
			if err != nil {
				return fmt.Errorf("encrypting %q: %w", name, err)
			}
			name, data = name+".age", sealed
		}
		if err := os.MkdirAll(filepath.Dir(filepath.Join(d.path, filepath.FromSlash(name))), 0o700); err != nil {
			return fmt.Errorf("writing the secrets: %w", err)
		}
		files = append(files, durable.File{Name: filepath.FromSlash(name), Mode: 0o600, Fill: durable.Content(data)})
	}
	if err := durable.WriteAll(d.path, files); err != nil {
		return fmt.Errorf("writing the secrets: %w", err)
	}
	return nil
}

func (d *Dir) encrypts(name string) bool {
	return len(d.recipients) > 0 && strings.HasSuffix(name, ".key")
}

// read reads a plain entry and refuses a key that others can read.
func (d *Dir) read(name string) ([]byte, error) {
	path := filepath.Join(d.path, filepath.FromSlash(name))
	info, err := os.Stat(path)
	if err != nil {
		return nil, fmt.Errorf("reading the secrets: %w", err)
	}
	if strings.HasSuffix(name, ".key") && info.Mode().Perm()&0o077 != 0 {
		return nil, inputError{fmt.Errorf("reading the secrets: key %q has mode %#o, so others can read it\nhint: run `chmod 600` on it if you still trust it", path, info.Mode().Perm())}
	}
	data, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("reading the secrets: %w", err)
	}
	return data, nil
}

// busyError says that another process holds the store.
type busyError struct{ error }

func (e busyError) Unwrap() error { return e.error }

// ExitCode makes the command exit with 4.
func (busyError) ExitCode() int { return 4 }
