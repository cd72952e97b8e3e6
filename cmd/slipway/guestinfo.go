package main

import (
	"errors"
	"fmt"

	"slipway/cluster/ignition"
)

// guestinfo packs a node's config for VMware, or a pointer to where it is served.
func guestinfo(cluster, node string, ign []byte, base string) (ignition.Guestinfo, error) {
	if base == "" {
		return ignition.NewGuestinfo(node, ign)
	}
	pointer, err := ignition.Pointer(base, ignition.FileName(cluster, node), ign)
	if err != nil {
		return ignition.Guestinfo{}, err
	}
	return ignition.NewGuestinfo(node, pointer)
}

// configDHCPHelp is of the flag beside --config-url.
const configDHCPHelp = "the nodes' network has DHCP, by which a node gets to --config-url before its config tells its address"

// checkConfigURL refuses a pointer that no node could follow: the address of the spec is in the very config that it is to
// fetch, and the initrd has nothing but DHCP to get another.
func checkConfigURL(url string, dhcp bool) error {
	if url == "" || dhcp {
		return nil
	}
	return usageError{errors.New("--config-url: a node fetches its config before it has its address, which is in that config; until then only DHCP can give it one\n" +
		"hint: add --config-dhcp if the nodes' network has a DHCP server; else leave --config-url out, and keep each config below the limit")}
}

// nodeConfig is a node's config for programs: a line of --format guestinfo has its name and the two values alone.
type nodeConfig struct {
	Node    string `json:"node"`
	File    string `json:"file,omitempty"`    // where it was written
	Size    int    `json:"size,omitempty"`    // bytes
	Encoded int    `json:"encoded,omitempty"` // bytes as gzip+base64, which is what the limit is about
	*ignition.Guestinfo
}

// warnPlain speaks up when keys would travel in the clear.
func warnPlain(s streams, base string) {
	if ignition.IsPlain(base) {
		fmt.Fprint(s.err, "slipway: warning: the configs hold private keys, and --config-url is not encrypted: anybody on the way can read them\n")
	}
}
