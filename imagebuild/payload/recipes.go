package payload

import (
	"embed"
	"strings"

	"slipway/cluster"
)

//go:embed templates/*.go.txt
var templates embed.FS

// templateText is the source of an embedded main package; "" for no template.
func templateText(name string) string {
	if name == "" {
		return ""
	}
	raw, err := templates.ReadFile("templates/" + name + ".go.txt")
	if err != nil {
		panic(err) // a recipe names a template that was not embedded: recipes_test.go finds it
	}
	return string(raw)
}

// recipe says how a known payload is made. In Modules, Vars and Packages, {version} is vX.Y.Z, {bare} is X.Y.Z, {major}
// is vX, and {x} and {y} are the numbers alone.
type recipe struct {
	Name     string
	Class    Class
	Modules  []string // the first one's go.mod sets Go version, replacements and godebug
	Template string
	Main     string // the module's own package for what the template builds: a fork has its own imports. Empty: none can be built
	Vars     []string
	Patched  bool
	Binaries []Binary
	Loose    []string // release and file: programs looked for instead of Binaries, into binDir
}

const binDir = "/usr/bin"

// kubePrograms are the seven names of the multi-call binary.
func kubePrograms() []string {
	return []string{"kube-apiserver", "kube-controller-manager", "kube-proxy", "kube-scheduler", "kubeadm", "kubectl", "kubelet"}
}

func kubeVars() []string {
	const base, client = "k8s.io/component-base/version.", "k8s.io/client-go/pkg/version."
	return []string{
		base + "gitCommit=", base + "gitMajor={x}", base + "gitMinor={y}",
		base + "gitTreeState=clean", base + "gitVersion={version}",
		client + "gitCommit=", client + "gitVersion={version}",
	}
}

// recipes is the table of known payloads, sorted by name.
func recipes() []recipe {
	return []recipe{
		{Name: cluster.PayloadCNI, Class: ClassRoot, Modules: []string{"github.com/containernetworking/plugins"},
			Vars:     []string{"github.com/containernetworking/plugins/pkg/utils/buildversion.BuildVersion={version}"},
			Binaries: cniBinaries()},
		{Name: cluster.PayloadCoreDNS, Class: ClassOCI, Modules: []string{"github.com/coredns/coredns"}, Template: "coredns", Main: "github.com/coredns/coredns",
			Binaries: []Binary{{Name: "coredns", Package: ".", Path: "/coredns"}}},
		{Name: cluster.PayloadCrictl, Class: ClassRoot, Modules: []string{"sigs.k8s.io/cri-tools"},
			Vars:     []string{"sigs.k8s.io/cri-tools/pkg/version.Version={bare}"},
			Binaries: []Binary{{Name: "crictl", Package: "sigs.k8s.io/cri-tools/cmd/crictl", Path: binDir + "/crictl"}}},
		{Name: cluster.PayloadEtcd, Class: ClassRoot, Modules: []string{"go.etcd.io/etcd/server/v3", "go.etcd.io/etcd/etcdctl/v3"},
			Vars: []string{"go.etcd.io/etcd/api/v3/version.GitSHA={version}"},
			Binaries: []Binary{{Name: "etcd", Package: "go.etcd.io/etcd/server/v3", Path: binDir + "/etcd"},
				{Name: "etcdctl", Package: "go.etcd.io/etcd/etcdctl/v3", Path: binDir + "/etcdctl"}}},
		{Name: cluster.PayloadFlannel, Class: ClassRoot, Modules: []string{"github.com/flannel-io/flannel"}, Template: "flanneld",
			Vars:     []string{"github.com/flannel-io/flannel/pkg/version.Version={version}"},
			Binaries: []Binary{{Name: "flanneld", Package: ".", Path: binDir + "/flanneld"}}},
		{Name: cluster.PayloadHelm, Class: ClassRoot, Modules: []string{"helm.sh/helm/{major}"},
			Vars:     []string{"helm.sh/helm/{major}/internal/version.version={version}"},
			Binaries: []Binary{{Name: "helm", Package: "helm.sh/helm/{major}/cmd/helm", Path: binDir + "/helm"}}},
		// Ignition's own defaults are Fedora's: it would relabel for SELinux, and write keys where Debian's sshd does not look.
		{Name: cluster.PayloadIgnition, Class: ClassRoot, Modules: []string{"github.com/coreos/ignition/v2"}, Patched: true,
			Vars: []string{"github.com/coreos/ignition/v2/internal/distro.selinuxRelabel=false",
				"github.com/coreos/ignition/v2/internal/distro.writeAuthorizedKeysFragment=false",
				"github.com/coreos/ignition/v2/internal/version.Raw={bare}"},
			Binaries: []Binary{{Name: "ignition", Package: "github.com/coreos/ignition/v2/internal", Path: binDir + "/ignition"}}},
		{Name: cluster.PayloadKubelet, Class: ClassRoot, Modules: []string{"k8s.io/kubernetes"}, Vars: kubeVars(),
			Binaries: []Binary{{Name: "kubelet", Package: "k8s.io/kubernetes/cmd/kubelet", Path: binDir + "/kubelet"}}},
		{Name: cluster.PayloadKubernetes, Class: ClassRoot, Modules: []string{"k8s.io/kubernetes"}, Template: "kube", Vars: kubeVars(),
			Binaries: []Binary{{Name: "kube", Package: ".", Path: binDir + "/kube", Links: inDir(binDir, kubePrograms())}},
			Loose:    kubePrograms()},
		{Name: cluster.PayloadPause, Class: ClassOCI, Template: "pause", Vars: []string{"main.version={version}"},
			Binaries: []Binary{{Name: "pause", Package: ".", Path: "/pause"}}},
		{Name: cluster.PayloadSlipwayd, Class: ClassRoot, Binaries: []Binary{{Name: "slipwayd", Path: binDir + "/slipwayd"}}},
	}
}

// cniBinaries are the plugins that the bridge network and its usual companions need.
func cniBinaries() []Binary {
	const module, dir = "github.com/containernetworking/plugins/plugins/", "/usr/lib/cni/"
	var all []Binary
	for _, p := range []string{"meta/bandwidth", "main/bridge", "meta/firewall", "ipam/host-local", "main/loopback", "meta/portmap", "meta/tuning"} {
		_, name, _ := strings.Cut(p, "/")
		all = append(all, Binary{Name: name, Package: module + p, Path: dir + name})
	}
	return all
}

func inDir(dir string, names []string) []string {
	var paths []string
	for _, n := range names {
		paths = append(paths, dir+"/"+n)
	}
	return paths
}
