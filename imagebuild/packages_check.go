package imagebuild

import (
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"slipway/cluster"
	"slipway/imagebuild/distro"
)

// checkPackages refuses what no image may hold, whoever asks for it, and a container runtime that is too old for the kubelet.
func (b *builder) checkPackages(pkgs []distro.Package) error {
	for _, p := range pkgs {
		if why, hint := cluster.RefusePackage(p.Name); why != "" {
			return inputError{fmt.Errorf("resolving packages: %s would be in the image, because others depend on it: %s\nhint: %s", p.Name, why, hint)}
		}
	}
	for _, item := range b.plan.Payloads {
		if item.Name == cluster.PayloadKubernetes {
			return checkContainerd(item.Version, pkgs)
		}
	}
	return nil
}

// containerdSince is the first minor of Kubernetes whose kubelet takes no containerd before 2.0.
const containerdSince = 38

var kubernetesMinor = regexp.MustCompile(`^v1\.(\d+)\.`)

// checkContainerd holds the containerd of the packages against the kubelet.
func checkContainerd(kubernetes string, pkgs []distro.Package) error {
	m := kubernetesMinor.FindStringSubmatch(kubernetes)
	if m == nil {
		return nil
	}
	if minor, _ := strconv.Atoi(m[1]); minor < containerdSince {
		return nil
	}
	i := slices.IndexFunc(pkgs, func(p distro.Package) bool { return p.Name == "containerd" || p.Name == "containerd.io" })
	if i < 0 {
		return nil
	}
	version := pkgs[i].Version
	if _, after, ok := strings.Cut(version, ":"); ok {
		version = after
	}
	if !strings.HasPrefix(version, "0.") && !strings.HasPrefix(version, "1.") {
		return nil
	}
	return inputError{fmt.Errorf("resolving packages: Kubernetes %s needs containerd 2.0 or newer, and %s is %s\n"+
		"hint: name Docker's own archive in image.repositories and containerd.io in image.packages", kubernetes, pkgs[i].Name, pkgs[i].Version)}
}
