package layout_test

import (
	"testing"

	"slipway/cluster"
	"slipway/imagebuild/layout"
)

// TestSizesAgree: what the spec promises about the disk is what the image builder lays out.
func TestSizesAgree(t *testing.T) {
	for _, slot := range []cluster.Size{64 * cluster.MiB, 450 * cluster.MiB, 4 * cluster.GiB} {
		layout := layout.New(int64(slot))
		if got := int64(cluster.VeritySize(slot)); got != layout.Verity {
			t.Errorf("%s: hash tree of %d bytes, laid out with %d", slot, got, layout.Verity)
		}
		if got := int64(cluster.Image{RootSlot: slot}.MinSize()); got != layout.MinDisk() {
			t.Errorf("%s: smallest disk %d bytes, laid out with %d", slot, got, layout.MinDisk())
		}
	}
}
