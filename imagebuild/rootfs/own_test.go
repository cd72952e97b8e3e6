package rootfs

import (
	"path"
	"strings"
	"testing"

	"slipway/node"
)

// TestOwn: what the image has in /etc is on the contract's list of what no config of a user may put in its place, but for
// what is only a default. What lies in /usr must not be hidden by a file of its name in /etc.
func TestOwn(t *testing.T) {
	free := map[string]bool{"/etc/localtime": true, "/etc/docker/daemon.json": true}
	for _, e := range own(t) {
		in := e.Path
		if rest, ok := strings.CutPrefix(in, "/usr/lib/"); ok {
			in = path.Join("/etc", rest)
		}
		if why, _ := node.RefusePath(in); (why == "") != free[in] {
			t.Errorf("%s: refused with %q, free %t", in, why, free[in])
		}
	}
	if why, _ := node.RefuseUnit("slipwayd.service"); why == "" {
		t.Error("a user may replace the daemon's unit")
	}
}
