package cluster

import (
	"fmt"
	"slices"
	"strings"

	"golang.org/x/mod/module"
	"golang.org/x/mod/semver"

	"slipway/node"
)

// kubeletSkew is how many minors a kubelet may be behind the API server:
// https://kubernetes.io/releases/version-skew-policy/
const kubeletSkew = 3

var knownMinors = fmt.Sprintf("this slipway knows v1.%d to v1.%d", node.MinMinor, node.MaxMinor)

func (k Kubernetes) validate(d *document) {
	p := at("kubernetes", "version")
	d.version(p, k.Version)
	if isVersion(k.Version) && !isKnownMinor(k.Version) {
		d.fail(p, knownMinors, "kubernetes %q is not available", k.Version)
	}
	k.validateKubelet(d)
}

func (k Kubernetes) validateKubelet(d *document) {
	p := at("kubernetes", "kubelet")
	if d.has(p) {
		d.version(p, k.Kubelet)
	}
	if !isVersion(k.Kubelet) || !isVersion(k.Version) {
		return
	}
	if semver.Compare(k.Kubelet, k.Version) > 0 {
		d.fail(p, "allowed: "+k.Version+" and older, at most three minors", "kubelet %s is newer than the API server, %s", k.Kubelet, k.Version)
	}
	if kubeMinor(k.Kubelet) < kubeMinor(k.Version)-kubeletSkew {
		d.fail(p, "a kubelet may be at most three minors older", "kubelet %s is too old for the API server, %s", k.Kubelet, k.Version)
	}
	if d.has(p) && !isKnownMinor(k.Kubelet) {
		d.fail(p, knownMinors, "kubelet %q is not available", k.Kubelet)
	}
}

// version refuses what is not vX.Y.Z.
func (d *document) version(p path, v string) {
	if isVersion(v) {
		return
	}
	hint := versionHint
	if isVersion("v" + v) {
		hint = "write v" + v
	}
	d.fail(p, hint, "%q is not a version", v)
}

// validateFlags judges by the rules that the node has as well.
func (s *Spec) validateFlags(d *document) {
	versions := s.contractVersions(nil)
	for program, args := range s.Kubernetes.ExtraArgs {
		p := at("kubernetes", "extraArgs", program)
		if !slices.Contains(node.Programs(), program) {
			d.failKey(p, allowed(program, node.Programs()), "%q is no program that takes extra arguments", program)
			continue
		}
		version := versions.Program(program)
		for flag, value := range args {
			if why, hint := node.RefuseFlag(program, flag, version); why != "" {
				d.failKey(p.with(flag), hint, "%s", why)
			} else if why, hint := node.RefuseFlagValue(program, flag, value, version); why != "" {
				d.fail(p.with(flag), hint, "%s", why)
			}
		}
	}
}

func (s *Spec) validatePayloads(d *document) {
	for name, payload := range s.Payloads {
		p := at("payloads", name)
		if !slices.Contains(PayloadNames(), name) {
			d.failKey(p, allowed(name, PayloadNames()), "%q is no payload", name)
			continue
		}
		oneOf(d, p.with("source"), payload.Source, sources)
		s.validatePayloadVersion(d, p, name, payload)
		payload.validateSource(d, p)
		if payload.Module != "" && !CanFork(name) {
			d.failKey(p.with("module"), "remove it, or use source release or file", "%s cannot be built from another module", name)
		}
	}
}

func (s *Spec) validatePayloadVersion(d *document, p path, name string, payload Payload) {
	at := p.with("version")
	paired := name == PayloadKubernetes || name == PayloadKubelet || name == PayloadSlipwayd
	switch {
	case payload.Source != "gomod" && !paired && !d.has(at):
		d.fail(at, "say which version the file is: it is checked against the others", "a payload from %s needs its version", payload.Source)
	case name == PayloadSlipwayd:
		if d.has(at) {
			d.fail(at, "remove it", "slipwayd always has the version of slipway itself")
		}
	case name == PayloadPause:
		if !numbersTag.MatchString(payload.Version) {
			d.fail(at, "the image's tag, without v, like "+DefaultVersion(PayloadPause), "%q is not a version of pause", payload.Version)
		}
	case d.has(at):
		d.version(at, payload.Version)
	}
	s.validatePairing(d, at, name, payload.Version)
}

func (s *Spec) validatePairing(d *document, p path, name, version string) {
	kubernetes := s.Kubernetes.Version
	if name == PayloadKubernetes && d.has(p) && version != kubernetes {
		d.fail(p, "set kubernetes.version alone", "%s is not kubernetes.version, %s", version, kubernetes)
	}
	if kubelet := s.Kubernetes.Kubelet; name == PayloadKubelet && version != kubelet {
		d.fail(p, "set kubernetes.kubelet alone", "%s is not kubernetes.kubelet, %s", version, kubelet)
	}
	line, newest := etcdFor(kubernetes)
	if name == PayloadEtcd && line != "" && semver.MajorMinor(version) != line {
		d.fail(p, "allowed: any "+line+".x, like "+newest, "etcd %s does not pair with kubernetes %s", version, kubernetes)
	}
}

func (payload Payload) validateSource(d *document, p path) {
	belongs := map[string][]string{"gomod": {"module"}, "release": {"url", "sha256"}, "file": {"path", "sha256"}}
	for key, value := range map[string]string{"module": payload.Module, "url": payload.URL, "path": payload.Path, "sha256": payload.SHA256} {
		belongsHere := slices.Contains(belongs[payload.Source], key)
		switch {
		case value != "" && !belongsHere && slices.Contains(sources, payload.Source):
			d.failKey(p.with(key), "for source "+payload.Source+": "+strings.Join(belongs[payload.Source], ", ")+" and version", "%s does not belong to source %s", key, payload.Source)
		case value == "" && belongsHere && key != "module":
			d.fail(p.with(key), missingHint[key], "a payload from %s needs %s", payload.Source, key)
		case value != "" && belongsHere:
			payload.validateValue(d, p.with(key), key, value)
		}
	}
}

var missingHint = map[string]string{
	"url":    "where to download it: https://...",
	"path":   "where the file lies, relative to this file",
	"sha256": "the digest, 64 hex digits: sha256sum FILE",
}

func (Payload) validateValue(d *document, p path, key, value string) {
	switch key {
	case "module":
		if module.CheckPath(value) != nil {
			d.fail(p, "like go.etcd.io/etcd/server/v3", "%q is not a Go module path", value)
		}
	case "url":
		d.webURL(p, value)
	case "path":
		d.relativeFile(p, value)
	case "sha256":
		if !sha256Hex.MatchString(value) {
			d.fail(p, "64 lower-case hex digits: sha256sum FILE", "%q is not a SHA-256", value)
		}
	}
}
