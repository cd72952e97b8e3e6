package initrd

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"slipway/imagebuild/overlay"
	"slipway/internal/golden"
)

func entries(t *testing.T) []overlay.Entry {
	t.Helper()
	out, err := moduleEntries()
	if err != nil {
		t.Fatal(err)
	}
	return out
}

func TestModuleListing(t *testing.T) {
	var b strings.Builder
	for _, e := range entries(t) {
		fmt.Fprintf(&b, "%04o %s\n", e.Mode, e.Path)
	}
	golden.Check(t, "testdata/module.txt", b.String())
}

// What module-setup.sh and the units name must be carried: dracut only warns about what it does not find.
func TestModuleIsWhole(t *testing.T) {
	have := map[string]string{}
	for _, e := range entries(t) {
		have[strings.TrimPrefix(e.Path, moduleDir+"/")] = string(e.Content)
	}
	setup := have["module-setup.sh"]
	for _, m := range regexp.MustCompile(`\$moddir/([a-z0-9][\w./-]+)`).FindAllStringSubmatch(setup, -1) {
		if _, ok := have[m[1]]; !ok {
			t.Errorf("module-setup.sh installs %s, which is not there", m[1])
		}
	}
	programs := regexp.MustCompile(`(?m)^Exec\w+=-?/usr/lib/slipway/(\w+)`)
	for name, text := range have {
		for _, m := range programs.FindAllStringSubmatch(text, -1) {
			if !strings.Contains(setup, " /usr/lib/slipway/"+m[1]+"\n") {
				t.Errorf("%s runs %s, which module-setup.sh does not install", name, m[1])
			}
		}
	}
}

func TestCheckCompression(t *testing.T) {
	dir := t.TempDir()
	for name, c := range map[string]struct{ data, want string }{
		"zstd":  {"\x28\xb5\x2f\xfd rest", ""},
		"gzip":  {"\x1f\x8b\x08\x00 rest", "it is not zstd-compressed"},
		"cpio":  {"070701", "it is not zstd-compressed"},
		"short": {"\x28", "reading the initrd: unexpected EOF"},
	} {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(c.data), 0o644); err != nil {
			t.Fatal(err)
		}
		err := checkCompression(path)
		if c.want == "" && err != nil || c.want != "" && (err == nil || !strings.Contains(err.Error(), c.want)) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if checkCompression(filepath.Join(dir, "missing")) == nil {
		t.Error("a missing initrd passed")
	}
}

func TestKeyInputsSeeEverything(t *testing.T) {
	key := func(tree, ignition string, change func(*Input)) string {
		in := Input{Kernel: "7.0", Drivers: []string{"virtio_net"}, Repart: []overlay.Entry{{Path: "/a"}}, Epoch: 1}
		change(&in)
		return fmt.Sprint(in.KeyInputs(tree, ignition))
	}
	same := func(*Input) {}
	base := key("tree", "sum", same)
	for name, other := range map[string]string{
		"tree":     key("other", "sum", same),
		"ignition": key("tree", "other", same),
		"kernel":   key("tree", "sum", func(in *Input) { in.Kernel = "7.1" }),
		"drivers":  key("tree", "sum", func(in *Input) { in.Drivers = nil }),
		"bundle":   key("tree", "sum", func(in *Input) { in.CABundle = "etc/ca.crt" }),
		"repart":   key("tree", "sum", func(in *Input) { in.Repart = nil }),
		"epoch":    key("tree", "sum", func(in *Input) { in.Epoch = 2 }),
	} {
		if other == base {
			t.Errorf("another %s gives the same key", name)
		}
	}
	if !strings.Contains(base, "ignition-files.service") || !strings.Contains(base, "dracut --quiet") {
		t.Error("module or script are no part of the key")
	}
}
