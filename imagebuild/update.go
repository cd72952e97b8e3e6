package imagebuild

import (
	"slices"

	"slipway/cluster"
)

// Update names what may change although the lock pins it: packages, payloads, or All.
type Update []string

// All updates everything that the lock pins.
const All = "all"

// payload says whether a payload may give other bytes than the lock says.
func (u Update) payload(name string) bool { return slices.Contains(u, All) || slices.Contains(u, name) }

// packages says whether packages are to be resolved anew: some name is no payload's.
func (u Update) packages() bool {
	return slices.ContainsFunc(u, func(name string) bool { return !u.isPayload(name) })
}

func (Update) isPayload(name string) bool { return slices.Contains(cluster.PayloadNames(), name) }
