package distro

import (
	"context"
	"io"
	"time"

	"slipway/imagebuild/sandbox"
)

// Driver is one distribution. What a build does with it, in this order: Request, Resolve, Fetch by a Fetcher, Unpack, and
// Purge when the tree becomes a root. Facts are what else differs between distributions.
type Driver interface {
	// Request is what an image asks for: what every node has, what building needs, a kernel, and the spec's own packages.
	// Repositories and Signers are filled in by whoever asks.
	Request(release, kernel string, extra []string) Request
	// BuildOnly are the packages of a request that are there to build the image.
	BuildOnly() []string
	// Mirrors gives every archive of a release its mirror: those that cluster.Archives names, and no others.
	Mirrors(release, main, security string) Mirrors
	// Places are the URLs where a package may be, the likeliest first.
	Places(p Package, m Mirrors) []string
	// Tools are the versions of the host's programs that make a tree, by name.
	Tools(ctx context.Context) (map[string]string, error)

	// Resolve finds the exact closure of a request.
	Resolve(ctx context.Context, req Request, in ResolveInput) (Resolution, error)
	// TreeKey is the content key of a tree: everything that shapes it.
	TreeKey(req Request, pkgs []Package, epoch int64) string
	// Unpack makes a tree from the pool's archives alone, without a network.
	Unpack(ctx context.Context, in UnpackInput) error
	// Purge says which packages of a tree do not ship: those that building needs, but for what the spec's own need too.
	Purge(tree string, extra []string) ([]string, error)

	// Facts are those of a release.
	Facts(release string) Facts
}

// Bringer is a Driver that can say which packages have a module that is in none of the image's.
type Bringer interface {
	// Brings names, sorted, the packages that have any of the modules of a kernel. dir is ResolveInput.Dir, as it was left.
	Brings(dir, kernel string, modules []string) ([]string, error)
}

// ResolveInput is what resolving needs besides the request.
type ResolveInput struct {
	Mirrors Mirrors
	Made    map[string]time.Time // as an earlier resolution had it: metadata that is older is not believed, see CheckAge
	Keep    []Package            // locked packages: their versions stay
	Fetcher Fetcher              // brings those of them that the mirrors no longer list
	Keys    []string             // files with OpenPGP public keys: among them are those that the request believes
	Dir     string               // the package manager's own folder
	Environ []string             // lines NAME=value, for its proxies
	Waiting func([]Package)      // hears of the security updates that packages do not get because they are kept; may be nil
}

// Resolution is what resolving found.
type Resolution struct {
	Packages []Package            // sorted by name
	Made     map[string]time.Time // when the metadata of each archive was made, by the archive's name
}

// UnpackInput is what a tree is made of.
type UnpackInput struct {
	Request  Request
	Packages []Package
	Fetcher  Fetcher // knows the pool
	Sandbox  *sandbox.Sandbox
	Work     string // scratch space
	Dest     string // the tree; it must not exist
	Epoch    int64
	Log      io.Writer
}
