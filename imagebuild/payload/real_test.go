package payload

import (
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"slipway/cluster"
	"slipway/imagebuild/stage"
	"slipway/internal/testtool"
)

// realVar names the cache folder for building every payload for real; `make test` sets it. It takes minutes from empty caches.
const realVar = "SLIPWAY_TEST_PAYLOAD_CACHE"

// TestRealBuild builds what an image can need, or the items named in SLIPWAY_TEST_PAYLOADS, and runs what tells a version.
func TestRealBuild(t *testing.T) {
	env := realEnv(t)
	items := realPlan(t)
	only := strings.Fields(os.Getenv("SLIPWAY_TEST_PAYLOADS"))
	for _, item := range items {
		if len(only) > 0 && !contains(only, item.Name) {
			continue
		}
		t.Run(item.Name, func(t *testing.T) {
			res, err := Build(t.Context(), item, env)
			if err != nil {
				t.Fatal(err)
			}
			for _, f := range res.Files {
				if f.Symlink == "" {
					t.Logf("%-28s %6.1f MB %s", f.Path, float64(f.Size)/1e6, f.SHA256[:12])
				}
			}
			t.Logf("%.1f s, cached %v, %v", res.Seconds, res.Cached, res.Modules)
			for _, module := range item.Modules { // also where it is built from a changed copy
				if !slices.ContainsFunc(res.Modules, func(m ModuleSum) bool { return m.Path == module && m.Version == item.Version && m.Sum != "" }) {
					t.Errorf("%s has no checksum in %v", module, res.Modules)
				}
			}
			checkVersion(t, res)
		})
	}
}

// realEnv skips the test where nothing is to be built for real.
func realEnv(t *testing.T) Env {
	t.Helper()
	cache := os.Getenv(realVar)
	if cache == "" {
		testtool.Missing(t, realVar+" is not set, the cache that payloads are built into for real")
	}
	locks := stage.Locker{Wait: func(who string) { t.Logf("waiting for %s", who) }} // other tests build into it, too
	return Env{Run: Exec{}, CacheDir: cache, Environ: os.Environ(), Now: time.Now, Locks: locks}
}

func realPlan(t *testing.T) []Item {
	t.Helper()
	host, err := Probe(t.Context(), Exec{}, os.Environ(), t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	host.Slipwayd, host.SlipwaydSHA256 = "/proc/self/exe", mustDigest(t, "/proc/self/exe")
	items, err := Plan(&cluster.Spec{Kubernetes: cluster.Kubernetes{Version: "v1.36.3"}, Network: cluster.Network{CNI: "flannel"}}, host)
	if err != nil {
		t.Fatal(err)
	}
	return items
}

// checkVersion runs each program that prints its version, under the name it has in the image.
func checkVersion(t *testing.T, res Result) {
	t.Helper()
	version := res.Item.Version
	bare := strings.TrimPrefix(version, "v")
	for _, c := range []struct{ item, path, args, want string }{
		{"etcd", "/usr/bin/etcd", "--version", "etcd Version: " + bare},
		{"etcd", "/usr/bin/etcdctl", "version", "etcdctl version: " + bare},
		{"cni-plugins", "/usr/lib/cni/bridge", "", "CNI bridge plugin " + version},
		{"coredns", "/coredns", "-version", "CoreDNS-" + bare},
		{"flannel", "/usr/bin/flanneld", "--version", "flanneld " + version},
		{"helm", "/usr/bin/helm", "version --short", version},
		{"crictl", "/usr/bin/crictl", "--version", "crictl version " + bare},
		{"ignition", "/usr/bin/ignition", "--version", "Ignition " + bare},
		{"pause", "/pause", "-v", "pause " + version},
		{"kubernetes", "/usr/bin/kubelet", "--version", "Kubernetes " + version},
		{"kubernetes", "/usr/bin/kube-apiserver", "--version", "Kubernetes " + version},
		{"kubernetes", "/usr/bin/kube-controller-manager", "--version", "Kubernetes " + version},
		{"kubernetes", "/usr/bin/kube-scheduler", "--version", "Kubernetes " + version},
		{"kubernetes", "/usr/bin/kube-proxy", "--version", "Kubernetes " + version},
		{"kubernetes", "/usr/bin/kubeadm", "version -o short", version},
		{"kubernetes", "/usr/bin/kubectl", "version --client", "Client Version: " + version},
	} {
		if c.item != res.Item.Name {
			continue
		}
		out, err := runInstalled(t, res, c.path, strings.Fields(c.args))
		if err != nil || !strings.Contains(out, c.want) {
			t.Errorf("%s %s: %v, want %q in:\n%s", c.path, c.args, err, c.want, out)
		}
	}
}
