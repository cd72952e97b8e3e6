// Package ignition is what Slipway changes in Ignition's source before it compiles it: no C library is linked, so that the
// program fits every tree, no systemd is asked, because none runs yet, and nothing of a config's content is printed, whatever
// fails. Start with Apply.
//
// Changed files are those of one version of Ignition, each known by its digest: another version is refused and not
// half-changed. The packages below this folder are copied into Ignition's module as they are; they are tested here.
package ignition

import (
	"crypto/sha256"
	"embed"
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"strings"
)

//go:embed changes accounts/accounts.go asuser/asuser.go blockdev/blockdev.go withhold/withhold.go
var files embed.FS

// replaced are whole files in the module and what they become.
func replaced() map[string]string {
	return map[string]string{
		"internal/as_user/as_user.go":             "asuser/asuser.go",
		"internal/exec/util/blkid.go":             "changes/blkid.go.txt",
		"internal/exec/util/user_group_lookup.go": "changes/user_group_lookup.go.txt",
		"internal/register/providers.go":          "changes/providers.go.txt",
		"internal/systemd/systemd.go":             "changes/systemd.go.txt",
	}
}

// patched are files in the module that keep most of their lines.
func patched() map[string]string {
	return map[string]string{"internal/exec/engine.go": "changes/engine.go.patch", "internal/log/log.go": "changes/log.go.patch"}
}

// added are new files in the module.
func added() map[string]string {
	return map[string]string{
		"internal/slipway/accounts/accounts.go": "accounts/accounts.go",
		"internal/slipway/blockdev/blockdev.go": "blockdev/blockdev.go",
		"internal/slipway/withhold/withhold.go": "withhold/withhold.go",
	}
}

// originals lists, as sha256sum(1) does, every file of the module that is replaced, patched or, named nowhere else,
// removed: what belongs to C.
const originals = "changes/originals.sha256"

// Digest stands for all changes.
func Digest() string {
	h := sha256.New()
	fs.WalkDir(files, ".", func(name string, d fs.DirEntry, err error) error { // embedded files can be read
		if !d.IsDir() {
			fmt.Fprintf(h, "%s %x\n", name, sha256.Sum256(content(name)))
		}
		return nil
	})
	return fmt.Sprintf("%x", h.Sum(nil))
}

// content is an embedded file; the tables above name no other, as a test finds out.
func content(name string) []byte {
	raw, err := files.ReadFile(name)
	if err != nil {
		panic(err)
	}
	return raw
}

// Apply changes the copy of Ignition's module in dir.
func Apply(dir string) error {
	changed := map[string][]byte{}
	for line := range strings.Lines(string(content(originals))) {
		sum, name, _ := strings.Cut(strings.TrimSpace(line), "  ")
		old, err := os.ReadFile(filepath.Join(dir, name))
		if err != nil || fmt.Sprintf("%x", sha256.Sum256(old)) != sum {
			return &OtherVersionError{File: name}
		}
		if err := os.Remove(filepath.Join(dir, name)); err != nil {
			return err
		}
		if patch := patched()[name]; patch != "" {
			text, err := applyPatch(string(old), string(content(patch)))
			if err != nil {
				return fmt.Errorf("applying %s: %w", path.Base(patch), err)
			}
			changed[name] = []byte(text)
		}
	}
	for _, table := range []map[string]string{replaced(), added()} {
		for name, from := range table {
			changed[name] = content(from)
		}
	}
	for name, text := range changed {
		at := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(at), 0o755); err != nil {
			return err
		}
		if err := os.WriteFile(at, text, 0o644); err != nil {
			return err
		}
	}
	return nil
}

// OtherVersionError: the module is not the one that the changes are for.
type OtherVersionError struct{ File string }

func (e *OtherVersionError) Error() string {
	return fmt.Sprintf("changing Ignition: %s is not the file that Slipway's changes are for\n"+
		"hint: leave payloads.ignition.version out; or set payloads.ignition.source to release or file, for a static program of your own", e.File)
}

// ExitCode makes it wrong input.
func (*OtherVersionError) ExitCode() int { return 2 }
