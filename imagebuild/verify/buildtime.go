package verify

import (
	"encoding/json"
	"fmt"
	"io"
	"io/fs"
	"time"

	"slipway/imagebuild/disk"
)

// BuildTime is when the image on the disk r of size bytes was built, as its root file system has it. It checks nothing. An
// error means that no image of ours is there.
func BuildTime(r io.ReaderAt, size int64) (time.Time, error) {
	table, _, err := disk.ReadTable(r, size)
	if err != nil {
		return time.Time{}, fmt.Errorf("reading the image's build time: %w", err)
	}
	c := &checker{r: r, table: table, report: &Report{Size: size}}
	root, ok := c.partitions()[disk.TypeRoot]
	if !ok {
		return time.Time{}, fmt.Errorf("reading the image's build time: there is no %s partition", disk.RootA)
	}
	tree, err := openSquashfs(c.section(root))
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
