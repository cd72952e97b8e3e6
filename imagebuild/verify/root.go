package verify

import (
	"slipway/imagebuild/disk"
	"slipway/imagebuild/verity"
)

const mostBlocks = 20 // that are named: a wiped partition need not print a line for each block

// root checks the root partition against the root hash, and then its content.
func (c *checker) root(parts map[string]disk.Partition) {
	hash, ok := c.rootHash()
	if !ok {
		return // the missing hash is a finding already
	}
	rootGUID, treeGUID := disk.VerityGUIDs(hash)
	root, haveRoot := parts[disk.TypeRoot]
	tree, haveTree := parts[disk.TypeVerity]
	for _, p := range []struct {
		there bool
		part  disk.Partition
		want  disk.GUID
		half  string
	}{{haveRoot, root, rootGUID, "first"}, {haveTree, tree, treeGUID, "second"}} {
		if p.there && p.part.GUID != p.want {
			c.find(p.part.Start, "gpt", "partition %q has UUID %s, want %s, the %s half of the root hash", p.part.Name, p.part.GUID, p.want, p.half)
		}
	}
	if haveRoot && haveTree && c.verity(root, tree, hash) {
		c.content(root)
	}
}

// verity reports whether data, tree and hash agree.
func (c *checker) verity(root, tree disk.Partition, hash [32]byte) bool {
	info, err := verity.ReadInfo(c.section(tree))
	switch {
	case err != nil:
		c.find(tree.Start, "verity", "%v", err)
		return false
	case info.DataSize > root.Size || info.HashSize > tree.Size:
		c.find(tree.Start, "verity", "data of %d bytes and hash tree of %d do not fit into their partitions", info.DataSize, info.HashSize)
		return false
	}
	found, err := verity.Verify(c.section(root), c.section(tree), hash)
	if err != nil {
		c.find(tree.Start, "verity", "%v", err)
		return false
	}
	for i, f := range found {
		at, part := root.Start+f.Offset, "root"
		if f.Part == verity.PartTree {
			at, part = tree.Start+f.Offset, "verity"
		}
		if i == mostBlocks {
			c.find(at, part, "more blocks from here on do not match")
			break
		}
		c.find(at, part, "%s", f.Text)
	}
	return len(found) == 0
}

// content looks into the root file system. It runs only on verified data: the reader never sees damage.
func (c *checker) content(root disk.Partition) {
	tree, err := openSquashfs(c.section(root))
	if err != nil {
		c.find(root.Start, "root", "%v", err)
		return
	}
	var texts []string
	c.report.RootFiles, texts = Tree(tree)
	c.report.Debug = c.report.Debug || isDebug(tree)
	for _, text := range texts {
		c.find(root.Start, "root", "%s", text)
	}
	if c.report.RootFiles == 0 {
		c.find(root.Start, "root", "the file system is empty")
	}
}
