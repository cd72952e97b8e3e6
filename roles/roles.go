// Package roles turns a node config into everything that the node's roles need: files, systemd units, cluster objects.
//
// Start with Render; each role has a folder with its templates as real files, and testdata holds goldens of whole
// nodes. All of it is pure: no files are read or written, no clock, no randomness. firstboot applies the result at
// every boot; `slipway render` prints the same.
package roles

import (
	"slipway/node"
	"slipway/roles/base"
	"slipway/roles/controlplane"
	"slipway/roles/etcd"
	"slipway/roles/lb"
	"slipway/roles/role"
	"slipway/roles/worker"
)

// The types of the output; package role explains them.
type (
	File   = role.File
	Unit   = role.Unit
	Object = role.Object
	Output = role.Output
)

// Rendering counts the templates of the cluster's objects: it is raised whenever one of them changes, so that control planes of two
// versions know which of them is older, and must not apply its own. testdata/objects.txt has the sums.
const Rendering = 2

// Render returns everything that the roles of cfg.Node ask for. Any error is one of the contract's, so rendering every
// node at build time refuses whatever could fail at boot.
func Render(cfg *node.Config) (Output, error) {
	n, err := role.NewNode(cfg)
	if err != nil {
		return Output{}, err
	}
	parts := []Output{}
	for _, render := range []func(*role.Node) (Output, error){
		base.Render, lb.Render, etcd.Render, controlplane.Render, worker.Render,
	} {
		part, err := render(n)
		if err != nil {
			return Output{}, err
		}
		parts = append(parts, part)
	}
	return role.Merge(parts...)
}
