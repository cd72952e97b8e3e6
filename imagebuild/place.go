package imagebuild

import (
	"context"
	"fmt"
	"io/fs"
	"path"
	"path/filepath"
	"time"

	"slipway/imagebuild/oci"
	"slipway/imagebuild/overlay"
	"slipway/imagebuild/payload"
	"slipway/node"
)

// place turns a built payload into what is laid over the tree.
func (b *builder) place(ctx context.Context, res payload.Result) ([]overlay.Entry, error) {
	if res.Item.Class == payload.ClassOCI {
		return b.placeImage(ctx, res)
	}
	var out []overlay.Entry
	for _, f := range res.Files {
		if f.Symlink != "" {
			out = append(out, overlay.Entry{Path: f.Path, Link: f.Symlink})
			continue
		}
		out = append(out, overlay.Entry{Path: f.Path, Mode: f.Mode & fs.ModePerm, Host: f.HostPath, Sum: f.SHA256})
	}
	if kubectl, ok := res.Program(kubectlPath); ok {
		completion, err := b.ask(ctx, kubectl, kubectlName, "completion", "bash")
		if err != nil {
			return nil, err
		}
		out = append(out, overlay.Entry{Path: "/usr/share/bash-completion/completions/kubectl", Mode: 0o644, Content: completion})
	}
	return out, nil
}

// placeImage wraps a program into a container image that is preloaded under its upstream name.
func (b *builder) placeImage(ctx context.Context, res payload.Result) ([]overlay.Entry, error) {
	program := res.Files[0]
	created := time.Unix(b.lock.Epoch, 0).UTC()
	var image oci.Image
	switch res.Item.Name {
	case "pause":
		image = oci.Pause(res.Item.Version, program.HostPath, created)
	case "coredns":
		image = oci.CoreDNS(res.Item.Version, program.HostPath, created)
	default:
		return nil, fmt.Errorf("making a container image of payload %q: nobody says how it runs", res.Item.Name)
	}
	name := res.Item.Name + ".tar"
	key := b.imageKey(res.Item.Name, res.Item.Version, program)
	dir, _, err := b.cache.Get(ctx, "oci", key, func(_ context.Context, dir string) error {
		_, err := oci.Save(filepath.Join(dir, name), image)
		return err
	})
	if err != nil {
		return nil, err
	}
	return []overlay.Entry{{Path: path.Join(node.ImagesDir, name), Mode: 0o644, Host: filepath.Join(dir, name), Sum: key}}, nil
}
