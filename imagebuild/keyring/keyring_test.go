package keyring

import (
	"bytes"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"slipway/internal/testapt"
)

func newKey(t *testing.T, name string) *testapt.Key {
	t.Helper()
	key, err := testapt.NewKey(name, time.Unix(1_780_000_000, 0), 0)
	if err != nil {
		t.Fatal(err)
	}
	return key
}

func write(t *testing.T, data []byte) string {
	t.Helper()
	file := filepath.Join(t.TempDir(), "keys")
	if err := os.WriteFile(file, data, 0o644); err != nil {
		t.Fatal(err)
	}
	return file
}

// Of several keys, armored and not, only those that are asked for come out, whole.
func TestSelect(t *testing.T) {
	a, b, c := newKey(t, "a"), newKey(t, "b"), newKey(t, "c")
	binary, err := dearmor(b.Public)
	if err != nil {
		t.Fatal(err)
	}
	files := []string{write(t, append(a.Public, c.Public...)), write(t, binary)}
	data, err := Select(files, []string{c.Fingerprint, b.Fingerprint})
	if err != nil {
		t.Fatal(err)
	}
	keys, err := Parse(data)
	if err != nil || len(keys) != 2 || keys[0].Fingerprint != c.Fingerprint || !bytes.Equal(keys[1].Data, binary) {
		t.Errorf("got %d keys, %v", len(keys), err)
	}
	_, err = Select(files[1:], []string{a.Fingerprint})
	missing, ok := errors.AsType[*MissingError](err)
	if !ok || !slices.Equal(missing.Found, []string{b.Fingerprint}) || !strings.Contains(err.Error(), files[1]) {
		t.Errorf("got %v", err)
	}
}

// gpg names the same keys as we do, of Debian's keyring, where elliptic curves and old packets are.
func TestAgainstGPG(t *testing.T) {
	const file = "/usr/share/keyrings/debian-archive-keyring.gpg"
	cmd := exec.Command("gpg", "--batch", "--homedir", t.TempDir(), "--with-colons", "--show-keys", file)
	out, err := cmd.Output()
	if err != nil {
		t.Fatal(err)
	}
	var want []string
	primary := false
	for line := range strings.Lines(string(out)) {
		f := strings.Split(strings.TrimSpace(line), ":")
		switch {
		case f[0] == "pub":
			primary = true
		case f[0] == "fpr" && primary:
			want, primary = append(want, f[9]), false
		}
	}
	data, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	keys, err := Parse(data)
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, k := range keys {
		got = append(got, k.Fingerprint)
	}
	if !slices.Equal(got, want) || len(want) < 2 {
		t.Errorf("got %q\nwant %q", got, want)
	}
}

func TestParseRefuses(t *testing.T) {
	key := newKey(t, "a").Public
	binary, err := dearmor(key)
	if err != nil {
		t.Fatal(err)
	}
	for what, data := range map[string][]byte{
		"cut":         binary[:len(binary)-3],
		"text":        []byte("hello"),
		"armor":       bytes.Replace(key, []byte("-----END PGP PUBLIC KEY BLOCK-----"), nil, 1),
		"no key":      binary[len(binary)-300:],
		"old version": {0xc6, 2, 3, 0},
	} {
		if keys, err := Parse(data); err == nil {
			t.Errorf("%s: %d keys", what, len(keys))
		}
	}
}

// Whatever a file holds, it is read or refused, and what comes out is part of it.
func FuzzParse(f *testing.F) {
	f.Add([]byte{0xc6, 1, 4})
	f.Add([]byte{0x99, 0, 1, 4, 0xb4, 1, 'a'})
	f.Add([]byte("-----BEGIN PGP PUBLIC KEY BLOCK-----\n\nxgEE\n-----END PGP PUBLIC KEY BLOCK-----\n"))
	f.Fuzz(func(t *testing.T, data []byte) {
		keys, err := Parse(data)
		if err != nil {
			return
		}
		for _, k := range keys {
			if again, err := Parse(k.Data); err != nil || len(again) != 1 || again[0].Fingerprint != k.Fingerprint {
				t.Errorf("%x: %v", k.Data, err)
			}
		}
	})
}
