package cluster

import (
	"encoding/json"
	"fmt"
	"slices"

	"go.yaml.in/yaml/v3"

	"slipway/node"
)

// FileSystems are those that Ignition can make on first boot, with tools of the root, each with the package that brings its tool and is not in
// every image; "" for none.
var FileSystems = map[string]string{"ext4": "", "swap": "", "vfat": "dosfstools", "xfs": "xfsprogs"}

// ignitionConfig is what is judged of an Ignition config, the same in every version 3.
type ignitionConfig struct {
	KernelArguments struct{ ShouldExist, ShouldNotExist []string }
	Storage         struct {
		Files, Directories, Links []struct{ Path string }
		Filesystems               []struct{ Device, Path, Format string }
		Raid, Luks                []struct{ Name string }
	}
	Systemd struct {
		Units []struct {
			Name, Contents string
			Enabled, Mask  *bool
		}
	}
}

// checkIgnition refuses what is valid for Butane but cannot work in this spec's image, or would take the place of what
// Slipway writes.
func (d *document) checkIgnition(root *yaml.Node, config []byte, s *Spec) {
	var c ignitionConfig
	if len(config) == 0 {
		return
	}
	if err := json.Unmarshal(config, &c); err != nil {
		d.addAt(span{1, 1, 1}, Problem{Message: fmt.Sprintf("Butane made an Ignition config that cannot be read: %v", err), Hint: butaneHint})
		return
	}
	if len(c.KernelArguments.ShouldExist)+len(c.KernelArguments.ShouldNotExist) > 0 {
		at := child(root, "kernel_arguments")
		if at == nil {
			at = root
		}
		d.addAt(spanOf(at), Problem{Message: "kernel arguments cannot be changed by a node's config", Hint: "they are part of the image: use kernel.cmdline in the spec"})
	}
	for _, p := range c.Storage.Directories {
		why, hint := s.refusePath(p.Path)
		d.butaneValue(root, p.Path, why, hint)
	}
	for _, p := range slices.Concat(c.Storage.Files, c.Storage.Links) {
		why, hint := s.refuseFile(p.Path)
		d.butaneValue(root, p.Path, why, hint)
	}
	for _, u := range c.Systemd.Units {
		if u.Contents != "" || u.Enabled != nil || u.Mask != nil {
			why, hint := node.RefuseUnit(u.Name)
			d.butaneValue(root, u.Name, why, hint)
		}
	}
	d.checkDisks(root, c, s)
}

// checkDisks knows what tools there are when Ignition runs.
func (d *document) checkDisks(root *yaml.Node, c ignitionConfig, s *Spec) {
	for _, r := range c.Storage.Raid {
		d.butaneValue(root, r.Name, fmt.Sprintf("the RAID %q cannot be made: the image has no mdadm", r.Name), "leave RAID to the hardware or the hypervisor")
	}
	for _, l := range c.Storage.Luks {
		d.butaneValue(root, l.Name, fmt.Sprintf("the LUKS volume %q cannot be made: the initrd has no cryptsetup", l.Name), "leave encryption to the hardware or the hypervisor")
	}
	for _, f := range c.Storage.Filesystems {
		if f.Path != "" {
			why, hint := s.refuseMount(f.Path)
			d.butaneValue(root, f.Path, why, hint)
		}
		if f.Format == "" || f.Format == "none" {
			continue
		}
		pkg, known := FileSystems[f.Format]
		switch {
		case !known:
			d.butaneValue(root, f.Format, fmt.Sprintf("the file system %q cannot be made: the initrd has no tool for it", f.Format), allowed(f.Format, sortedKeys(FileSystems)))
		case pkg != "" && !slices.Contains(s.Image.Packages, pkg):
			d.butaneValue(root, f.Format, fmt.Sprintf("the file system %q cannot be made: the image has no tool for it", f.Format), "add "+pkg+" to image.packages")
		}
	}
}

// refusePath is the node's rule, and what this spec has written besides.
func (s *Spec) refusePath(file string) (why, hint string) {
	if file == node.ChronyConf && len(s.Network.NTP) > 0 {
		return file + " is slipway's own", "name the time servers in network.ntp, or remove those"
	}
	for registry := range s.Runtime.Mirrors {
		if file == node.MirrorFile(registry) {
			return file + " is slipway's own", "name the mirrors in runtime.mirrors, or remove the registry there"
		}
	}
	return node.RefusePath(file)
}

// refuseFile is refusePath for a file or a link, which cannot be where there has to be a folder.
func (s *Spec) refuseFile(file string) (why, hint string) {
	if why, hint := s.refusePath(file); why != "" {
		return why, hint
	}
	if own := s.holds(file); own != "" {
		return node.RefuseFolder(file, own)
	}
	return node.RefuseFile(file)
}

// refuseMount is refusePath for a file system, which would hide what is below it.
func (s *Spec) refuseMount(dir string) (why, hint string) {
	if why, hint := node.RefuseMount(dir); why != "" {
		return why, hint
	}
	if own := s.holds(dir); own != "" {
		return node.RefuseHiding(dir, own)
	}
	return s.refusePath(dir)
}

// holds says what a path has below it of that which only this spec has written.
func (s *Spec) holds(file string) string {
	var written []string
	if len(s.Network.NTP) > 0 {
		written = append(written, node.ChronyConf)
	}
	for _, registry := range sortedKeys(s.Runtime.Mirrors) {
		written = append(written, node.MirrorFile(registry))
	}
	for _, own := range written {
		if node.Above(file, own) {
			return own + ", which is slipway's own"
		}
	}
	return ""
}

// butaneValue reports a problem, if there is one, where the file has the value.
func (d *document) butaneValue(root *yaml.Node, text, why, hint string) {
	if why == "" {
		return
	}
	at := findScalar(root, text)
	if at == nil { // Butane's sugar made it of something else
		at = root
	}
	d.addAt(spanOf(at), Problem{Message: why, Hint: hint})
}

// findScalar is the first scalar that reads so.
func findScalar(n *yaml.Node, text string) *yaml.Node {
	if n.Kind == yaml.ScalarNode && n.Value == text {
		return n
	}
	for _, child := range n.Content {
		if found := findScalar(child, text); found != nil {
			return found
		}
	}
	return nil
}
