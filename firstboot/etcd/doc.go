// Package etcd asks a formed etcd cluster about its members and changes them, one at a time: by etcdctl, which is in the
// image, so that the daemon carries no gRPC (ADR 26).
//
// Start with Client and Lock. Every call goes to one endpoint, has a bound in time, and is made by somebody else's will: which
// member may be removed for whom is not decided here. What etcdctl prints as JSON are etcd's own messages (api/etcdserverpb).
package etcd

import "time"

// Bounds of a call. A member that hangs costs no more than this.
const (
	dialTimeout    = 2 * time.Second
	commandTimeout = 4 * time.Second
	callTimeout    = 5 * time.Second // with the start of the program
)
