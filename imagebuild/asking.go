package imagebuild

import (
	"path/filepath"
	"slices"

	"slipway/cluster"
	"slipway/imagebuild/distro"
	"slipway/kernel"
)

// request is what the spec asks of its distribution.
func request(driver distro.Driver, image cluster.Image, stream kernel.Stream) distro.Request {
	extra := slices.Clone(image.Packages)
	for _, name := range stream.Modules {
		extra = append(extra, from(name, stream))
	}
	req := driver.Request(image.Release, from(stream.Package, stream), extra)
	for _, r := range image.Repositories {
		req.Repositories = append(req.Repositories, distro.Repository{Name: r.Name, Suite: r.Suite, Components: r.Components, Signer: r.Key.Fingerprint})
	}
	for _, key := range image.Keys {
		req.Signers = append(req.Signers, key.Fingerprint)
	}
	slices.Sort(req.Signers)
	req.Signers = slices.Compact(req.Signers)
	return req
}

// from is a package of the stream's kernel, with the archive to take it from.
func from(name string, s kernel.Stream) string {
	if s.Suite == "" {
		return name
	}
	return name + "/" + s.Suite
}

// mirrors are those of the distribution's archives, with what the spec says of single ones, and of the repositories.
func mirrors(driver distro.Driver, image cluster.Image) distro.Mirrors {
	out := driver.Mirrors(image.Release, image.Mirror, image.Security)
	for name, url := range image.Mirrors {
		out[name] = url
	}
	for _, r := range image.Repositories {
		out[r.Name] = r.URL
	}
	return out
}

// keyFiles are the files that the spec names, from where the builder is.
func keyFiles(image cluster.Image, dir string) []string {
	keys := slices.Clone(image.Keys)
	for _, r := range image.Repositories {
		keys = append(keys, r.Key)
	}
	var out []string
	for _, key := range keys {
		if file := filepath.Join(dir, key.File); !slices.Contains(out, file) {
			out = append(out, file)
		}
	}
	return out
}
