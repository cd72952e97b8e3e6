package verify

import (
	"encoding/json"
	"fmt"
	"io"
	"io/fs"
	"time"
)

// BuildTime is when the image on the disk r of size bytes was built, as its root file system has it. It checks nothing. An
// error means that no image of ours is there.
func BuildTime(r io.ReaderAt, size int64) (time.Time, error) {
	c, err := newLooker(r, size)
	if err != nil {
		return time.Time{}, fmt.Errorf("reading the image's build time: %w", err)
	}
	tree, err := c.openRoot()
	if err != nil {
		return time.Time{}, fmt.Errorf("reading the image's build time: %w", err)
	}
	var image struct{ BuildTime time.Time }
	b, err := fs.ReadFile(tree, facts)
	if err == nil {
		err = json.Unmarshal(b, &image)
	}
	if err != nil {
		return time.Time{}, fmt.Errorf("reading the image's build time: %w", err)
	}
	return image.BuildTime.UTC(), nil
}
