package imagebuild

import (
	"context"
	"fmt"
	"os"
	"path"
	"strings"

	"slipway/cluster"
	"slipway/imagebuild/distro"
	"slipway/imagebuild/payload"
	"slipway/imagebuild/vendored"
)

// goOffline leaves the builder nobody to ask but the vendor folder.
func (b *builder) goOffline() {
	b.fetcher.Archives, b.fetcher.Client = "", vendored.Nobody()
	b.fetcher.Places = func(p distro.Package) []string { return []string{b.opt.Vendor.URL(b.archive(p))} }
}

// archive is where the vendor folder has a package.
func (b *builder) archive(p distro.Package) string {
	return path.Join(vendored.Archives, p.SHA256+b.plan.Distro.Facts().Suffix)
}

// UnfitError: the vendor folder was filled for something else than what is to be built.
type UnfitError struct {
	Dir   string
	Lines []string
	Hint  string
}

func (e *UnfitError) Error() string {
	return fmt.Sprintf("building from the vendor folder %q:\n  %s\nhint: %s", e.Dir, strings.Join(e.Lines, "\n  "), e.Hint)
}

// ExitCode makes it wrong input.
func (*UnfitError) ExitCode() int { return 2 }

const refillHint = "run slipway vendor again for this spec and lock, where there is a network, and carry the folder here"

// CheckVendor says whether a vendor folder has what a build will need, by names and sizes: nil, an UnfitError, or an error of
// its files.
func CheckVendor(plan *Plan, lockPath string, update Update, folder *vendored.Folder) error {
	old, err := ReadLock(lockPath)
	if err != nil {
		return err
	}
	b := builder{plan: plan, opt: Options{Vendor: folder, Update: update}, old: old}
	return b.checkVendor()
}

func (b *builder) checkVendor() error {
	if b.opt.Vendor == nil {
		return nil
	}
	unfit := func(hint string, lines ...string) error {
		return &UnfitError{Dir: b.opt.Vendor.Dir, Lines: lines, Hint: hint}
	}
	if b.old == nil {
		return unfit("if you trust the folder, copy its "+vendored.LockName+" to where the spec is: it says what it was filled for",
			"there is no "+LockName+" beside the spec, and without a network nobody can make one")
	}
	if lines := packageDrift(b.old, b.plan.Request); len(lines) > 0 {
		return unfit("build or vendor where there is a network, and carry lock and folder here", append([]string{"the spec asks for packages that " + LockName + " does not answer:"}, lines...)...)
	}
	if b.opt.Update.packages() {
		return unfit("update where there is a network, and vendor again", "--update of packages asks the distribution for today's versions")
	}
	want := b.opt.Vendor.Index.Toolchain.Version
	for _, item := range b.plan.Payloads {
		if item.Go != "" && item.Go != want {
			return unfit(fmt.Sprintf("install %s here, or run slipway vendor again with %s and accept what it compiles with --update", want, item.Go),
				fmt.Sprintf("it was filled for %s, and the Go toolchain here is %s", want, item.Go))
		}
	}
	if lines := b.lacking(); len(lines) > 0 {
		return unfit(refillHint, lines...)
	}
	return b.opt.Vendor.Complete()
}

// sayCompiler tells of a Go toolchain that has the folder's version and other programs. What it makes is held against the lock.
func (b *builder) sayCompiler() {
	if b.opt.Vendor == nil {
		return
	}
	want := b.opt.Vendor.Index.Toolchain
	if names := want.Differs(b.opt.Compiler); len(names) > 0 {
		b.opt.Progress.Line(fmt.Sprintf("%s here is another build of it than the one that the vendor folder names (%s): programs may become other bytes",
			want.Version, strings.Join(names, ", ")))
	}
}

// lacking is what the lock and the plan want and the folder was not filled for.
func (b *builder) lacking() []string {
	var lines []string
	for _, p := range b.old.Packages {
		if !b.opt.Vendor.Has(b.archive(p)) {
			lines = append(lines, fmt.Sprintf("it has no package %s %s", p.Name, p.Version))
		}
	}
	for _, item := range b.plan.Payloads {
		p := vendored.Payload{Name: item.Name, Version: item.Version, Origin: origin(item)}
		if carries(item) && !b.opt.Vendor.HasPayload(p) {
			lines = append(lines, fmt.Sprintf("it has nothing for payload %s %s, %s", p.Name, p.Version, p.Origin))
		}
	}
	const most = 20
	if more := len(lines) - most; more > 0 {
		lines = append(lines[:most], fmt.Sprintf("and %d more", more))
	}
	return lines
}

// carries says whether a folder has something for an item. Programs of our own come with slipway.
func carries(item payload.Item) bool {
	if item.Source == payload.SourceGomod {
		return len(item.Modules) > 0
	}
	return item.Source == payload.SourceRelease || item.Name != cluster.PayloadSlipwayd
}

// download is where the vendor folder has what a release or file item is made of.
func download(item payload.Item) string { return path.Join(vendored.Downloads, item.SHA256) }

// verifyArchives reads the archives that will be taken from the folder, so that a damaged one is named by its place there.
func (b *builder) verifyArchives(ctx context.Context) error {
	if b.opt.Vendor == nil {
		return nil
	}
	var names []string
	for _, p := range b.lock.Packages {
		if _, err := os.Stat(b.fetcher.PoolFile(p)); err != nil {
			names = append(names, b.archive(p))
		}
	}
	return b.opt.Vendor.Verify(ctx, names...)
}

// vendoredEnv has go take modules from the folder, in a network namespace without an interface, and downloads come from there.
func (b *builder) vendoredEnv(ctx context.Context, env payload.Env) (payload.Env, error) {
	sums, err := b.opt.Vendor.Read(ctx, vendored.GoSumName)
	if err != nil {
		return env, err
	}
	byURL := map[string]string{}
	for _, item := range b.plan.Payloads {
		if item.Source == payload.SourceRelease {
			byURL[item.URL] = item.SHA256
		}
	}
	env.GoSum = sums
	env.Environ = b.opt.Vendor.Environ(env.Environ)
	env.Fetch = vendored.Downloaded{Folder: b.opt.Vendor, Digest: byURL}
	env.Run = verified{folder: b.opt.Vendor, runner: payload.Exec{Alone: true}}
	return env, nil
}

// vendoredItem is the item with its file in the folder: the spec's own path may be empty here.
func (b *builder) vendoredItem(ctx context.Context, item payload.Item) (payload.Item, error) {
	if b.opt.Vendor == nil || item.Source != payload.SourceFile || !carries(item) {
		return item, nil
	}
	item.Path = b.opt.Vendor.Path(download(item))
	return item, b.opt.Vendor.Verify(ctx, download(item))
}

// verified reads the folder's modules before the first program runs: what go says of damaged ones helps nobody.
type verified struct {
	folder *vendored.Folder
	runner payload.Runner
}

func (v verified) Run(ctx context.Context, cmd payload.Cmd) error {
	if err := v.folder.VerifyModules(ctx); err != nil {
		return err
	}
	return v.runner.Run(ctx, cmd)
}
