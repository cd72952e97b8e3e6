package pki

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"

	"slipway/internal/durable"

	"filippo.io/age"
)

// recipientsFile, in an encrypted store, names the age recipients of its keys, one a line.
const recipientsFile = "recipients.txt"

// parseRecipients reads age recipients, one a line; no text is no recipients.
func parseRecipients(text string) ([]age.Recipient, error) {
	if strings.TrimSpace(text) == "" {
		return nil, nil
	}
	r, err := age.ParseRecipients(strings.NewReader(text))
	if err != nil {
		return nil, fmt.Errorf("reading age recipients: %w\nhint: a recipient looks like age1...; `age-keygen` makes one", err)
	}
	return r, nil
}

// ParseIdentities reads an age identity file.
func ParseIdentities(r io.Reader) ([]age.Identity, error) {
	ids, err := age.ParseIdentities(r)
	if err != nil {
		// The parser's message may quote the line, and the line may be a secret.
		return nil, inputError{errors.New("reading age identities: no valid AGE-SECRET-KEY-1... line")}
	}
	return ids, nil
}

func encrypt(data []byte, to []age.Recipient) ([]byte, error) {
	var out bytes.Buffer
	w, err := age.Encrypt(&out, to...)
	if err != nil {
		return nil, err
	}
	if _, err := w.Write(data); err != nil {
		return nil, err
	}
	if err := w.Close(); err != nil {
		return nil, err
	}
	return out.Bytes(), nil
}

func (d *Dir) decrypt(name string, sealed []byte) ([]byte, error) {
	if len(d.identities) == 0 {
		return nil, inputError{fmt.Errorf("reading the secrets: the keys in %q are encrypted\nhint: give the identity with --age-identity FILE", d.path)}
	}
	r, err := age.Decrypt(bytes.NewReader(sealed), d.identities...)
	if err != nil {
		var none *age.NoIdentityMatchError
		if errors.As(err, &none) {
			return nil, inputError{fmt.Errorf("reading the secrets: the age identity opens no key in %q", d.path)}
		}
		return nil, fmt.Errorf("decrypting %q: %w", name, err)
	}
	data, err := io.ReadAll(r)
	if err != nil {
		return nil, fmt.Errorf("decrypting %q: %w", name, err)
	}
	return data, nil
}

// write puts a file in place whole: temp file beside it, fsync, rename, fsync of the folder.
func (d *Dir) write(name string, data []byte) error {
	path := filepath.Join(d.path, filepath.FromSlash(name))
	dir := filepath.Dir(path)
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return fmt.Errorf("writing the secrets: %w", err)
	}
	if err := durable.Write(path, data, 0o600); err != nil {
		return fmt.Errorf("writing the secrets: %w", err)
	}
	return nil
}
