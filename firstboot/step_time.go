package firstboot

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"time"

	"slipway/node"
)

// ImagePath holds facts about the image, written when it was built.
const ImagePath = "/usr/lib/slipway/image.json"

// clockFloor is a moment that has certainly passed: the image was built and the certificates were issued before it.
func clockFloor(files FS, cfg *node.Config) (time.Time, error) {
	data, err := files.ReadFile(ImagePath)
	if errors.Is(err, fs.ErrNotExist) {
		return cfg.NotBefore, nil
	}
	if err != nil {
		return time.Time{}, fmt.Errorf("reading image facts: %w", err)
	}
	var image struct {
		BuildTime time.Time `json:"buildTime"`
	}
	if err := json.Unmarshal(data, &image); err != nil {
		return time.Time{}, fmt.Errorf("reading %s: %w", ImagePath, err)
	}
	if image.BuildTime.After(cfg.NotBefore) {
		return image.BuildTime, nil
	}
	return cfg.NotBefore, nil
}

// observeTime lets a node without any time source go on as long as its clock is not certainly wrong.
func (n *machine) observeTime(ctx context.Context) (Finding, error) {
	floor, err := clockFloor(n.FS, n.cfg)
	if err != nil {
		return Finding{}, err
	}
	if !n.Clock.Now().Before(floor) {
		return OK(), nil
	}
	waiting := "time: the clock is before " + floor.UTC().Format(time.RFC3339)
	u, err := n.unit(ctx, "chrony.service")
	if err != nil {
		return Finding{}, err
	}
	if u.load == "loaded" && u.active == "inactive" && !u.queued {
		return Need(waiting), nil
	}
	return Wait(waiting), nil
}

func (n *machine) actTime(ctx context.Context) error { return n.startUnit("chrony.service")(ctx) }
