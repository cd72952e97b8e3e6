package imagebuild

import (
	"errors"
	"slices"
	"strings"
	"testing"

	"slipway/imagebuild/payload"
)

// helps prints help as the Kubernetes programs, etcd, or nobody does, by the name it is called by.
const helps = `package main

import (
	"fmt"
	"os"
	"path"
)

func main() {
	switch name := path.Base(os.Args[0]); {
	case len(os.Args) != 2 || os.Args[1] != "--help":
		os.Exit(1)
	case name == "etcd":
		fmt.Println("Member:\n  --name 'default'\n    Use --nothing instead.\n  --snapshot-count '10000'\n")
	case name == "kubelet":
		fmt.Println("Flags:\n      --max-pods int32   Number, see --other\n  -v, --v Level\n      --config string")
	}
}
`

func TestCheckFlags(t *testing.T) {
	b := treeBuilder(t)
	file := program(t, helps)
	file.Path = "/usr/bin/kube"
	b.results = []payload.Result{{Files: []payload.InstalledFile{
		file, {Path: "/usr/bin/etcd", Symlink: "kube"}, {Path: "/usr/bin/kubelet", Symlink: "kube"}, {Path: "/usr/bin/kube-proxy", Symlink: "kube"},
	}}}
	type flags = map[string]map[string]string
	for name, c := range map[string]struct {
		args flags
		want string
	}{
		"none":      {nil, ""},
		"all known": {flags{"etcd": {"name": "x", "snapshot-count": "5"}, "kubelet": {"v": "2", "max-pods": "1"}}, ""},
		"misspelt":  {flags{"etcd": {"nothing": ""}, "kubelet": {"max-pod": "1", "other": "", "v": "2"}}, `etcd has no flag "nothing"; kubelet has no flag "max-pod"; kubelet has no flag "other"`},
		"no help":   {flags{"kube-proxy": {"v": "2"}}, "`kube-proxy --help` lists no flags"},
		"no such":   {flags{"kube-scheduler": {"v": "2"}}, "no payload gives kube-scheduler"},
	} {
		b.plan.ExtraArgs = c.args
		err := b.checkFlags(t.Context())
		if (err == nil) != (c.want == "") || err != nil && !strings.HasSuffix(err.Error(), c.want) {
			t.Errorf("%s: %v", name, err)
		}
		if unknown, ok := errors.AsType[*UnknownFlagsError](err); ok && !slices.Equal(unknown.Flags[1].Known, []string{"max-pods", "v", "config"}) {
			t.Errorf("%s: %v", name, unknown.Flags)
		}
	}
}
