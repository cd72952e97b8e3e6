// Package vsphere puts the machines of a cluster on a vCenter: it makes a template of an OVA, clones a machine a node from
// it, hands each its Ignition config, and takes the config away again when the node has scrubbed its own copy.
//
// Start with [Connect]; then [Client.Import], [Client.Deploy], [Client.Destroy] and [Client.Observe]. What is to be done is
// decided by pure functions, [NewImportPlan], [NewPlan] and [NewDestroyPlan], from what is wanted and what was found; the
// rest only carries it out. Whatever fails half-way takes back what it made.
//
// The package does not know what is in a config, nor how a node is asked whether it lives: both come in as values. It
// speaks the vSphere Web Services API for machines and vCenter's REST API for the content library and tags
// (https://developer.broadcom.com/xapis). It was tried with the vCenter simulator of govmomi only.
package vsphere

import (
	"crypto/sha256"
	"encoding/hex"
)

// Cluster is what is wanted.
type Cluster struct {
	ID         string // marks what is ours; a DNS label
	Place      Place
	Template   string // the nodes' machines are cloned from
	SecureBoot bool
	Linked     bool   // new machines are linked clones
	Nodes      []Node // in the order in which they are worked on
}

// Place is where machines live, by name. An empty name is that of the only one there is; an empty Pool and Folder are the
// roots.
type Place struct {
	Datacenter, Cluster, Pool, Folder, Datastore string
}

// Node is one machine that is wanted.
type Node struct {
	Name      string // of the node
	VM        string // of its machine
	CPUs      int
	MemoryMiB int64
	Disk      int64  // bytes, at least
	Network   string // port group; "" for the only one
	MAC       string // of the card, lower case with colons; "" for one that vCenter chooses
	Spread    bool   // on another host than others that are
	Guestinfo Guestinfo
}

// Guestinfo is a node's Ignition config as the guest gets it. Digest is of the config itself, however it is handed over.
type Guestinfo struct {
	Data, Encoding string
	Digest         string
}

// Digest is how configs and images are named in marks: SHA-256 in hex.
func Digest(data []byte) string {
	sum := sha256.Sum256(data)
	return hex.EncodeToString(sum[:])
}

// Progress shows people what goes on: Begin and End of a step, and how much of it is done.
type Progress interface {
	Begin(step string)
	Bytes(done, total int64)
	End(step, detail string, cached bool)
}
