package node

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
)

var (
	// label is a DNS label as Kubernetes and systemd-hostnamed both take it (RFC 1123, lower case).
	label = regexp.MustCompile(`^[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?$`)
	// labelWord is the name in a label's key, and its value: https://kubernetes.io/docs/concepts/overview/working-with-objects/labels/
	labelWord = regexp.MustCompile(`^[A-Za-z0-9]([A-Za-z0-9_.-]{0,61}[A-Za-z0-9])?$`)
)

// IsDNSLabel says whether s is a name of a node or cluster.
func IsDNSLabel(s string) bool { return label.MatchString(s) }

// IsDNSName takes labels separated by dots.
func IsDNSName(s string) bool {
	return len(s) <= 253 && !slices.ContainsFunc(strings.Split(s, "."), func(l string) bool { return !IsDNSLabel(l) })
}

// RefuseLabel says why a node cannot have a label with this key, and what to do instead; why is empty if it can. In
// Kubernetes' own name spaces the kubelet takes only some for itself, and some of those it sets from what it finds:
// k8s.io/kubelet, pkg/apis/well_known_labels.go.
func RefuseLabel(key string) (why, hint string) {
	space, name, spaced := strings.Cut(key, "/")
	if !spaced {
		space, name = "", key
	}
	if !labelWord.MatchString(name) || spaced && !IsDNSName(space) {
		return fmt.Sprintf("%q is not a label's key", key), "like disk or example.org/disk"
	}
	if (under(space, "kubernetes.io") || under(space, "k8s.io")) && !kubeletMaySet(key, space) {
		return fmt.Sprintf("a node may not give itself the label %q", key),
			"use a domain of your own, or node.kubernetes.io/..., kubelet.kubernetes.io/..., topology.kubernetes.io/zone or region"
	}
	return "", ""
}

// RefuseLabelValue is RefuseLabel for the value.
func RefuseLabelValue(value string) (why, hint string) {
	if value != "" && !labelWord.MatchString(value) {
		return fmt.Sprintf("%q is not a label's value", value), "at most 63 letters, digits and - _ ."
	}
	return "", ""
}

func kubeletMaySet(key, space string) bool {
	return under(space, "node.kubernetes.io") || under(space, "kubelet.kubernetes.io") ||
		key == "topology.kubernetes.io/zone" || key == "topology.kubernetes.io/region"
}

func under(space, domain string) bool { return space == domain || strings.HasSuffix(space, "."+domain) }
