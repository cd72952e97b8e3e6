// Package keyring picks OpenPGP public keys out of files by their fingerprints, so that a package manager believes those and
// no others. Start with Select. It checks no signature: gpgv and rpm do. Formats: RFC 9580, versions 4 and 6 of keys, in the
// binary form or armored.
package keyring

import (
	"bytes"
	"crypto/sha1" //nolint:gosec // version 4 fingerprints are SHA-1
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
)

// Key is one primary key with all that belongs to it: names, subkeys, signatures.
type Key struct {
	Fingerprint string // of the primary key, upper-case hex
	Data        []byte // binary
}

// MissingError: no file has a key that is wanted.
type MissingError struct {
	Fingerprint string
	Files       []string
	Found       []string // the fingerprints that they have
}

func (e *MissingError) Error() string {
	found := "no key at all"
	if len(e.Found) > 0 {
		found = strings.Join(e.Found, ", ")
	}
	return fmt.Sprintf("looking for the key %s: %s has %s", e.Fingerprint, strings.Join(e.Files, " and "), found)
}

// ExitCode makes it wrong input.
func (*MissingError) ExitCode() int { return 2 }

// Select returns the keys with these fingerprints, binary, one after another, and nothing else of the files.
func Select(files, fingerprints []string) ([]byte, error) {
	var all []Key
	for _, file := range files {
		data, err := os.ReadFile(file)
		if err != nil {
			return nil, fmt.Errorf("reading keys: %w", err)
		}
		keys, err := Parse(data)
		if err != nil {
			return nil, fmt.Errorf("reading keys of %s: %w\nhint: it must be an OpenPGP public key, as `gpg --export` writes it", file, err)
		}
		all = append(all, keys...)
	}
	var out []byte
	for _, want := range fingerprints {
		i := slices.IndexFunc(all, func(k Key) bool { return k.Fingerprint == want })
		if i < 0 {
			missing := &MissingError{Fingerprint: want, Files: files}
			for _, k := range all {
				missing.Found = append(missing.Found, k.Fingerprint)
			}
			return nil, missing
		}
		out = append(out, all[i].Data...)
	}
	return out, nil
}

// Tags of packets.
const (
	tagPublicKey = 6
	tagSecretKey = 5
)

// Parse reads the keys of a file.
func Parse(data []byte) ([]Key, error) {
	if len(data) > 0 && data[0]&0x80 == 0 && bytes.Contains(data, []byte(armorBegin)) {
		var err error
		if data, err = dearmor(data); err != nil {
			return nil, err
		}
	}
	var keys []Key
	for len(data) > 0 {
		tag, body, rest, err := packet(data)
		if err != nil {
			return nil, err
		}
		raw := data[:len(data)-len(rest)]
		data = rest
		switch {
		case tag == tagSecretKey:
			return nil, errors.New("it is a secret key")
		case tag == tagPublicKey:
			print, err := fingerprint(body)
			if err != nil {
				return nil, err
			}
			keys = append(keys, Key{Fingerprint: print})
		case len(keys) == 0:
			return nil, errors.New("it does not begin with a public key")
		}
		last := &keys[len(keys)-1]
		last.Data = append(last.Data, raw...)
	}
	return keys, nil
}

func fingerprint(body []byte) (string, error) {
	switch {
	case len(body) > 0 && body[0] == 4:
		sum := sha1.New()
		sum.Write(binary.BigEndian.AppendUint16([]byte{0x99}, uint16(len(body))))
		sum.Write(body)
		return fmt.Sprintf("%X", sum.Sum(nil)), nil
	case len(body) > 0 && body[0] == 6:
		sum := sha256.New()
		sum.Write(binary.BigEndian.AppendUint32([]byte{0x9b}, uint32(len(body))))
		sum.Write(body)
		return fmt.Sprintf("%X", sum.Sum(nil)), nil
	}
	return "", errors.New("it is a key of a version that is not known; 4 and 6 are")
}
