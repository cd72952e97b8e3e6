package verify

import (
	"crypto/sha256"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"

	"slipway/imagebuild/esp"
)

const maxSums = 64 << 10 // bytes of the list; a line a file

// sums compares the files of the EFI system partition at byte start of the disk with their list.
func (c *checker) sums(start int64, files []esp.Entry) {
	i := slices.IndexFunc(files, func(f esp.Entry) bool { return f.Path == esp.SumsPath })
	if i < 0 {
		c.find(start, "esp", "there is no %s", esp.SumsPath)
		return
	}
	list, err := io.ReadAll(io.LimitReader(files[i], maxSums))
	if err != nil {
		c.find(start+files[i].Offset, "esp", "%s: %v", esp.SumsPath, err)
		return
	}
	want := map[string]string{}
	for line := range strings.Lines(string(list)) {
		sum, path, _ := strings.Cut(strings.TrimSuffix(line, "\n"), "  ")
		want[path] = sum
	}
	for _, f := range files {
		if f.Path == esp.SumsPath {
			continue
		}
		sum := sha256.New()
		if _, err := io.Copy(sum, io.NewSectionReader(f, 0, f.Size)); err != nil {
			c.find(start+f.Offset, "esp", "%s: %v", f.Path, err)
		} else if want[f.Path] != fmt.Sprintf("%x", sum.Sum(nil)) {
			c.find(start+f.Offset, "esp", "%s is not as %s has it", f.Path, esp.SumsPath)
		}
		delete(want, f.Path)
	}
	for _, path := range slices.Sorted(maps.Keys(want)) {
		c.find(start, "esp", "%s is missing, and %s has it", path, esp.SumsPath)
	}
}
