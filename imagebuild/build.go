package imagebuild

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"time"

	"slipway/imagebuild/distro"
	"slipway/imagebuild/payload"
	"slipway/imagebuild/sandbox"
	"slipway/imagebuild/stage"
)

// Options are what a build needs besides its plan.
type Options struct {
	Out      string  // directory for the artefacts
	Cache    string  // directory of stage results, shared by all builds
	LockPath string  // slipway.lock beside the spec
	Locked   bool    // refuse what the lock does not say
	Update   Update  // what may change although the lock pins it
	Tools    Tools   // what makes the image, see FindTools
	Init     Program // slipway-init, which belongs to this slipway
	Vendor   string  // folder of .deb files to look into before the network
	Epoch    int64   // SOURCE_DATE_EPOCH of a new lock, seconds
	Now      func() time.Time
	Client   *http.Client
	Sandbox  *sandbox.Sandbox
	Payload  payload.Env       // without CacheDir, Now and Progress
	Place    func() error      // puts what the plan takes from the cache there, with nobody pruning it; may be nil
	Packers  map[string]Packer // by output; raw needs none
	Progress Progress
	Log      func(stage string) io.Writer // raw output of tools; may be nil
}

// Program is a program of ours that goes into the image.
type Program struct {
	Path   string
	SHA256 string // hex
}

// Result is what a build made.
type Result struct {
	Artefacts []Artefact `json:"artefacts"`
	RootHash  string     `json:"rootHash"`
	Kernel    string     `json:"kernel"`
	RootBytes int64      `json:"rootBytes"` // of the packed root, before padding to its slot
	Steps     []StepTime `json:"steps"`
	Seconds   float64    `json:"seconds"`
}

// Artefact is one finished file.
type Artefact struct {
	Kind   string `json:"kind"` // raw, qcow2, ova
	Path   string `json:"path"`
	Size   int64  `json:"size"`
	SHA256 string `json:"sha256"`
}

// builder carries what stages hand on.
type builder struct {
	plan    *Plan
	opt     Options
	rec     *recorder
	cache   stage.Cache
	sandbox *sandbox.Sandbox
	fetcher distro.Fetcher

	old               *Lock    // as it was when the build began; nil: none
	said              []string // of how the lock changes
	lock              *Lock
	treeKey           string
	tree              string
	kernel            string
	results           []payload.Result
	initrd, initrdKey string
	root              packedRoot
}

// Build makes the plan's artefacts. Builds that write to one folder or beside one spec, or need one result, wait for each
// other. Interrupted or failed, it leaves no half-written artefact and no mounts, and the
// next run goes on from the last finished stage.
func Build(ctx context.Context, plan *Plan, opt Options) (*Result, error) {
	if err := os.MkdirAll(opt.Out, 0o755); err != nil {
		return nil, fmt.Errorf("making the output folder: %w", stage.Friendly(err))
	}
	start, b := opt.Now(), newBuilder(plan, opt)
	unlock, err := b.cache.Locks.Lock(ctx, filepath.Join(opt.Out, ".slipway.lock"))
	if err != nil {
		return nil, err
	}
	defer unlock()
	if err := opt.Sandbox.Probe(ctx); err != nil {
		return nil, err
	}
	closeLock, err := b.openLock(ctx)
	if err != nil {
		return nil, err
	}
	defer closeLock()
	leave, err := b.useCache(ctx)
	if err != nil {
		return nil, err
	}
	defer leave()
	if opt.Place != nil {
		if err := opt.Place(); err != nil {
			return nil, err
		}
	}
	for _, step := range []func(context.Context) error{
		b.lockPackages, b.fetchPackages, b.unpackTree, b.makePayloads, b.checkFlags, b.checkKernel, b.makeInitrd, b.packRoot,
	} {
		if err := step(ctx); err != nil {
			return nil, err
		}
	}
	disk, err := b.writeDisk(ctx)
	if err != nil {
		return nil, err
	}
	artefacts, err := b.pack(ctx, disk)
	if err != nil {
		return nil, err
	}
	if _, err := b.cache.Prune(ctx, opt.Now().Add(-KeepUnused), cachedStages()...); err != nil {
		opt.Progress.Note(err.Error()) // what was built is whole all the same
	}
	return &Result{
		Artefacts: artefacts, RootHash: b.root.hash(), Kernel: b.kernel, RootBytes: b.root.size,
		Steps: b.rec.Steps, Seconds: opt.Now().Sub(start).Round(time.Millisecond).Seconds(),
	}, nil
}

func newBuilder(plan *Plan, opt Options) *builder {
	b := &builder{plan: plan, opt: opt, sandbox: opt.Sandbox, rec: &recorder{to: opt.Progress, now: opt.Now}}
	b.cache = stage.Cache{Dir: opt.Cache, Remove: opt.Sandbox.RemoveAll, Now: opt.Now, Locks: stage.Locker{
		Who:  fmt.Sprintf("process %d, which builds %s", os.Getpid(), plan.Name),
		Wait: func(who string) { opt.Progress.Line("waiting for " + who) },
	}}
	facts := plan.Distro.Facts()
	b.fetcher = distro.Fetcher{
		Pool: filepath.Join(opt.Cache, "pool"), Suffix: facts.Suffix, Snapshots: facts.Snapshots, Vendor: opt.Vendor,
		Places: func(p distro.Package) []string { return plan.Distro.Places(p, plan.Mirrors) },
		Client: opt.Client, Done: opt.Progress.Bytes,
	}
	return b
}

// log is where a stage's tools print.
func (b *builder) log(stage string) io.Writer {
	if b.opt.Log == nil {
		return nil
	}
	return b.opt.Log(stage)
}
