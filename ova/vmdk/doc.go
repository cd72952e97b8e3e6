// Package vmdk writes, reads and checks disks in VMware's streamOptimized format, version 3: the compressed form that an
// OVA carries and vCenter imports.
//
// Start with [Write], which makes a file from a disk image, [Open], which reads one made by anybody, and [Lint], which
// names everything in a file that Write would have done differently.
//
// A file is a stream of 512-byte sectors, numbers in it little endian:
//
//	header      1 sector: [4]"KDMV", version 3, flags, sizes and places of what follows
//	descriptor  20 sectors: text, padded with zeros
//	directory   a uint32 for each grain table: its sector
//	tables      4 sectors each: a uint32 for each of 512 grains: the sector of its marker, 0 for a hole
//	grains      each a marker (uint64 sector on the disk, uint32 length), then 64 KiB as zlib, padded to sectors
//	end         1 sector of zeros
//
// Programs may put the tables at the front, as above, or after the grains that they describe, each behind a marker of
// its own, with a second header (the footer) before the end. Write puts them at the front and so needs to write there
// last; why is in docs/adr/0005-vmdk-layout.md. Open and Lint know both.
//
// Same content, same bytes: the only identity in a file is its content ID, and that is a hash of the content. What is
// zero on the disk is not in the file. The capacity is the image's size rounded up to a MiB, the unit in which an OVF
// counts.
//
// The package does not write other kinds of VMDK (sparse, flat, split, delta), and does not change existing files.
//
// Format: VMware's "Virtual Disk Format 5.0", with what its readers really ask for where that text is silent or wrong:
// grains are zlib streams (RFC 1950) and not bare deflate, the version must be 3, and the last sector must be the end
// marker.
package vmdk
