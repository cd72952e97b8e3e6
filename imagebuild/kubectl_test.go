package imagebuild

import (
	"os"
	"path/filepath"
	"testing"
	"time"

	"slipway/imagebuild/payload"
	"slipway/internal/testtool"
)

// The kubectl beside the artefacts is the image's, and stays when the cache forgets what it was built of.
func TestKubectlBesideTheArtefacts(t *testing.T) {
	b := testBuilder(t, func(*Options) {})
	path := filepath.Join(b.opt.Out, "kubectl")
	if err := os.Symlink("/gone/kube", path); err != nil { // of an older slipway
		t.Fatal(err)
	}
	for _, content := range []string{"one", "one", "two"} {
		kube := file(t, "kube", content)
		if err := os.Chmod(kube, 0o755); err != nil {
			t.Fatal(err)
		}
		b.results = []payload.Result{
			{Item: payload.Item{Name: "etcd"}, Files: []payload.InstalledFile{{Path: "/usr/bin/etcd", HostPath: "/cache/etcd"}}},
			{Item: payload.Item{Name: "kubernetes"}, Files: []payload.InstalledFile{
				{Path: "/usr/bin/kube", HostPath: kube}, {Path: "/usr/bin/kubeadm", Symlink: "kube"}, {Path: "/usr/bin/kubectl", Symlink: "kube"},
			}},
		}
		for range 2 {
			if err := b.keepKubectl(); err != nil {
				t.Fatal(err)
			}
		}
		if err := os.Remove(kube); err != nil {
			t.Fatal(err)
		}
		if st, err := os.Stat(path); err != nil || st.Mode().Perm() != 0o755 || text(t, path) != content {
			t.Errorf("%v %v, want %q", st, err, content)
		}
	}
}

// Across file systems it is a copy, made once.
func TestCopyAcrossFileSystems(t *testing.T) {
	shm, err := os.MkdirTemp("/dev/shm", "slipway-test-*")
	if err != nil {
		testtool.Missing(t, "there is no second file system at /dev/shm: "+err.Error())
	}
	defer os.RemoveAll(shm)
	from, to := file(t, "kube", "one"), filepath.Join(shm, "kubectl")
	old := time.Unix(1_780_000_000, 5)
	if err := os.Chtimes(from, old, old); err != nil {
		t.Fatal(err)
	}
	var made [2]os.FileInfo
	for i := range made {
		if err := linkOrCopy(from, to); err != nil {
			t.Fatal(err)
		}
		if made[i], err = os.Stat(to); err != nil || text(t, to) != "one" || made[i].Mode().Perm() != 0o755 {
			t.Fatalf("%v %v", made[i], err)
		}
	}
	if !os.SameFile(made[0], made[1]) {
		t.Error("copied again")
	}
}
