package imagebuild

import (
	"maps"
	"slices"
	"testing"
)

func TestPayloadChanges(t *testing.T) {
	for name, c := range map[string]struct {
		change func(*LockedPayload)
		want   []change
	}{
		"same": {func(*LockedPayload) {}, nil},
		"version": {func(p *LockedPayload) { p.Version, p.Origin = "v3.7", "gomod e@v3.7" },
			[]change{{"etcd", ": locked gomod e@v3.6, now gomod e@v3.7", false}}},
		"checksum": {func(p *LockedPayload) { p.Modules["e@v3.6"] = "h1:y" },
			[]change{{"etcd", ": the checksum of module e@v3.6 was h1:x, now h1:y", true}}},
		"checksum of a module below": {func(p *LockedPayload) { p.Modules["d@v1"] = "h1:y" },
			[]change{{"etcd", ": the checksum of module d@v1 was h1:d, now h1:y", true}}},
		"other modules": {func(p *LockedPayload) { p.Modules = map[string]string{"e@v3.6": "h1:x", "d@v2": "h1:d"} },
			[]change{{"etcd", ": module d@v1 is locked, but no longer part of it", true}, {"etcd", ": module d@v2 is not in the lock", true}}},
		"file": {func(p *LockedPayload) { p.Files = map[string]string{"/usr/bin/etcd": "ee"} },
			[]change{{"etcd", ": etcd was sha256 ff, now ee", true}}},
		"more files": {func(p *LockedPayload) { p.Files = map[string]string{"/usr/bin/etcd": "ff", "/usr/bin/etcdctl": "ee"} },
			[]change{{"etcd", ": /usr/bin/etcdctl is not in the lock", false}}},
		"fewer files": {func(p *LockedPayload) { p.Files = nil },
			[]change{{"etcd", ": /usr/bin/etcd is locked, but no longer part of it", false}}},
		"other name": {func(p *LockedPayload) { p.Name = "helm" },
			[]change{{"etcd", ": locked, but no longer part of the image", false}, {"helm", " v3.6: not in the lock", false}}},
	} {
		now := sample().Payloads
		c.change(&now[0])
		if got := payloadChanges(sample().Payloads, now); !slices.Equal(got, c.want) {
			t.Errorf("%s: got %q", name, got)
		}
	}
	old := sample().Payloads
	old[0].Modules = nil // of a lock that knew none
	if got := payloadChanges(old, sample().Payloads); !slices.Equal(got, []change{{"etcd", ": its 2 modules are not in the lock", false}}) {
		t.Errorf("an older lock: got %q", got)
	}
}

func TestToolChanges(t *testing.T) {
	locked := Tools{"apt": "2.6.1", "go": "go1.26.8", "slipway": "v1 sha256:aa"}
	if got := maps.Clone(locked).changes(locked); got != nil {
		t.Errorf("the same tools: %q", got)
	}
	got := Tools{"apt": "3.0.3", "slipway": "v1 sha256:bb", "mmdebstrap": "1.5"}.changes(locked)
	want := []string{
		"apt: locked 2.6.1, now 3.0.3",
		"go: locked go1.26.8, now not used",
		"mmdebstrap 1.5: not in the lock",
		"slipway: locked v1 sha256:aa, now v1 sha256:bb",
	}
	if !slices.Equal(got, want) {
		t.Errorf("got %q", got)
	}
}
