package main

import (
	"fmt"
	"strings"

	"slipway/internal/testapt"
)

// extra are the modules that Ubuntu keeps apart from the kernel's own: enough of them that an image without misses some.
var extra = []string{"/kernel/net/netfilter/ipvs/", "/kernel/drivers/net/wireguard/", "/kernel/drivers/net/ethernet/mellanox/", "/kernel/sound/", "/kernel/drivers/iio/"}

// depmod is what the packages of modules run when they are configured.
const depmod = "#!/bin/sh\nset -e\n[ \"$1\" != configure ] || depmod %s\n"

// shapeKernel makes of Debian's kernel the packages that Ubuntu's is divided into. Its version stays: it is compiled into it.
func shapeKernel(in input, version string, read func(string) (*testapt.Deb, error)) ([]shaped, error) {
	if version == "" {
		return nil, fmt.Errorf("the lock has no kernel of packages of its own: take the stream backports of trixie")
	}
	var debs [4]*testapt.Deb
	for i, part := range []string{"image", "binary", "base", "modules"} {
		var err error
		if debs[i], err = read("linux-" + part + "-" + version); err != nil {
			return nil, err
		}
	}
	image, binary, base, modules := debs[0], debs[1], debs[2], debs[3]
	debVersion := image.Get("Version")
	own := control("linux-modules-"+version, debVersion, "kmod")
	more := control("linux-modules-extra-"+version, debVersion, "linux-image-"+version)
	for _, m := range append(base.Files, modules.Files...) {
		to := own
		for _, part := range extra {
			if strings.Contains(m.Name, part) {
				to = more
			}
		}
		if name, ok := strings.CutPrefix(m.Name, "./usr/lib/modules/"); ok {
			m.Name = "./lib/modules/" + name // as in noble: the image's merged folders make the same of it
			to.Files = append(to.Files, m)
		}
	}
	for _, d := range []*testapt.Deb{own, more} {
		d.Scripts = append(d.Scripts, testapt.File("postinst", 0o755, fmt.Appendf(nil, depmod, version)))
	}
	boot := control("linux-image-"+version, debVersion, "kmod, linux-base (>= 4.5), linux-modules-"+version)
	boot.Scripts = nil // Debian's run hooks that would copy the kernel
	for _, m := range append(binary.Files, base.Files...) {
		for from, to := range map[string]string{"vmlinuz": "vmlinuz", "config": "config", "System.map": "System.map"} {
			if strings.HasSuffix(m.Name, "/modules/"+version+"/"+from) {
				mode := int64(0o600) // Ubuntu's kernels are root's alone to read
				if from == "config" {
					mode = 0o644
				}
				boot.Files = append(boot.Files, testapt.File("boot/"+to+"-"+version, mode, m.Data))
			}
		}
	}
	metas := []string{"linux-image-" + version, "linux-modules-extra-" + version, "linux-firmware", "intel-microcode", "amd64-microcode"}
	if in.bare {
		metas = append(metas[:1], metas[2:]...)
	}
	out := []shaped{{component: "main", deb: own}, {component: "main", deb: more}, {component: "main", deb: boot}}
	for _, name := range []string{"linux-image-generic-hwe-" + versions[in.release], "linux-image-generic"} {
		out = append(out, shaped{component: "main", deb: control(name, debVersion, strings.Join(metas, ", "))})
	}
	for i := range out {
		out[i].pocket = "-updates"
	}
	return out, nil
}

// control is a package of the kernel's without files.
func control(name, version, depends string) *testapt.Deb {
	d := testapt.New("Package: "+name+"\nSource: linux\nVersion: "+version+"\nArchitecture: amd64\nMaintainer: Ubuntu <kernel@example.org>\n"+
		"Section: kernel\nPriority: optional\nDescription: Linux, as Ubuntu divides it\n", nil)
	d.Set("Depends", depends)
	return d
}
