package imagebuild

import (
	"maps"
	"reflect"
	"slices"
	"strings"
	"testing"

	"slipway/imagebuild/distro"
	"slipway/imagebuild/payload"
	"slipway/imagebuild/sandbox"
	"slipway/kernel"
)

// keyed is a builder of which every stage's key can be told: its lock is there and its payloads are built.
func keyed(t *testing.T, host payload.InstalledFile) *builder {
	t.Helper()
	b := treeBuilder(t)
	b.kernel = "6.12.1"
	b.opt.Tools = Tools{"slipway": "v1 sha256:aa", "slipwayd": "sha256:bb", "go": "go1.26.8", "apt": "2.6.1", "dpkg": "1.21", "mmdebstrap": "1.3.5"}
	b.opt.Packers = map[string]Packer{"qcow2": {Key: "zlib"}}
	b.lock = sample()
	for _, item := range b.plan.Payloads {
		res := payload.Result{Item: item}
		for _, bin := range item.Binaries {
			res.Files = append(res.Files, payload.InstalledFile{Path: bin.Path, Mode: 0o755, HostPath: host.HostPath, SHA256: host.SHA256})
			for _, l := range bin.Links {
				res.Files = append(res.Files, payload.InstalledFile{Path: l, Symlink: "kube"})
			}
		}
		b.results = append(b.results, res)
	}
	return b
}

// keysOf are the keys of all stages, in the order and by the ways of a build.
func keysOf(t *testing.T, b *builder, disk Artefact) map[string]string {
	t.Helper()
	b.treeKey = b.treeKeyOf()
	b.initrdKey = b.initrdKeyOf(b.initrdInput())
	adds, err := b.additions(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	b.root.key = b.rootKey(b.rootInput(adds, b.plan.Distro.BuildOnly()))
	cmdline, err := kernel.Cmdline(RootFS, "00", b.plan.Cmdline, b.plan.Debug)
	if err != nil {
		t.Fatal(err)
	}
	return map[string]string{
		"tree": b.treeKey, "kernel": b.kernelKey(), "initrd": b.initrdKey, "root": b.root.key, "disk": b.diskKey(cmdline),
		"pack": b.packKey("qcow2", b.opt.Packers["qcow2"], disk),
	}
}

// Every input that shapes bytes makes another key of the stages that it reaches, and of no others.
func TestKeysSeeEveryInput(t *testing.T) {
	const fromTree, fromRoot, fromInitrd = "disk initrd kernel root tree", "disk root", "disk initrd"
	host := program(t, "package main\n\nfunc main() { print(\"complete\") }\n")
	shared := keyed(t, host) // one tree and one cache for all
	fresh := func() *builder {
		b := keyed(t, host)
		b.tree, b.opt.Cache, b.cache = shared.tree, shared.opt.Cache, shared.cache
		return b
	}
	tool := func(name string) func(*builder, *Artefact) {
		return func(b *builder, _ *Artefact) { b.opt.Tools[name] += "x" }
	}
	program := func(name string) func(*builder, *Artefact) {
		return func(b *builder, _ *Artefact) {
			for i := range b.results {
				if b.results[i].Item.Name == name {
					b.results[i].Files = slices.Clone(b.results[i].Files)
					b.results[i].Files[0].SHA256 = strings.Repeat("f", 64)
				}
			}
		}
	}
	base := keysOf(t, fresh(), Artefact{SHA256: "00"})
	for name, c := range map[string]struct {
		change func(*builder, *Artefact)
		want   string
	}{
		"nothing":                 {func(*builder, *Artefact) {}, ""},
		"this program":            {tool("slipway"), "disk initrd kernel pack root tree"},
		"apt":                     {tool("apt"), fromTree},
		"dpkg":                    {tool("dpkg"), fromTree},
		"mmdebstrap":              {tool("mmdebstrap"), fromTree},
		"Go":                      {tool("go"), ""}, // by what it compiles
		"slipwayd as a tool":      {tool("slipwayd"), ""},
		"distribution":            {func(b *builder, _ *Artefact) { b.plan.Request.Name = "other" }, fromTree},
		"architecture":            {func(b *builder, _ *Artefact) { b.plan.Request.Architecture = "arm64" }, fromTree},
		"release":                 {func(b *builder, _ *Artefact) { b.plan.Request.Release = "forky" }, fromTree},
		"kernel stream":           {func(b *builder, _ *Artefact) { b.plan.Request.Kernel = "linux-image-cloud-amd64" }, fromTree},
		"packages asked for":      {func(b *builder, _ *Artefact) { b.plan.Request.Packages = []string{"jq"} }, fromTree},
		"a package":               {func(b *builder, _ *Artefact) { b.lock.Packages[0].SHA256 = "bb" }, fromTree},
		"time":                    {func(b *builder, _ *Artefact) { b.lock.Epoch++ }, "disk initrd kernel pack root tree"},
		"kernel":                  {func(b *builder, _ *Artefact) { b.kernel = "6.12.2" }, "disk initrd kernel"},
		"modules at boot":         {func(b *builder, _ *Artefact) { b.plan.Profile.Modules = b.plan.Profile.Modules[1:] }, "disk kernel root"},
		"sysctls":                 {func(b *builder, _ *Artefact) { b.plan.Profile.Sysctls = b.plan.Profile.Sysctls[1:] }, "disk kernel root"},
		"limits":                  {func(b *builder, _ *Artefact) { b.plan.Profile.Limits = b.plan.Profile.Limits[1:] }, fromRoot},
		"slots":                   {func(b *builder, _ *Artefact) { b.plan.Layout.Root *= 2 }, "disk"},
		"debug":                   {func(b *builder, _ *Artefact) { b.plan.Debug = true }, fromRoot},
		"Ignition":                {program("ignition"), fromRoot},
		"slipway-init":            {func(b *builder, _ *Artefact) { b.opt.Init.SHA256 = "cc" }, fromInitrd},
		"slipwayd":                {program("slipwayd"), fromRoot},
		"a program":               {program("etcd"), fromRoot},
		"a container image":       {program("coredns"), fromRoot},
		"a version shown":         {func(b *builder, _ *Artefact) { b.plan.Payloads[3].Version = "v0.0.1" }, fromRoot},
		"an image's version":      {func(b *builder, _ *Artefact) { b.results[1].Item.Version = "v0.0.1" }, fromRoot},
		"kernel arguments":        {func(b *builder, _ *Artefact) { b.plan.Cmdline = []string{"quiet"} }, "disk"},
		"name":                    {func(b *builder, _ *Artefact) { b.plan.Name = "other" }, "disk"},
		"the disk, for its forms": {func(_ *builder, a *Artefact) { a.SHA256 = "11" }, "pack"},
		"how it is packed":        {func(b *builder, _ *Artefact) { b.opt.Packers["qcow2"] = Packer{Key: "zstd"} }, "pack"},
	} {
		b, disk := fresh(), Artefact{SHA256: "00"}
		c.change(b, &disk)
		now := keysOf(t, b, disk)
		var other []string
		for _, stage := range slices.Sorted(maps.Keys(base)) {
			if now[stage] != base[stage] {
				other = append(other, stage)
			}
		}
		if got := strings.Join(other, " "); got != c.want {
			t.Errorf("%s: other keys for %q, want %q", name, got, c.want)
		}
	}
	b := fresh()
	if b.sandbox = sandbox.New(4711, nil); b.treeKeyOf() == base["tree"] {
		t.Error("two users share a tree, whose files belong to one of them")
	}
}

// A new field of what keys are made of must be put into the table above, or be said here to shape no bytes.
func TestNoInputIsForgotten(t *testing.T) {
	for _, c := range []struct {
		of   any
		want string
	}{
		// Distro is this program's, Mirrors are where bytes come from, Extra is in Request and decides what rootfs.Input
		// purges, Outputs are the kinds to pack, ExtraArgs are only checked.
		{Plan{}, "Name Debug Distro Request Mirrors Extra Profile Cmdline Payloads Layout Outputs ExtraArgs"},
		{distro.Request{}, "Name Release Architecture Kernel Packages"},
		{distro.Package{}, "Name Version Source SHA256 Size Archive Path"}, // the digest says it all
		{kernel.Profile{}, "Modules Sysctls Limits"},
		{payload.InstalledFile{}, "Path Mode HostPath SHA256 Size Symlink"},
	} {
		var fields []string
		for f := range reflect.TypeOf(c.of).Fields() {
			fields = append(fields, f.Name)
		}
		if got := strings.Join(fields, " "); got != c.want {
			t.Errorf("%T has %q: which keys does the new field shape?", c.of, got)
		}
	}
}
