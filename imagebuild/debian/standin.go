package debian

import (
	"archive/tar"
	"bytes"
	"crypto/sha256"
	"fmt"
	"os"
	"path/filepath"
	"time"
)

// standIn is the package that says to be what makes initrds: the kernel's package wants one, and the image's initrd comes
// from elsewhere. It is installed with the tree, so that apt and dpkg are content, and purged before the root is packed.
const standIn = "slipway-initrd"

// standInControl is its control file: deb-control(5).
func standInControl(architecture string) string {
	return fmt.Sprintf(`Package: %s
Version: 1
Architecture: %s
Maintainer: Slipway <slipway@localhost>
Priority: optional
Section: admin
Provides: linux-initramfs-tool
Description: stands for what makes initrds, while the image is built
`, standIn, architecture)
}

// standInStatus makes apt believe that it is installed, so that resolving takes no other.
func standInStatus(architecture string) string {
	return "Status: install ok installed\n" + standInControl(architecture) + "\n"
}

// writeStandIn writes the archive into a repository, and returns its paragraph of the index.
func writeStandIn(dir, architecture string, epoch int64) (string, error) {
	control := standInControl(architecture)
	deb, err := debArchive(control, epoch)
	if err != nil {
		return "", err
	}
	name := standIn + suffix
	if err := os.WriteFile(filepath.Join(dir, name), deb, 0o644); err != nil {
		return "", err
	}
	return fmt.Sprintf("%sFilename: ./%s\nSize: %d\nSHA256: %x\n\n", control, name, len(deb), sha256.Sum256(deb)), nil
}

// debArchive is a package of a control file alone: deb(5), an ar(5) archive of two tars.
func debArchive(control string, epoch int64) ([]byte, error) {
	var info, data bytes.Buffer
	t := tar.NewWriter(&info)
	if err := t.WriteHeader(&tar.Header{Name: "./control", Mode: 0o644, Size: int64(len(control)), ModTime: time.Unix(epoch, 0), Format: tar.FormatGNU}); err != nil {
		return nil, err
	}
	if _, err := t.Write([]byte(control)); err != nil {
		return nil, err
	}
	if err := t.Close(); err != nil {
		return nil, err
	}
	if err := tar.NewWriter(&data).Close(); err != nil {
		return nil, err
	}
	out := bytes.NewBufferString("!<arch>\n")
	for _, member := range []struct {
		name string
		data []byte
	}{{"debian-binary", []byte("2.0\n")}, {"control.tar", info.Bytes()}, {"data.tar", data.Bytes()}} {
		fmt.Fprintf(out, "%-16s%-12d%-6d%-6d%-8o%-10d`\n%s", member.name, epoch, 0, 0, 0o100644, len(member.data), member.data)
		if len(member.data)%2 == 1 {
			out.WriteByte('\n')
		}
	}
	return out.Bytes(), nil
}
