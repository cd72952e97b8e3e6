package testtool

import (
	"os"
	"os/exec"
	"path/filepath"
	"testing"
)

// etcdVersion is what is built for tests: the newest of the line that most supported Kubernetes minors are paired with.
const etcdVersion = "v3.6.16"

// Etcd is the paths of etcd and etcdctl, built from their modules as images have them, and kept in the user's cache. What cannot
// be built is skipped, with the compiler's words; in CI it fails.
func Etcd(t testing.TB) (etcd, etcdctl string) {
	t.Helper()
	base, err := os.UserCacheDir()
	if err != nil {
		t.Fatal(err)
	}
	dir := filepath.Join(base, "slipway", "test-programs", "etcd-"+etcdVersion)
	etcd, etcdctl = filepath.Join(dir, "etcd"), filepath.Join(dir, "etcdctl")
	for _, program := range []string{etcd, etcdctl} {
		if _, err := os.Stat(program); err == nil {
			continue
		}
		if out, err := buildEtcd(dir); err != nil {
			Missing(t, "etcd "+etcdVersion+" could not be built: "+err.Error()+"\n"+string(out))
		}
		break
	}
	return etcd, etcdctl
}

// buildEtcd compiles both into a folder of its own, which gets its name when it is whole.
func buildEtcd(dir string) ([]byte, error) {
	if err := os.MkdirAll(filepath.Dir(dir), 0o755); err != nil {
		return nil, err
	}
	work, err := os.MkdirTemp(filepath.Dir(dir), ".etcd-*")
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(work)
	mod := "module etcd-for-tests\n\ngo 1.25\n\nrequire (\n\tgo.etcd.io/etcd/server/v3 " + etcdVersion + "\n\tgo.etcd.io/etcd/etcdctl/v3 " + etcdVersion + "\n)\n"
	if err := os.WriteFile(filepath.Join(work, "go.mod"), []byte(mod), 0o644); err != nil {
		return nil, err
	}
	if err := os.Mkdir(filepath.Join(work, "bin"), 0o755); err != nil {
		return nil, err
	}
	for name, pkg := range map[string]string{"etcd": "go.etcd.io/etcd/server/v3", "etcdctl": "go.etcd.io/etcd/etcdctl/v3"} {
		cmd := exec.Command("go", "build", "-mod=mod", "-trimpath", "-ldflags=-s -w", "-o", filepath.Join("bin", name), pkg)
		cmd.Dir = work
		cmd.Env = append(os.Environ(), "CGO_ENABLED=0", "GOWORK=off")
		if out, err := cmd.CombinedOutput(); err != nil {
			return out, err
		}
	}
	if err := os.RemoveAll(dir); err != nil {
		return nil, err
	}
	return nil, os.Rename(filepath.Join(work, "bin"), dir)
}
