package imagebuild

import (
	"strings"
	"testing"

	"slipway/imagebuild/distro"
	"slipway/imagebuild/payload"
)

// What no image holds is refused also when only a dependency brings it, and a containerd that the kubelet would not take.
func TestCheckPackages(t *testing.T) {
	for _, c := range []struct{ kubernetes, pkg, version, want string }{
		{"v1.36.3", "containerd", "1.7.24~ds1-6", ""},
		{"v1.38.0", "containerd", "1.7.24~ds1-6", "Kubernetes v1.38.0 needs containerd 2.0 or newer, and containerd is 1.7.24~ds1-6\nhint: name Docker's own archive"},
		{"v1.38.0", "containerd", "2.0.5-1", ""},
		{"v1.38.0", "containerd.io", "5:1.7.28-1", "containerd.io is 5:1.7.28-1"},
		{"v1.38.0", "containerd.io", "5:2.1.5-1~ubuntu.24.04~noble", ""},
		{"v1.36.3", "snapd", "2.70", "snapd would be in the image, because others depend on it"},
		{"v1.36.3", "cloud-init", "25.2", "cloud-init would be in the image"},
	} {
		b := &builder{plan: &Plan{Payloads: []payload.Item{{Name: "kubernetes", Version: c.kubernetes}}}}
		err := b.checkPackages([]distro.Package{{Name: "jq", Version: "1.7"}, {Name: c.pkg, Version: c.version}})
		if (err == nil) != (c.want == "") || err != nil && (!strings.Contains(err.Error(), c.want) || code(err) != 2) {
			t.Errorf("%+v: got %v", c, err)
		}
	}
}
