// Package testyum makes yum repositories for tests: rpms of any content, signed or not, and their metadata. Start with
// Package.Write and Index. The rpms are written by rpmpack; createrepo_c, which distributions use, writes the metadata.
package testyum

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"time"
)

// Index writes the metadata of the packages in a folder. With a key it is signed beside repomd.xml; without, a signature that
// was there is gone.
func Index(ctx context.Context, dir string, key *Key, now time.Time) error {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	cmd := exec.CommandContext(ctx, "createrepo_c", "--quiet", "--no-database", "--simple-md-filenames", "--checksum=sha256",
		fmt.Sprintf("--revision=%d", now.Unix()), "--set-timestamp-to-revision", dir)
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("running createrepo_c: %w\n%s\nhint: install the package createrepo-c", err, out)
	}
	repomd := filepath.Join(dir, "repodata", "repomd.xml")
	if key == nil {
		if err := os.Remove(repomd + ".asc"); !os.IsNotExist(err) {
			return err
		}
		return nil
	}
	data, err := os.ReadFile(repomd)
	if err != nil {
		return err
	}
	signature, err := key.Armored(data)
	if err != nil {
		return fmt.Errorf("signing the metadata of %s: %w", dir, err)
	}
	return os.WriteFile(repomd+".asc", signature, 0o644)
}
