//go:build qemu

package qemu_test

import (
	"encoding/json"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"slipway/internal/testtool"
)

// No package of the image's lock is older than what the security suite has: a kept lock that fell behind needs build --update. Which of two
// versions is newer is for dpkg to say, not for us.
func TestSecurityUpdates(t *testing.T) {
	l := theLab(t)
	var lock struct {
		Packages []struct{ Name, Version string }
	}
	data, err := os.ReadFile(filepath.Join(l.dir, "slipway.lock"))
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(data, &lock); err != nil {
		t.Fatal(err)
	}
	security := securityIndex(t)
	known := 0
	for _, p := range lock.Packages {
		for _, v := range security[p.Name] {
			known++
			if err := exec.Command("dpkg", "--compare-versions", v, "gt", p.Version).Run(); err == nil {
				t.Errorf("%s is locked at %s, the security suite has %s", p.Name, p.Version, v)
			}
		}
	}
	t.Logf("%d packages, %d versions of them in the security suite", len(lock.Packages), known)
	if known == 0 {
		t.Errorf("none of %d locked packages is in the security suite: that index is not the release's", len(lock.Packages))
	}
}

// securityIndex gives the versions of every package in the security suite, from the indexes that resolving left in the cache.
func securityIndex(t *testing.T) map[string][]string {
	t.Helper()
	cache, err := os.UserCacheDir()
	if err != nil {
		t.Fatal(err)
	}
	pattern := filepath.Join(cache, "slipway/apt/lists/*_dists_*-security_*_Packages")
	files, err := filepath.Glob(pattern)
	if err != nil {
		t.Fatal(err)
	}
	if len(files) == 0 {
		testtool.Missing(t, "the lock was resolved elsewhere: no security index at "+pattern)
	}
	versions := map[string][]string{}
	for _, file := range files {
		data, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		maps.Copy(versions, parseIndex(string(data)))
	}
	return versions
}

func parseIndex(text string) map[string][]string {
	versions := map[string][]string{}
	for stanza := range strings.SplitSeq(text, "\n\n") {
		var name, version string
		for line := range strings.SplitSeq(stanza, "\n") {
			switch key, value, _ := strings.Cut(line, ": "); key {
			case "Package":
				name = value
			case "Version":
				version = value
			}
		}
		if name != "" && !slices.Contains(versions[name], version) {
			versions[name] = append(versions[name], version)
		}
	}
	return versions
}
