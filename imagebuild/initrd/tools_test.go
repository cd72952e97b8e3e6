package initrd

import (
	"os"
	"regexp"
	"testing"

	"slipway/cluster"
)

// TestFileSystems: the tools of the file systems that a spec may ask Ignition for are those that the initrd takes along, no
// more and no less.
func TestFileSystems(t *testing.T) {
	setup, err := os.ReadFile("files/dracut/module-setup.sh")
	if err != nil {
		t.Fatal(err)
	}
	has := map[string]bool{}
	for _, m := range regexp.MustCompile(`\bmk(?:fs\.)?([a-z0-9]+)`).FindAllStringSubmatch(string(setup), -1) {
		if m[1] != "dir" {
			has[m[1]] = true
		}
	}
	for name := range cluster.FileSystems {
		if !has[name] {
			t.Errorf("the initrd has no tool to make %s", name)
		}
	}
	for name := range has {
		if _, known := cluster.FileSystems[name]; !known {
			t.Errorf("the initrd can make %s, and no spec may ask for it", name)
		}
	}
}
