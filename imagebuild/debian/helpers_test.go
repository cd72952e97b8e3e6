package debian

import (
	"crypto/sha256"
	"fmt"
	"net/http"
	"os"
	"testing"

	"slipway/imagebuild/distro"
)

// archive is a package with the given content at path below the release's mirror.
func archive(name, content, path string) distro.Package {
	return distro.Package{
		Name: name, Version: "1.0-1", SHA256: fmt.Sprintf("%x", sha256.Sum256([]byte(content))), Size: int64(len(content)),
		Archive: "trixie", Path: path,
	}
}

// at are the mirrors of an archive that is all at one URL.
func at(url string) distro.Mirrors { return Driver{}.Mirrors("trixie", url, url) }

// fetcher fills pool from an archive that is all at one URL.
func fetcher(pool, url string) distro.Fetcher {
	return distro.Fetcher{
		Pool: pool, Suffix: suffix, Snapshots: snapshots, Client: http.DefaultClient,
		Places: func(p distro.Package) []string { return Driver{}.Places(p, at(url)) },
	}
}

// request asks for packages of trixie.
func request(kernel string, packages ...string) distro.Request {
	return distro.Request{Name: "debian", Release: "trixie", Architecture: "amd64", Kernel: kernel, Packages: packages}
}

// files are the names in a directory.
func files(t *testing.T, dir string) []string {
	t.Helper()
	list, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, f := range list {
		names = append(names, f.Name())
	}
	return names
}
