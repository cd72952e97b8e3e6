package imagebuild

import (
	"context"
	_ "embed"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"slipway/imagebuild/payload"
	"slipway/imagebuild/sandbox"
)

//go:embed files/ask.sh
var askScript string

// A program that is asked for text answers at once and briefly; one that does not is no such program.
const askTimeout = 2 * time.Minute

// answerName is the file in the cache that holds what a program said.
const answerName = "answer"

// ask runs one of the image's programs, by the name it has there, and returns what it prints. It runs as nobody in the
// image's own tree, read-only and without a network: whatever it is and wherever it came from, it never runs on the host.
// Each build of a program is asked once.
func (b *builder) ask(ctx context.Context, program payload.InstalledFile, name string, args ...string) ([]byte, error) {
	dir, _, err := b.cache.Get(ctx, "ask", b.askKey(program, name, args), func(ctx context.Context, dir string) error {
		ctx, cancel := context.WithTimeout(ctx, askTimeout)
		defer cancel()
		err := b.sandbox.Run(ctx, sandbox.Script{
			Name: fmt.Sprintf("asking %s in the image's tree", name), Text: askScript, Output: b.log("ask"),
			Args: append([]string{b.tree, program.HostPath, filepath.Join(dir, answerName), name}, args...),
		})
		if err != nil {
			return err
		}
		return b.sandbox.RemoveAll(ctx, filepath.Join(dir, "root"))
	})
	if err != nil {
		return nil, err
	}
	return os.ReadFile(filepath.Join(dir, answerName))
}
