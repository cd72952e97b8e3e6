package oci

import (
	"archive/tar"
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"os"
	"slices"
	"time"

	"slipway/internal/durable"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/types"
)

// The annotations of an index entry: containerd names the image by the first, other tools by the second.
const (
	annotationName = "io.containerd.image.name"
	annotationRef  = "org.opencontainers.image.ref.name"
)

// Save writes the image's archive to path, which appears only when it is complete, and returns the manifest's digest
// ("sha256:...").
func Save(path string, image Image) (digest string, err error) {
	err = durable.Fill(path, 0o644, func(f *os.File) error {
		digest, err = Write(f, image)
		return err
	})
	if err != nil {
		return "", fmt.Errorf("saving image %q: %w", image.Ref, err)
	}
	return digest, nil
}

// Write writes the image's archive and returns the manifest's digest.
func Write(w io.Writer, image Image) (digest string, err error) {
	img, err := assemble(image)
	if err != nil {
		return "", fmt.Errorf("assembling image %q: %w", image.Ref, err)
	}
	members, digest, err := membersOf(image, img)
	if err != nil {
		return "", fmt.Errorf("assembling image %q: %w", image.Ref, err)
	}
	if err := writeTar(w, members, image.Created); err != nil {
		return "", fmt.Errorf("writing image %q: %w", image.Ref, err)
	}
	return digest, nil
}

// membersOf is the archive's members by name.
func membersOf(image Image, img v1.Image) (members map[string][]byte, digest string, err error) {
	manifest, err := img.RawManifest()
	if err != nil {
		return nil, "", err
	}
	config, err := img.RawConfigFile()
	if err != nil {
		return nil, "", err
	}
	index, hash, err := indexOf(image, manifest)
	if err != nil {
		return nil, "", err
	}
	members = map[string][]byte{"index.json": index, "oci-layout": []byte(`{"imageLayoutVersion":"1.0.0"}`)}
	layers, err := img.Layers()
	if err != nil {
		return nil, "", err
	}
	for _, blob := range [][]byte{manifest, config} {
		if err := addBlob(members, blob); err != nil {
			return nil, "", err
		}
	}
	for _, l := range layers {
		if err := addLayer(members, l); err != nil {
			return nil, "", err
		}
	}
	return members, hash.String(), nil
}

func addBlob(members map[string][]byte, blob []byte) error {
	hash, _, err := v1.SHA256(bytes.NewReader(blob))
	if err != nil {
		return err
	}
	members["blobs/sha256/"+hash.Hex] = blob
	return nil
}

func addLayer(members map[string][]byte, l v1.Layer) error {
	r, err := l.Compressed() // as stored: these layers are not compressed
	if err != nil {
		return err
	}
	defer r.Close()
	blob, err := io.ReadAll(r)
	if err != nil {
		return err
	}
	return addBlob(members, blob)
}

func indexOf(image Image, manifest []byte) ([]byte, v1.Hash, error) {
	hash, size, err := v1.SHA256(bytes.NewReader(manifest))
	if err != nil {
		return nil, hash, err
	}
	index, err := json.Marshal(v1.IndexManifest{SchemaVersion: 2, MediaType: types.OCIImageIndex, Manifests: []v1.Descriptor{{
		MediaType: types.OCIManifestSchema1, Size: size, Digest: hash,
		Platform:    &v1.Platform{OS: "linux", Architecture: "amd64"},
		Annotations: map[string]string{annotationName: image.Ref, annotationRef: image.Ref},
	}}})
	return index, hash, err
}

func writeTar(w io.Writer, members map[string][]byte, mtime time.Time) error {
	t := tar.NewWriter(w)
	for _, dir := range []string{"blobs/", "blobs/sha256/"} {
		if err := t.WriteHeader(&tar.Header{Typeflag: tar.TypeDir, Name: dir, Mode: 0o755, ModTime: mtime.Truncate(time.Second), Format: tar.FormatUSTAR}); err != nil {
			return err
		}
	}
	for _, name := range slices.Sorted(maps.Keys(members)) {
		if err := writeFile(t, name, 0o644, mtime, members[name]); err != nil {
			return err
		}
	}
	return t.Close()
}
