package distro

import (
	"context"
	"io"

	"slipway/imagebuild/sandbox"
)

// Driver is one distribution. What a build does with it, in this order: Request, Resolve, Fetch by a Fetcher, Unpack, and
// Purge when the tree becomes a root. Facts are what else differs between distributions.
type Driver interface {
	// Request is what an image asks for: what every node has, what building needs, a kernel, and the spec's own packages.
	Request(release, kernel string, extra []string) Request
	// BuildOnly are the packages of a request that are there to build the image.
	BuildOnly() []string
	// Mirrors gives every archive of a release its mirror.
	Mirrors(release, main, security string) Mirrors
	// Places are the URLs where a package may be, the likeliest first.
	Places(p Package, m Mirrors) []string
	// Tools are the versions of the host's programs that make a tree, by name.
	Tools(ctx context.Context) (map[string]string, error)

	// Resolve finds the exact closure of a request, sorted by name.
	Resolve(ctx context.Context, req Request, in ResolveInput) ([]Package, error)
	// TreeKey is the content key of a tree: everything that shapes it.
	TreeKey(req Request, pkgs []Package, epoch int64) string
	// Unpack makes a tree from the pool's archives alone, without a network.
	Unpack(ctx context.Context, in UnpackInput) error
	// Purge says which packages of a tree do not ship: those that building needs, but for what the spec's own need too.
	Purge(tree string, extra []string) ([]string, error)

	Facts() Facts
}

// ResolveInput is what resolving needs besides the request.
type ResolveInput struct {
	Mirrors Mirrors
	Keep    []Package       // locked packages: their versions stay
	Fetcher Fetcher         // brings those of them that the mirrors no longer list
	Dir     string          // the package manager's own folder
	Environ []string        // lines NAME=value, for its proxies
	Waiting func([]Package) // hears of the security updates that packages do not get because they are kept; may be nil
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
