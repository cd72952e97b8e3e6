// Package firstboot is slipwayd: it takes a node from power-on to its place in a serving cluster, and keeps looking
// after it. Nothing is done because it is the first time: every step observes, acts where observation asks for it,
// and observes again, so power may be cut at any moment.
//
// Start with Run, which wires the daemon up, and plan, which lists the steps. Engine gives them their turns, decide holds
// the rules by which an etcd member starts, on what this node and the others remember (witness.go, meet.go). Packages: status (the document that a node tells about itself), journal
// (its durable memory), disk (files that outlast a power cut), peer (the API between nodes), etcd (its members, by etcdctl), wire (who has an address on the segment), kube (the little of the
// Kubernetes API that is needed).
//
// What a node gets is rendered by package roles; this package writes and starts it. It does not install, upgrade or
// build anything, and it opens no shell. A node whose cluster has formed without it, or that lost its data, is brought back by
// next (join.go) and package etcd; it never starts a cluster of its own.
package firstboot
