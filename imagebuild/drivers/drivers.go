// Package drivers knows which distributions there are. Start with Find. It is the only one that imports their drivers:
// everybody else sees a distro.Driver.
package drivers

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"slipway/imagebuild/debian"
	"slipway/imagebuild/distro"
)

func all() map[string]distro.Driver {
	return map[string]distro.Driver{"debian": debian.Driver{}}
}

// Find returns the driver of a distribution by the name that a spec has for it.
func Find(name string) (distro.Driver, error) {
	if d, ok := all()[name]; ok {
		return d, nil
	}
	return nil, fmt.Errorf("finding distribution %q: not known\nhint: take one of %s", name, strings.Join(slices.Sorted(maps.Keys(all())), ", "))
}
