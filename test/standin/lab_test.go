//go:build standin

package standin

import (
	"bufio"
	"bytes"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// lab is a folder with what the test makes, and the programs of `make build`.
type lab struct {
	t        *testing.T
	dir, bin string
}

func newLab(t *testing.T) lab {
	t.Helper()
	bin := os.Getenv("SLIPWAY_BIN")
	if bin == "" {
		t.Fatal("SLIPWAY_BIN is not set: it is the folder of `make build`")
	}
	dir := os.Getenv("SLIPWAY_TEST_DIR")
	if dir == "" {
		dir = t.TempDir()
	}
	dir = filepath.Join(dir, "standin")
	if err := os.RemoveAll(dir); err != nil {
		t.Fatal(err)
	}
	return lab{t, dir, bin}
}

// node is the spec of one node, without its image section.
const node = `cluster: {name: standin}
network: {gateway: 10.77.0.2, dns: [10.77.0.3]}
nodes:
  - {name: node1, roles: [etcd, control-plane, worker], address: 10.77.0.11/24}
`

func (l lab) path(elem ...string) string { return filepath.Join(append([]string{l.dir}, elem...)...) }

func (l lab) write(name, text string) {
	l.t.Helper()
	if err := os.MkdirAll(filepath.Dir(l.path(name)), 0o755); err != nil {
		l.t.Fatal(err)
	}
	if err := os.WriteFile(l.path(name), []byte(text), 0o644); err != nil {
		l.t.Fatal(err)
	}
}

func (l lab) read(name string) string {
	l.t.Helper()
	data, err := os.ReadFile(l.path(name))
	if err != nil {
		l.t.Fatal(err)
	}
	return string(data)
}

// slipway runs the program in a folder of the lab and returns what it printed.
func (l lab) slipway(folder string, args ...string) (string, error) {
	l.t.Helper()
	cmd := exec.Command(filepath.Join(l.bin, "slipway"), args...)
	cmd.Dir = l.path(folder)
	var out bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &out
	err := cmd.Run()
	l.t.Logf("slipway %s\n%s", strings.Join(args, " "), out.String())
	return out.String(), err
}

func (l lab) mustSlipway(folder string, args ...string) string {
	l.t.Helper()
	out, err := l.slipway(folder, args...)
	if err != nil {
		l.t.Fatalf("slipway %s: %v", strings.Join(args, " "), err)
	}
	return out
}

// tool builds the stand-in's tool.
func (l lab) tool(name string) string {
	l.t.Helper()
	out := l.path("tools", name)
	if text, err := exec.Command("go", "build", "-o", out, "../../tools/"+name).CombinedOutput(); err != nil {
		l.t.Fatalf("building %s: %v\n%s", name, err, text)
	}
	return out
}

// serve runs the tool's server until the returned function ends it.
func (l lab) serve(tool, dir string) (stop func()) {
	l.t.Helper()
	cmd := exec.Command(tool, "-listen", "127.0.0.1:0", dir)
	out, err := cmd.StdoutPipe()
	if err == nil {
		err = cmd.Start()
	}
	if err != nil {
		l.t.Fatal(err)
	}
	if line, err := bufio.NewReader(out).ReadString('\n'); err != nil || !strings.HasPrefix(line, "serving ") {
		l.t.Fatalf("the server said %q, %v", line, err)
	}
	stop = func() { cmd.Process.Kill(); cmd.Wait() }
	l.t.Cleanup(stop)
	return stop
}

// lock is what the test reads of a slipway.lock.
type lock struct {
	Archives map[string]string
	Packages []struct{ Name, Version, Archive string }
}

func (l lab) lock(folder string) (out lock) {
	l.t.Helper()
	if err := json.Unmarshal([]byte(l.read(filepath.Join(folder, "slipway.lock"))), &out); err != nil {
		l.t.Fatal(err)
	}
	return out
}

// archive is where a package came from; empty if the lock has none of the name.
func (k lock) archive(name string) string {
	for _, p := range k.Packages {
		if p.Name == name {
			return p.Archive
		}
	}
	return ""
}

func (l lab) pool() string {
	l.t.Helper()
	dir, err := os.UserCacheDir()
	if err != nil {
		l.t.Fatal(err)
	}
	return filepath.Join(dir, "slipway", "pool")
}

// make makes an archive of the Debian image's packages.
func (l lab) make(tool, dir string, more ...string) {
	l.t.Helper()
	args := append(more, "-lock", l.path("debian/slipway.lock"), "-pool", l.pool(), l.path(dir))
	if out, err := exec.Command(tool, args...).CombinedOutput(); err != nil {
		l.t.Fatalf("making the archive: %v\n%s", err, out)
	}
}

// spec writes a spec that builds from an archive, with the archive's key beside it.
func (l lab) spec(folder, archive string) {
	l.t.Helper()
	l.write(folder+"/cluster.yaml", node+l.read(archive+"/image.yaml"))
	l.write(folder+"/archive.asc", l.read(archive+"/archive.asc"))
}
