package imagebuild

import (
	"bytes"
	"context"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"slipway/cluster"
	"slipway/imagebuild/distro"
	"slipway/imagebuild/initrd"
	"slipway/imagebuild/oci"
	"slipway/imagebuild/overlay"
	"slipway/imagebuild/payload"
	"slipway/imagebuild/purl"
	"slipway/imagebuild/sbom"
	"slipway/imagebuild/stage"
	"slipway/internal/durable"
)

// bill is the bill of materials as a file in the cache.
type bill struct{ path, key string }

const billName = "sbom" + sbom.Suffix

// makeBill writes what the image is made of, for the root to carry. It does not say what the root itself hashes to, nor the
// command line, which has that hash.
func (b *builder) makeBill(ctx context.Context) error {
	b.rec.begin("sbom")
	purge, err := b.plan.Distro.Purge(b.tree, b.plan.Extra)
	if err != nil {
		return err
	}
	b.bill.key = b.billKey(purge)
	dir, hit, err := b.cache.Get(ctx, "sbom", b.bill.key, func(ctx context.Context, dir string) error {
		return b.writeBill(ctx, purge, filepath.Join(dir, billName))
	})
	if err != nil {
		return err
	}
	b.bill.path = filepath.Join(dir, billName)
	st, err := os.Stat(b.bill.path)
	if err != nil {
		return err
	}
	b.rec.end("sbom", fmt.Sprintf("%d KiB", st.Size()>>10), hit)
	return nil
}

func (b *builder) writeBill(ctx context.Context, purge []string, path string) error {
	in, err := b.billInput(ctx, purge)
	if err != nil {
		return err
	}
	made, err := sbom.Collect(in)
	if err != nil {
		return err
	}
	text, err := made.SPDX()
	if err != nil {
		return err
	}
	return os.WriteFile(path, text, 0o644)
}

func (b *builder) billInput(ctx context.Context, purge []string) (sbom.Input, error) {
	tree := os.DirFS(b.tree)
	version, _, _ := strings.Cut(b.opt.Tools[slipwayTool], " ")
	in := sbom.Input{
		Tool: "slipway-" + version, Epoch: b.lock.Epoch, Tree: tree, Locked: b.lock.Packages, Purged: purge,
	}
	var err error
	database := b.plan.Distro.Facts().Database
	if in.Installed, err = b.plan.Distro.Installed(tree, database); err != nil {
		return in, err
	}
	if err := b.plan.Distro.Contents(tree, database, in.Installed); err != nil {
		return in, err
	}
	for _, res := range b.results {
		added, err := b.added(ctx, res)
		if err != nil {
			return in, err
		}
		in.Payloads = append(in.Payloads, added)
	}
	in.Boot, err = b.billBoot(in.Installed)
	return in, err
}

// added is a payload as a bill wants it.
func (b *builder) added(ctx context.Context, res payload.Result) (sbom.Added, error) {
	item := res.Item
	a := sbom.Added{Name: item.Name, Version: item.Version, SHA256: item.SHA256, Own: ours(item)}
	if u, err := url.Parse(item.URL); err == nil && item.Source == payload.SourceRelease {
		u.User, u.RawQuery, u.Fragment = nil, "", "" // they may be secrets, and the bill is on every node
		a.From = u.String()
	}
	for _, f := range res.Files {
		if f.Symlink == "" {
			a.Files = append(a.Files, sbom.Content{Path: f.Path, Host: f.HostPath, SHA256: f.SHA256})
		}
	}
	if item.Class != payload.ClassOCI {
		return a, nil
	}
	entries, err := b.placeImage(ctx, res)
	if err != nil {
		return a, err
	}
	ref, digest, err := oci.Name(entries[0].Host)
	if err != nil {
		return a, err
	}
	repository, tag := ref[:strings.LastIndex(ref, ":")], ref[strings.LastIndex(ref, ":")+1:]
	a.Container = &sbom.Preload{Ref: ref, Digest: digest, Path: entries[0].Path, PURL: purl.URL{
		Type: "oci", Name: repository[strings.LastIndex(repository, "/")+1:], Version: digest,
		Qualifiers: map[string]string{"repository_url": repository, "tag": tag, "arch": "amd64"},
	}.Text()}
	return a, nil
}

// ours says whether a payload is built of Slipway's own source.
func ours(item payload.Item) bool {
	return item.Name == cluster.PayloadSlipwayd || item.Source == payload.SourceGomod && len(item.Modules) == 0
}

// billBoot is what the boot partition has, but for what says which root it starts.
func (b *builder) billBoot(installed []distro.Installed) ([]sbom.BootFile, error) {
	facts := b.plan.Distro.Facts()
	modules := "/" + filepath.Join(facts.Modules, b.kernel) + "/"
	kernelImage := []string{"/" + facts.KernelImage(b.kernel), modules + "vmlinuz"} // a package may have it there, and copy it when it is installed
	files := []sbom.BootFile{
		{Name: "kernel", Version: b.kernel, Content: sbom.Content{Host: filepath.Join(b.tree, facts.KernelImage(b.kernel))}, Taken: kernelImage},
		{Name: "initrd", Content: sbom.Content{Host: b.initrd}, Taken: oneModuleEach(installed, modules), Program: &sbom.Content{Path: "/" + initrd.Program, Host: b.opt.Init.Path, SHA256: b.opt.Init.SHA256}},
		{Name: "stub", Content: sbom.Content{Host: filepath.Join(b.tree, facts.Stub)}, Taken: []string{"/" + facts.Stub}},
		{Name: "loader", Content: sbom.Content{Host: filepath.Join(b.tree, facts.BootLoader)}, Taken: []string{"/" + facts.BootLoader}},
	}
	for i, f := range files {
		sum, err := durable.Digest(f.Host)
		if err != nil {
			return nil, fmt.Errorf("reading a part of the boot file: %w", err)
		}
		files[i].SHA256 = sum
	}
	return files, nil
}

// oneModuleEach is a kernel module of each package that has some.
func oneModuleEach(installed []distro.Installed, folder string) []string {
	var out []string
	for _, p := range installed {
		i := slices.IndexFunc(p.Files, func(f string) bool { return strings.HasPrefix(f, folder) && strings.Contains(filepath.Base(f), ".ko") })
		if i >= 0 {
			out = append(out, p.Files[i])
		}
	}
	return out
}

// billEntry puts the bill into the root.
func (b *builder) billEntry() overlay.Entry {
	return overlay.Entry{Path: sbom.Path, Mode: 0o644, Host: b.bill.path, Sum: b.bill.key}
}

// keepBill puts the bill beside the artefacts, as the root has it, and says where.
func (b *builder) keepBill() (string, error) {
	path := filepath.Join(b.opt.Out, b.plan.Name+sbom.Suffix)
	text, err := os.ReadFile(b.bill.path)
	if err != nil {
		return "", err
	}
	if have, err := os.ReadFile(path); err == nil && bytes.Equal(have, text) {
		return path, nil
	}
	if err := durable.Write(path, text, 0o644); err != nil {
		return "", fmt.Errorf("putting the bill of materials beside the artefacts: %w", stage.Friendly(err))
	}
	return path, nil
}
