package payload

import (
	"os"
	"strings"
	"testing"
	"time"

	"slipway/cluster"
)

// TestOwnProgramIsReproducible really builds pause in two folders: equal bytes, no path of this machine in them.
func TestOwnProgramIsReproducible(t *testing.T) {
	var sums [2]string
	for i := range sums {
		env := Env{Run: Exec{}, CacheDir: t.TempDir(), Environ: os.Environ(), Now: time.Now}
		res, err := Build(t.Context(), pauseItem(t), env)
		if err != nil {
			t.Fatal(err)
		}
		sums[i] = res.Files[0].SHA256
		raw, err := os.ReadFile(res.Files[0].HostPath)
		if err != nil {
			t.Fatal(err)
		}
		if strings.Contains(string(raw), env.CacheDir) {
			t.Error("the program holds the path of its build folder")
		}
		if out, err := runInstalled(t, res, "/pause", []string{"-v"}); err != nil || out != "pause "+cluster.DefaultVersion(cluster.PayloadPause)+"\n" {
			t.Errorf("pause -v: %q, %v", out, err)
		}
	}
	if sums[0] != sums[1] {
		t.Errorf("two builds: %s and %s", sums[0], sums[1])
	}
}

func pauseItem(t *testing.T) Item {
	t.Helper()
	items, err := Plan(testSpec(nil), testHost())
	if err != nil {
		t.Fatal(err)
	}
	for _, i := range items {
		if i.Name == cluster.PayloadPause {
			return i
		}
	}
	t.Fatal("no pause in the plan")
	return Item{}
}
