package esp

import (
	"bytes"
	"crypto/sha256"
	"fmt"
	"io"
)

// SumsPath is a file that lists the digests of all others, in the format of sha256sum(1). The root has its hash tree; what
// lies here has only this against a bad copy. It is no protection against somebody who means to change a file.
const SumsPath = "EFI/slipway/SHA256SUMS"

// Sums makes that file.
func Sums(files []File) (File, error) {
	var text bytes.Buffer
	for _, f := range files {
		sum := sha256.New()
		if _, err := io.Copy(sum, io.NewSectionReader(f.Data, 0, f.Size)); err != nil {
			return File{}, fmt.Errorf("reading %s: %w", f.Path, err)
		}
		fmt.Fprintf(&text, "%x  %s\n", sum.Sum(nil), f.Path)
	}
	return File{Path: SumsPath, Data: bytes.NewReader(text.Bytes()), Size: int64(text.Len())}, nil
}
