package payload

import (
	"cmp"
	"maps"
	"slices"
	"strings"
)

// goVars are the variables that can change what the toolchain makes. They are the same for every build, whatever the
// user's environment or `go env -w` says, and count in an item's key.
func goVars() map[string]string {
	return map[string]string{
		"CGO_ENABLED": "0", "GOOS": "linux", "GOARCH": "amd64", "GOAMD64": "v1", "GOFIPS140": "off", "GOEXPERIMENT": "", "GODEBUG": "",
		"GOENV": "off", "GOFLAGS": "-mod=mod", "GOWORK": "off", "GO111MODULE": "on", "GOTOOLCHAIN": "local", "GO_EXTLINK_ENABLED": "0",
	}
}

// goEnv is the environment of a build: the user's, with everything set that could change the result. Of what keeps modules
// from the checksum database only the choice of modules is the user's.
func goEnv(environ []string, tmp string) []string {
	set := maps.Clone(goVars())
	set["GONOSUMDB"], set["GOSUMDB"], set["LC_ALL"] = cmp.Or(private(environ), "none"), "sum.golang.org", "C"
	if tmp != "" {
		set["GOTMPDIR"] = tmp
	}
	return override(environ, set)
}

// override sets variables of an environment.
func override(environ []string, set map[string]string) []string {
	var out []string
	for _, kv := range environ {
		name, _, _ := strings.Cut(kv, "=")
		if _, ours := set[name]; !ours {
			out = append(out, kv)
		}
	}
	for name, value := range set {
		out = append(out, name+"="+value)
	}
	slices.Sort(out)
	return out
}

// settings are what the user may choose with `go env -w`: where modules come from and where go keeps them. The rest of
// that file does not count, and nothing of it by itself.
func settings() []string {
	return []string{"GOPROXY", "GONOPROXY", "GONOSUMDB", "GOPRIVATE", "GOINSECURE", "GOVCS", "GOAUTH", "GOCACHE", "GOMODCACHE", "GOPATH"}
}
