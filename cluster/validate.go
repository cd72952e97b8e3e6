package cluster

import (
	"path/filepath"
	"regexp"
	"slices"
	"time"

	"slipway/node"
)

// validate judges a spec whose defaults are filled in. Every rule is reported at the logical path of what it is about.
func (s *Spec) validate(d *document) {
	s.Cluster.validate(d)
	s.Kubernetes.validate(d)
	s.validateFlags(d)
	s.validatePayloads(d)
	s.Image.validate(d)
	s.Runtime.validate(d)
	s.Kernel.validate(d, s.Debug)
	s.validateVSphere(d)
	s.validateNodes(d)
	s.validateRoles(d)
	s.validateLoadBalancer(d)
	s.validateAddresses(d)
	s.validateNetworks(d)
	s.Network.validate(d)
	s.Tuning.validate(d)
	s.validateButane(d)
}

func (t Tuning) validate(d *document) {
	p := at("tuning")
	if grace, ok := d.duration(p.with("formationGrace"), t.FormationGrace); ok && time.Duration(grace) > node.MaxGrace {
		d.fail(p.with("formationGrace"), "20s is the default", "a first formation cannot wait longer than %s for its members", node.MaxGrace)
	}
	for _, k := range []struct {
		key, value string
		refuse     func(node.Duration) (why, hint string)
	}{{"vrrpAdvert", t.VRRPAdvert, node.RefuseAdvert}, {"apiCheckTimeout", t.APICheckTimeout, node.RefuseCheckTimeout},
		{"certificateLife", t.CertificateLife, node.RefuseCertificateLife}} {
		if length, ok := d.duration(p.with(k.key), k.value); ok {
			if why, hint := k.refuse(length); why != "" {
				d.fail(p.with(k.key), hint, "%s", why)
			}
		}
	}
}

// duration reads a length of time.
func (d *document) duration(p path, text string) (node.Duration, bool) {
	length, err := node.ParseDuration(text)
	if err != nil {
		d.fail(p, "like 20s or 1m30s", "%q is not a length of time", text)
	}
	return length, err == nil
}

var (
	sha256Hex  = regexp.MustCompile(`^[0-9a-f]{64}$`)
	numbersTag = regexp.MustCompile(`^\d+\.\d+(\.\d+)?$`)
)

const (
	labelHint   = "a DNS label: 1 to 63 of a-z, 0-9 and -, beginning and ending with a letter or digit"
	versionHint = "write v and three numbers, like v1.2.3"
)

func (d *document) label(p path, value string) {
	if !node.IsDNSLabel(value) {
		d.fail(p, labelHint, "%q is not a DNS label", value)
	}
}

func (d *document) webURL(p path, value string) {
	if !node.IsWebURL(value) {
		d.fail(p, "like https://mirror.example.org/path", "%q is not an http or https URL", value)
	}
}

// oneOf refuses a value outside a list.
func oneOf[S ~string](d *document, p path, value S, values []S) {
	if !slices.Contains(values, value) {
		d.fail(p, allowed(string(value), values), "%q is not available", value)
	}
}

// unique refuses the second of equal values, at its own place.
func unique[S ~string](d *document, p path, values []S) {
	for i, v := range values {
		if slices.Contains(values[:i], v) {
			d.fail(p.with(i), "remove one of them", "%q is listed twice", v)
		}
	}
}

// relativeFile refuses paths that would mean another file on another machine.
func (d *document) relativeFile(p path, file string) bool {
	ok := file != "" && !filepath.IsAbs(file)
	if !ok {
		d.fail(p, "write it relative to this file, like butane/base.bu", "%q is not a relative path", file)
	}
	return ok
}

func (c Cluster) validate(d *document) {
	d.label(at("cluster", "name"), c.Name)
	if id := at("cluster", "id"); d.has(id) {
		d.label(id, c.ID)
	}
	if !node.IsDNSName(c.Domain) {
		d.fail(at("cluster", "domain"), "labels of a-z, 0-9 and -, separated by dots, like cluster.local", "%q is not a DNS domain", c.Domain)
	}
}

func (r Runtime) validate(d *document) {
	p := at("runtime")
	if r.Name == "docker" {
		d.fail(p.with("name"), "allowed: containerd; the Docker engine is in the image beside it, for your own use", "docker is not available as the kubelet's runtime")
	}
	oneOf(d, p.with("name"), r.Name, []string{"containerd"})
	for registry, mirrors := range r.Mirrors {
		at := p.with("mirrors").with(registry)
		if why, hint := node.RefuseRegistry(registry); why != "" {
			d.failKey(at, hint, "%s", why)
		}
		for i, m := range mirrors {
			d.webURL(at.with(i), m)
		}
	}
}
