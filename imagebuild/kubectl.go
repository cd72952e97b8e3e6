package imagebuild

import (
	"fmt"
	"io"
	"os"
	"path/filepath"

	"slipway/imagebuild/stage"
	"slipway/internal/durable"
)

const (
	kubectlName = "kubectl"          // the file beside the artefacts
	kubectlPath = "/usr/bin/kubectl" // in the image
)

// keepKubectl puts the image's own kubectl beside the artefacts, for the person who just built a cluster with it. It is
// a second name of the cache's file, which stays when the cache forgets the first; across file systems a copy.
func (b *builder) keepKubectl() error {
	kubectl, ok := b.program(kubectlPath)
	if !ok {
		return nil
	}
	if err := linkOrCopy(kubectl.HostPath, filepath.Join(b.opt.Out, kubectlName)); err != nil {
		return fmt.Errorf("putting kubectl beside the artefacts: %w", stage.Friendly(err))
	}
	return nil
}

func linkOrCopy(from, to string) error {
	src, err := os.Open(from)
	if err != nil {
		return err
	}
	defer src.Close()
	want, err := src.Stat()
	if err != nil {
		return err
	}
	if have, err := os.Lstat(to); err == nil && (os.SameFile(have, want) || have.Size() == want.Size() && have.ModTime().Equal(want.ModTime())) {
		return nil
	}
	if err := os.Remove(to); err != nil && !os.IsNotExist(err) {
		return err
	}
	if os.Link(from, to) == nil {
		return nil
	}
	err = durable.Fill(to, 0o755, func(f *os.File) error {
		_, err := io.Copy(f, src)
		return err
	})
	if err != nil {
		return err
	}
	return os.Chtimes(to, want.ModTime(), want.ModTime())
}
