package centos

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"os"
	"strings"

	"slipway/imagebuild/distro"
	"slipway/imagebuild/keyring"
)

const largestKeys = 1 << 20 // bytes of a file with keys

// believe writes, for each repository, the keys that may sign it and no others.
func (d dnf) believe(ctx context.Context, from []source, in distro.ResolveInput, release string) error {
	for _, s := range from {
		files := in.Keys
		if s.own.url != "" {
			file, err := d.ownKey(ctx, s, in.Fetcher.Client, release)
			if err != nil {
				return err
			}
			files = []string{file}
		}
		data, err := keyring.Select(files, s.signers)
		if err != nil {
			return fmt.Errorf("%w\nhint: it must sign the repository %s: check image.keys or image.repositories", err, s.name)
		}
		if err := os.WriteFile(d.keyFile(s.name), armor(data), 0o644); err != nil {
			return err
		}
	}
	return nil
}

// ownKey is the file that has the key of one of the distribution's repositories: from the host, or else from its owner. Which
// key of it is believed says its fingerprint, wherever it comes from.
func (d dnf) ownKey(ctx context.Context, s source, client *http.Client, release string) (string, error) {
	file := strings.ReplaceAll(s.own.file, "RELEASE", release)
	if file != "" {
		if _, err := os.Stat(file); err == nil {
			return file, nil
		} else if !errors.Is(err, fs.ErrNotExist) {
			return "", err
		}
	}
	url := strings.ReplaceAll(s.own.url, "RELEASE", release)
	data, err := get(ctx, client, url)
	if err != nil {
		hint := "is it reachable?"
		if file != "" {
			hint = "install the package distribution-gpg-keys, which has it"
		}
		return "", fmt.Errorf("fetching the key of %s: %w\nhint: %s", s.name, err, hint)
	}
	fetched := d.path("etc/keys", s.name+".fetched")
	return fetched, os.WriteFile(fetched, data, 0o644)
}

// errAbsent: a server says that it has no such file.
var errAbsent = errors.New("it is not there")

// get reads a small file by an http, https or file URL.
func get(ctx context.Context, client *http.Client, url string) ([]byte, error) {
	if path, ok := strings.CutPrefix(url, "file://"); ok {
		data, err := os.ReadFile(path)
		if errors.Is(err, fs.ErrNotExist) {
			return nil, errAbsent
		}
		return data, err
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return nil, err
	}
	resp, err := client.Do(req)
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	switch {
	case resp.StatusCode == http.StatusNotFound || resp.StatusCode == http.StatusGone:
		return nil, errAbsent
	case resp.StatusCode != http.StatusOK:
		return nil, fmt.Errorf("%s answers %s", url, resp.Status)
	}
	return io.ReadAll(io.LimitReader(resp.Body, largestKeys))
}

// armor is the form in which rpm imports keys: RFC 4880, section 6.2. rpm 4.18 wants the checksum too.
func armor(data []byte) []byte {
	out := []byte("-----BEGIN PGP PUBLIC KEY BLOCK-----\n\n")
	for text := base64.StdEncoding.EncodeToString(data); text != ""; {
		n := min(len(text), 64)
		out = append(append(out, text[:n]...), '\n')
		text = text[n:]
	}
	sum := crc24(data)
	out = append(out, '=')
	out = base64.StdEncoding.AppendEncode(out, []byte{byte(sum >> 16), byte(sum >> 8), byte(sum)})
	return append(out, "\n-----END PGP PUBLIC KEY BLOCK-----\n"...)
}

// crc24 is the checksum of an armor: RFC 4880, section 6.1.
func crc24(data []byte) uint32 {
	const start, polynomial = 0xb704ce, 0x1864cfb
	sum := uint32(start)
	for _, b := range data {
		sum ^= uint32(b) << 16
		for range 8 {
			if sum <<= 1; sum&0x1000000 != 0 {
				sum ^= polynomial
			}
		}
	}
	return sum
}
