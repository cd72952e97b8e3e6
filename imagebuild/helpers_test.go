package imagebuild

import (
	"net"
	"os"
	"path/filepath"
	"testing"
	"time"

	"slipway/cluster"
	"slipway/imagebuild/payload"
	"slipway/imagebuild/sandbox"
)

// plan makes the plan of the single-node example, with more lines at the end of its spec.
func plan(t *testing.T, more string) *Plan {
	t.Helper()
	data, err := os.ReadFile("../examples/single/cluster.yaml")
	if err != nil {
		t.Fatal(err)
	}
	spec, err := cluster.Parse("cluster.yaml", append(data, more...), nil)
	if err != nil {
		t.Fatal(err)
	}
	p, err := NewPlan(spec, payload.Host{Go: "go1.26.0", Slipwayd: "slipwayd", SlipwaydSHA256: "00"})
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// quiet is a Progress that hears nothing.
type quiet struct{}

func (quiet) Begin(string)             {}
func (quiet) Bytes(int64, int64)       {}
func (quiet) Note(string)              {}
func (quiet) Line(string)              {}
func (quiet) Start(string)             {}
func (quiet) Finish(string)            {}
func (quiet) End(string, string, bool) {}

// testBuilder works in temporary folders, at a fixed time.
func testBuilder(t *testing.T, change func(*Options)) *builder {
	t.Helper()
	dir := t.TempDir()
	opt := Options{
		Out: filepath.Join(dir, "out"), Cache: filepath.Join(dir, "cache"), LockPath: filepath.Join(dir, LockName), Epoch: 1_780_000_000,
		Now:     func() time.Time { return time.Unix(1_780_000_000, 0) },
		Sandbox: sandbox.New(os.Geteuid(), []string{"PATH=/usr/sbin:/usr/bin:/sbin:/bin", "LC_ALL=C.UTF-8"}), Progress: quiet{},
	}
	change(&opt)
	if err := os.Mkdir(opt.Out, 0o755); err != nil {
		t.Fatal(err)
	}
	return newBuilder(plan(t, ""), opt)
}

// listen answers on loopback until the test ends.
func listen(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	return l.Addr().String()
}
