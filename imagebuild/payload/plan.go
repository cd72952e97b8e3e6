package payload

import (
	"cmp"
	"errors"
	"fmt"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	"slipway/cluster"
)

// Host is what a plan depends on besides the spec. Probe fills Go and CC.
type Host struct {
	Go             string // "go1.26.8"
	CC             string // C compiler and libblkid, in words
	SpecDir        string // what the spec's relative paths start from
	Slipwayd       string // path of the slipwayd program that belongs to this slipway
	SlipwaydSHA256 string // its digest, see Digest
}

// Plan lists the payloads of the spec's image, sorted by name. It reads nothing; spec must have its defaults.
// The error names every entry of spec.Payloads that cannot be used.
func Plan(spec *cluster.Spec, host Host) ([]Item, error) {
	var items []Item
	errs := unknown(spec.Payloads)
	for _, r := range recipes() {
		if !wanted(r, spec) {
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

// Names lists the payloads that a spec may name, sorted.
func Names() []string {
	var names []string
	for _, r := range recipes() {
		names = append(names, r.Name)
	}
	return names
}

func unknown(payloads map[string]cluster.Payload) []error {
	var errs []error
	known := Names()
	for _, name := range sortedKeys(payloads) {
		if !slices.Contains(known, name) {
			errs = append(errs, fmt.Errorf("planning payload %q: no such payload\nhint: known are %s", name, strings.Join(known, ", ")))
		}
	}
	return errs
}

// wanted says whether the image holds the payload: always, unless the recipe is optional. A kubelet of its own is
// needed when it is older than the other Kubernetes programs.
func wanted(r recipe, spec *cluster.Spec) bool {
	_, named := spec.Payloads[r.Name]
	return !r.Optional || named || r.Name == "kubelet" && separateKubelet(spec)
}

func separateKubelet(spec *cluster.Spec) bool {
	_, named := spec.Payloads["kubelet"]
	return named || spec.Kubernetes.Kubelet != "" && spec.Kubernetes.Kubelet != spec.Kubernetes.Version
}

func planOne(r recipe, spec *cluster.Spec, host Host) (Item, error) {
	over := spec.Payloads[r.Name]
	version, err := versionOf(r, over, spec)
	if err != nil {
		return Item{}, err
	}
	item := Item{Name: r.Name, Version: version, Class: r.Class, Source: Source(cmp.Or(over.Source, string(SourceGomod)))}
	if r.Name == "slipwayd" && (over.Source == "" || over.Source == string(SourceGomod)) && over.Module == "" {
		return withBinaries(local(item, host), r, spec)
	}
	switch item.Source {
	case SourceGomod:
		item, err = fromModule(item, r, over, spec, host)
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
	version := cmp.Or(over.Version, r.Version)
	field := "payloads." + r.Name + ".version"
	switch r.Name {
	case "kubernetes":
		version, field = spec.Kubernetes.Version, "kubernetes.version"
	case "kubelet":
		version, field = cmp.Or(spec.Kubernetes.Kubelet, spec.Kubernetes.Version), "kubernetes.kubelet"
	case "slipwayd":
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

func local(item Item, host Host) Item {
	item.Source, item.Path, item.SHA256 = SourceFile, host.Slipwayd, host.SlipwaydSHA256
	return item
}

func fromModule(item Item, r recipe, over cluster.Payload, spec *cluster.Spec, host Host) (Item, error) {
	if r.Name == "slipwayd" {
		return item, errors.New("source gomod does not fit: it is built with slipway\nhint: leave the source out, or use release or file")
	}
	if host.Go == "" {
		return item, errors.New("no Go toolchain was found\nhint: install Go, or set the source to release or file")
	}
	item.Modules, item.Template, item.CGO, item.Go = r.Modules, r.Template, r.CGO, host.Go
	if r.CGO {
		item.CC = host.CC
	}
	item.Vars = expand(r.Vars, item.Version, spec.Kubernetes.Version)
	if over.Module != "" {
		return otherModule(item, r, over.Module)
	}
	return item, nil
}

// otherModule builds the same packages out of another module, a fork that kept the layout but renamed itself.
func otherModule(item Item, r recipe, module string) (Item, error) {
	if len(r.Modules) != 1 || r.Template != "" {
		return item, fmt.Errorf("module %q cannot replace it: it is built from more than one package tree\nhint: use release or file", module)
	}
	item.Modules = []string{module}
	for i, v := range item.Vars {
		item.Vars[i] = replaceModule(v, r.Modules[0], module)
	}
	return item, nil
}

func replaceModule(path, old, new string) string {
	if rest, ok := strings.CutPrefix(path, old); ok && (rest == "" || rest[0] == '/') {
		return new + rest
	}
	return path
}

// expand fills the placeholders of linker variables.
func expand(vars []string, version, kubernetes string) []string {
	major, rest, _ := strings.Cut(strings.TrimPrefix(kubernetes, "v"), ".")
	minor, _, _ := strings.Cut(rest, ".")
	r := strings.NewReplacer("{version}", version, "{bare}", strings.TrimPrefix(version, "v"), "{k8s.major}", major, "{k8s.minor}", minor)
	var out []string
	for _, v := range vars {
		out = append(out, r.Replace(v))
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
	if r.Name == "slipwayd" && item.Path == "" && item.URL == "" {
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
		if item.Source != SourceGomod {
			b.Package = ""
		} else if len(item.Modules) == 1 && len(r.Modules) == 1 {
			b.Package = replaceModule(b.Package, r.Modules[0], item.Modules[0])
		}
	}
	if r.Name == "kubernetes" && separateKubelet(spec) {
		item.Binaries = withoutKubelet(item.Binaries)
	}
	return item, nil
}

// withoutKubelet leaves /usr/bin/kubelet to the payload "kubelet".
func withoutKubelet(binaries []Binary) []Binary {
	for i := range binaries {
		binaries[i].Links = slices.DeleteFunc(binaries[i].Links, func(l string) bool { return l == binDir+"/kubelet" })
	}
	return slices.DeleteFunc(binaries, func(b Binary) bool { return b.Name == "kubelet" })
}

func sortedKeys(m map[string]cluster.Payload) []string {
	keys := make([]string, 0, len(m))
	for k := range m {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	return keys
}
