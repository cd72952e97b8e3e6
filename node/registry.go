package node

import (
	"fmt"
	"net/url"
	"regexp"
)

// AnyRegistry stands for every registry that Runtime.Mirrors does not name; containerd calls it so.
const AnyRegistry = "_default"

var registryHost = regexp.MustCompile(`^[a-z0-9]([-a-z0-9.]*[a-z0-9])?(:\d+)?$`)

// RefuseRegistry says why Runtime.Mirrors cannot have a registry of this name, and what to write instead; why is empty if it can.
func RefuseRegistry(name string) (why, hint string) {
	if name != AnyRegistry && !registryHost.MatchString(name) {
		return fmt.Sprintf("%q is not a registry", name), "a host with or without port, like docker.io, or _default for all others"
	}
	return "", ""
}

// IsWebURL says whether a mirror can be asked there.
func IsWebURL(s string) bool {
	u, err := url.Parse(s)
	return err == nil && (u.Scheme == "http" || u.Scheme == "https") && u.Host != ""
}
