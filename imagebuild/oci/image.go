// Package oci assembles container images of a single static binary and packs them for preloading into a node.
//
// Start with Pause, CoreDNS or an Image literal, and Save or Write. The archive is an OCI image layout in a tar
// (https://github.com/opencontainers/image-spec/blob/main/image-layout.md) with the names that `ctr images import`
// looks for; layers are not compressed, because the root file system around them is. Equal inputs give equal bytes.
// It neither pulls images nor talks to a registry.
package oci

import (
	"archive/tar"
	"bytes"
	"errors"
	"fmt"
	"os"
	"path"
	"strings"
	"time"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/static"
	"github.com/google/go-containerregistry/pkg/v1/types"
)

// Image is one container image for linux/amd64.
type Image struct {
	Ref     string    // full name: registry.k8s.io/pause:3.10.2
	Binary  string    // of the building machine
	Path    string    // absolute, in the image; also the entry point
	User    string    // "uid:gid"
	Created time.Time // SOURCE_DATE_EPOCH
}

// Pause is the image that holds a pod's namespaces.
func Pause(version, binary string, created time.Time) Image {
	return Image{Ref: "registry.k8s.io/pause:" + version, Binary: binary, Path: "/pause", User: "65535:65535", Created: created}
}

// CoreDNS is the cluster's DNS server. It runs as no root: the pod must let it bind port 53, by the sysctl
// net.ipv4.ip_unprivileged_port_start or by another user with NET_BIND_SERVICE.
func CoreDNS(version, binary string, created time.Time) Image {
	return Image{Ref: "registry.k8s.io/coredns/coredns:" + version, Binary: binary, Path: "/coredns", User: "65532:65532", Created: created}
}

// assemble makes the image in memory; it holds the binary once.
func assemble(i Image) (v1.Image, error) {
	if err := check(i); err != nil {
		return nil, err
	}
	raw, err := layer(i)
	if err != nil {
		return nil, err
	}
	img := mutate.ConfigMediaType(mutate.MediaType(empty.Image, types.OCIManifestSchema1), types.OCIConfigJSON)
	img, err = mutate.Append(img, mutate.Addendum{
		Layer:   static.NewLayer(raw, types.OCIUncompressedLayer),
		History: v1.History{Created: v1.Time{Time: i.Created.UTC()}, CreatedBy: "slipway"},
	})
	if err != nil {
		return nil, err
	}
	config, err := img.ConfigFile()
	if err != nil {
		return nil, err
	}
	config = config.DeepCopy()
	config.OS, config.Architecture, config.Created = "linux", "amd64", v1.Time{Time: i.Created.UTC()}
	config.Config = v1.Config{User: i.User, Entrypoint: []string{i.Path}, WorkingDir: "/"}
	return mutate.ConfigFile(img, config)
}

func check(i Image) error {
	if !path.IsAbs(i.Path) || path.Clean(i.Path) != i.Path || i.Path == "/" {
		return fmt.Errorf("path %q must be absolute and clean", i.Path)
	}
	if i.Created.IsZero() {
		return errors.New("no creation time")
	}
	if name := path.Base(i.Ref); !strings.Contains(name, ":") || strings.HasSuffix(name, ":") {
		return fmt.Errorf("name %q has no tag", i.Ref)
	}
	return nil
}

// layer is the tar of the folders above the binary and the binary itself, all root's and of the creation time.
func layer(i Image) ([]byte, error) {
	content, err := os.ReadFile(i.Binary)
	if err != nil {
		return nil, err
	}
	var buf bytes.Buffer
	buf.Grow(len(content) + 8192)
	w := tar.NewWriter(&buf)
	for _, dir := range parents(i.Path) {
		if err := w.WriteHeader(&tar.Header{Typeflag: tar.TypeDir, Name: dir, Mode: 0o755, ModTime: i.Created.Truncate(time.Second), Format: tar.FormatUSTAR}); err != nil {
			return nil, err
		}
	}
	if err := writeFile(w, strings.TrimPrefix(i.Path, "/"), 0o755, i.Created, content); err != nil {
		return nil, err
	}
	return buf.Bytes(), w.Close()
}

// parents are the folders above an absolute path as tar names, outermost first.
func parents(p string) []string {
	var dirs []string
	for d := path.Dir(p); d != "/"; d = path.Dir(d) {
		dirs = append([]string{strings.TrimPrefix(d, "/") + "/"}, dirs...)
	}
	return dirs
}

func writeFile(w *tar.Writer, name string, mode int64, mtime time.Time, content []byte) error {
	h := &tar.Header{Typeflag: tar.TypeReg, Name: name, Mode: mode, Size: int64(len(content)), ModTime: mtime.Truncate(time.Second), Format: tar.FormatUSTAR}
	if err := w.WriteHeader(h); err != nil {
		return err
	}
	_, err := w.Write(content)
	return err
}
