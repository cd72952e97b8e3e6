package vendored

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"os"
	"path"
	"path/filepath"
	"strings"
)

// Where a folder has things, as paths with slashes.
const (
	IndexName = "vendor.json"
	LockName  = "slipway.lock" // a copy of the one that the folder was filled for
	GoSumName = "go.sum"       // the checksums of all modules in Modules
	Archives  = "archives"     // packages, by digest
	Modules   = "go"           // a module proxy: https://go.dev/ref/mod#goproxy-protocol
	Downloads = "downloads"    // of payloads, by digest
	Keys      = "keys"         // that sign the distribution's archives
)

// A proxy that has this file answers for the checksum database: go then asks nobody else for it.
const sumdbSupported = Modules + "/sumdb/sum.golang.org/supported"

const indexVersion = 1

// Index says what a folder holds. It is written last and names every other file.
type Index struct {
	Version   int       `json:"version"`
	Cluster   string    `json:"cluster"` // whose image it is for
	Toolchain Toolchain `json:"toolchain"`
	Payloads  []Payload `json:"payloads"`
	Files     []File    `json:"files"` // by path
}

// Payload is one whose modules or download the folder has.
type Payload struct {
	Name    string `json:"name"`
	Version string `json:"version"`
	Origin  string `json:"origin"` // as in the lock
}

// File is one file of the folder.
type File struct {
	Path   string `json:"path"`
	Size   int64  `json:"size"` // bytes
	SHA256 string `json:"sha256"`
	What   string `json:"what,omitempty"` // for a person, where the path does not say it: "package jq 1.7.1-6"
}

func (f File) String() string {
	if f.What == "" {
		return f.Path
	}
	return f.Path + " (" + f.What + ")"
}

// readIndex reads and checks a folder's index; digest is that of the file.
func readIndex(dir string) (x Index, digest string, err error) {
	data, err := os.ReadFile(filepath.Join(dir, IndexName))
	if err != nil {
		return x, "", &IndexError{Dir: dir, Problem: err.Error()}
	}
	dec := json.NewDecoder(bytes.NewReader(data))
	dec.DisallowUnknownFields()
	if err := dec.Decode(&x); err != nil {
		return x, "", &IndexError{Dir: dir, Problem: fmt.Sprintf("reading %s: %v", IndexName, err)}
	}
	if x.Version != indexVersion {
		return x, "", &IndexError{Dir: dir, Problem: fmt.Sprintf("%s has version %d, this slipway reads %d", IndexName, x.Version, indexVersion)}
	}
	for _, f := range x.Files {
		if !filepath.IsLocal(f.Path) || path.Clean(f.Path) != f.Path || f.Path == IndexName || f.Size < 0 || strings.ContainsAny(f.Path, "\x00\n\\") {
			return x, "", &IndexError{Dir: dir, Problem: fmt.Sprintf("%s names a file %q of %d bytes, which it cannot hold", IndexName, f.Path, f.Size)}
		}
	}
	return x, digestOf(data), nil
}

func digestOf(data []byte) string {
	sum := sha256.Sum256(data)
	return hex.EncodeToString(sum[:])
}

func (x Index) encode() ([]byte, error) {
	data, err := json.MarshalIndent(x, "", " ")
	return append(data, '\n'), err
}

func (x Index) byPath() map[string]File {
	out := map[string]File{}
	for _, f := range x.Files {
		out[f.Path] = f
	}
	return out
}

// IndexError: a folder is none of ours, or its index cannot be used.
type IndexError struct{ Dir, Problem string }

func (e *IndexError) Error() string {
	return fmt.Sprintf("opening the vendor folder %q: %s\nhint: slipway vendor fills one, where there is a network; for a folder of package archives there is --archives", e.Dir, e.Problem)
}

// ExitCode makes it wrong input.
func (*IndexError) ExitCode() int { return 2 }
