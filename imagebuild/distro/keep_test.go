package distro

import (
	"slices"
	"strings"
	"testing"
)

var (
	asked = Request{Name: "debian", Release: "trixie", Architecture: "amd64", Kernel: "linux-image-amd64/trixie-backports", Packages: []string{"curl", "jq"}}

	locked = []Package{
		{Name: "curl", Archive: "trixie"}, {Name: "jq", Archive: "trixie"}, {Name: "libcurl4", Source: "curl", Archive: "trixie"},
		{Name: "libssl", Source: "openssl", Archive: "trixie-security"},
		{Name: "linux-base", Archive: "trixie-backports"}, {Name: "linux-image-7.0", Source: "linux", Archive: "trixie-backports"},
		{Name: "linux-image-amd64", Source: "linux", Archive: "trixie-backports"},
	}
)

func with(change func(*Request)) Request {
	r := asked
	r.Packages = slices.Clone(asked.Packages)
	change(&r)
	return r
}

func TestKeep(t *testing.T) {
	for name, c := range map[string]struct {
		now    Request
		update []string
		gone   string // what is not kept
	}{
		"nothing new":          {asked, nil, ""},
		"one more":             {with(func(r *Request) { r.Packages = append(r.Packages, "tcpdump") }), nil, ""},
		"one less":             {with(func(r *Request) { r.Packages = []string{"curl"} }), nil, ""}, // something else may need it
		"update one":           {asked, []string{"libssl"}, "libssl"},
		"update its source":    {asked, []string{"curl"}, "curl libcurl4"},
		"update none of ours":  {asked, []string{"nosuch"}, ""},
		"from another archive": {with(func(r *Request) { r.Packages[0] = "curl/trixie-backports" }), nil, "curl libcurl4"},
		"another kernel":       {with(func(r *Request) { r.Kernel = "linux-image-amd64" }), nil, "linux-base linux-image-7.0 linux-image-amd64"},
		"another release":      {with(func(r *Request) { r.Release = "forky" }), nil, "all"},
		"another architecture": {with(func(r *Request) { r.Architecture = "arm64" }), nil, "all"},
		"another distribution": {with(func(r *Request) { r.Name = "ubuntu" }), nil, "all"},
	} {
		kept := Keep(asked, c.now, locked, c.update)
		var gone []string
		for _, p := range locked {
			if !slices.Contains(kept, p) {
				gone = append(gone, p.Name)
			}
		}
		if got := strings.Join(gone, " "); got != c.gone && (c.gone != "all" || len(kept) > 0) {
			t.Errorf("%s: not kept: %q, want %q", name, got, c.gone)
		}
	}
	if len(locked) != 7 {
		t.Error("the list that came in was changed")
	}
}

func TestChanges(t *testing.T) {
	if got := Changes(asked, asked); got != nil {
		t.Errorf("nothing changed: %q", got)
	}
	now := with(func(r *Request) {
		r.Release, r.Kernel, r.Packages = "forky", "linux-image-amd64", []string{"jq", "lsof"}
	})
	want := []string{
		"release: locked trixie, now forky", "kernel: locked linux-image-amd64/trixie-backports, now linux-image-amd64",
		"package lsof: not in the lock", "package curl: locked, but no longer asked for",
	}
	if got := Changes(asked, now); !slices.Equal(got, want) {
		t.Errorf("got %q", got)
	}
	if got := Changes(Request{}, asked); !slices.Equal(got, []string{"distribution: locked none, now debian"}) {
		t.Errorf("got %q", got)
	}
}
