package payload

import (
	"cmp"
	"errors"
	"fmt"
	"maps"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	"slipway/cluster"
	"slipway/node"
)

// Host is what a plan depends on besides the spec. Probe fills Go.
type Host struct {
	Go             string   // "go1.26.8"
	GoSettings     []string // lines NAME=value of `go env`: where modules come from and where go keeps them
	SpecDir        string   // what the spec's relative paths start from
	Slipwayd       string   // path of the slipwayd program that belongs to this slipway
	SlipwaydSHA256 string   // its digest, see Digest
}

// Plan lists the payloads of the spec's image, sorted by name. It reads nothing; spec must have its defaults.
// The error names every entry of spec.Payloads that cannot be used.
func Plan(spec *cluster.Spec, host Host) ([]Item, error) {
	var items []Item
	errs := unknown(spec.Payloads)
	for _, r := range recipes() {
		if r.Name == cluster.PayloadKubelet && !separateKubelet(spec) || r.Name == cluster.PayloadFlannel && !withFlannel(spec) {
			continue
		}
		item, err := planOne(r, spec, host)
		if err != nil {
			errs = append(errs, fmt.Errorf("planning payload %q: %w", r.Name, err))
			continue
		}
		items = append(items, item)
	}
	if err := errors.Join(errs...); err != nil {
		return nil, err
	}
	return items, nil
}

func unknown(payloads map[string]cluster.Payload) []error {
	var errs []error
	known := cluster.PayloadNames()
	for _, name := range slices.Sorted(maps.Keys(payloads)) {
		if !slices.Contains(known, name) {
			errs = append(errs, fmt.Errorf("planning payload %q: no such payload\nhint: known are %s", name, strings.Join(known, ", ")))
		}
	}
	return errs
}

// separateKubelet says whether the kubelet is a payload of its own and no part of the multi-call binary: its version
// differs, or the spec says where it comes from.
func separateKubelet(spec *cluster.Spec) bool {
	_, named := spec.Payloads[cluster.PayloadKubelet]
	return named || spec.Kubernetes.Kubelet != "" && spec.Kubernetes.Kubelet != spec.Kubernetes.Version
}

// withFlannel says whether the image has flannel: it is the pod network, or the spec names it.
func withFlannel(spec *cluster.Spec) bool {
	_, named := spec.Payloads[cluster.PayloadFlannel]
	return named || spec.Network.CNI == node.CNIFlannel
}

func planOne(r recipe, spec *cluster.Spec, host Host) (Item, error) {
	over := spec.Payloads[r.Name]
	version, err := versionOf(r, over, spec)
	if err != nil {
		return Item{}, err
	}
	item := Item{Name: r.Name, Version: version, Class: r.Class, Source: Source(cmp.Or(over.Source, string(SourceGomod)))}
	if r.Name == cluster.PayloadSlipwayd && item.Source == SourceGomod { // the default source: it is built with slipway
		item.Source, item.Path, item.SHA256 = SourceFile, host.Slipwayd, host.SlipwaydSHA256
		return withBinaries(item, r, spec)
	}
	switch item.Source {
	case SourceGomod:
		item, err = fromModule(item, r, over, host)
	case SourceRelease:
		item, err = fromRelease(item, over)
	case SourceFile:
		item, err = fromFile(item, over, host)
	default:
		err = fmt.Errorf("source %q does not exist\nhint: gomod, release or file", over.Source)
	}
	if err != nil {
		return Item{}, err
	}
	return withBinaries(item, r, spec)
}

var versionPattern = regexp.MustCompile(`^v?\d+\.\d+(\.\d+)?([-+][0-9A-Za-z.+-]+)?$`)

func versionOf(r recipe, over cluster.Payload, spec *cluster.Spec) (string, error) {
	version := cmp.Or(over.Version, cluster.DefaultVersion(r.Name))
	field := "payloads." + r.Name + ".version"
	switch r.Name {
	case cluster.PayloadKubernetes:
		version, field = spec.Kubernetes.Version, "kubernetes.version"
	case cluster.PayloadKubelet:
		version, field = cmp.Or(spec.Kubernetes.Kubelet, spec.Kubernetes.Version), "kubernetes.kubelet"
	case cluster.PayloadSlipwayd:
		return cmp.Or(over.Version, "local"), nil
	}
	if over.Version != "" && over.Version != version {
		return "", fmt.Errorf("version %q differs from %s %q\nhint: leave it out", over.Version, field, version)
	}
	if !versionPattern.MatchString(version) {
		return "", fmt.Errorf("version %q is none\nhint: set %s, like v1.2.3", version, field)
	}
	return version, nil
}

func fromModule(item Item, r recipe, over cluster.Payload, host Host) (Item, error) {
	if host.Go == "" {
		return item, errors.New("no Go toolchain was found\nhint: install Go, or set the source to release or file")
	}
	item.Modules, item.Vars = expand(r.Modules, item.Version), expand(r.Vars, item.Version)
	item.Template, item.Patched, item.Go = r.Template, r.Patched, host.Go
	if over.Module != "" {
		return otherModule(item, r, over.Module)
	}
	return item, nil
}

// otherModule builds the same packages out of another module, a fork that kept the layout but renamed itself.
func otherModule(item Item, r recipe, module string) (Item, error) {
	if !cluster.CanFork(r.Name) {
		return item, fmt.Errorf("module %q cannot replace it: it is built from more than one package tree, or changed before\nhint: use release or file", module)
	}
	for i, v := range item.Vars {
		item.Vars[i] = replaceModule(v, item.Modules[0], module)
	}
	item.Modules, item.Template = []string{module}, ""
	return item, nil
}

func replaceModule(path, old, new string) string {
	if rest, ok := strings.CutPrefix(path, old); ok && (rest == "" || rest[0] == '/') {
		return new + rest
	}
	return path
}

// expand fills the placeholders of a recipe.
func expand(texts []string, version string) []string {
	bare := strings.TrimPrefix(version, "v")
	x, rest, _ := strings.Cut(bare, ".")
	y, _, _ := strings.Cut(rest, ".")
	r := strings.NewReplacer("{version}", version, "{bare}", bare, "{major}", "v"+x, "{x}", x, "{y}", y)
	var out []string
	for _, t := range texts {
		out = append(out, r.Replace(t))
	}
	return out
}

func fromRelease(item Item, over cluster.Payload) (Item, error) {
	if !strings.HasPrefix(over.URL, "https://") && !strings.HasPrefix(over.URL, "http://") {
		return item, fmt.Errorf("source release needs an http(s) url, not %q", over.URL)
	}
	item.URL = strings.ReplaceAll(over.URL, "{version}", item.Version)
	return withDigest(item, over)
}

func fromFile(item Item, over cluster.Payload, host Host) (Item, error) {
	if over.Path == "" {
		return item, errors.New("source file needs a path, relative to the spec")
	}
	item.Path = over.Path
	if !filepath.IsAbs(item.Path) {
		item.Path = filepath.Join(host.SpecDir, item.Path)
	}
	return withDigest(item, over)
}

var digestPattern = regexp.MustCompile(`^[0-9a-f]{64}$`)

func withDigest(item Item, over cluster.Payload) (Item, error) {
	if item.SHA256 = strings.ToLower(over.SHA256); !digestPattern.MatchString(item.SHA256) {
		return item, fmt.Errorf("source %s needs a sha256 of 64 hex digits, not %q\nhint: sha256sum prints it", item.Source, over.SHA256)
	}
	return item, nil
}

// withBinaries adds what the item gives the image: the recipe's programs, or for a download of loose programs those.
func withBinaries(item Item, r recipe, spec *cluster.Spec) (Item, error) {
	if r.Name == cluster.PayloadSlipwayd && item.Path == "" && item.URL == "" {
		return item, errors.New("no slipwayd program beside slipway\nhint: `make build` makes both; or set payloads.slipwayd to a file")
	}
	if item.Source != SourceGomod && len(r.Loose) > 0 {
		for _, name := range r.Loose {
			item.Binaries = append(item.Binaries, Binary{Name: name, Path: binDir + "/" + name})
		}
	} else {
		item.Binaries = slices.Clone(r.Binaries)
	}
	for i := range item.Binaries {
		b := &item.Binaries[i]
		b.Links = slices.Clone(b.Links)
		if b.Package = expand([]string{b.Package}, item.Version)[0]; item.Source != SourceGomod {
			b.Package = ""
		} else if len(r.Modules) == 1 {
			if r.Template != "" && item.Template == "" {
				b.Package = r.Main
			}
			b.Package = replaceModule(b.Package, expand(r.Modules, item.Version)[0], item.Modules[0])
		}
	}
	if r.Name == cluster.PayloadKubernetes && separateKubelet(spec) {
		item.Binaries = withoutKubelet(item.Binaries)
	}
	return item, nil
}

// withoutKubelet leaves /usr/bin/kubelet to the payload "kubelet".
func withoutKubelet(binaries []Binary) []Binary {
	for i := range binaries {
		binaries[i].Links = slices.DeleteFunc(binaries[i].Links, func(l string) bool { return l == binDir+"/"+cluster.PayloadKubelet })
	}
	return slices.DeleteFunc(binaries, func(b Binary) bool { return b.Name == cluster.PayloadKubelet })
}
