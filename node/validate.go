package node

import (
	"encoding/hex"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"regexp"
	"slices"

	"golang.org/x/mod/semver"
)

// pauseTag is a version without the "v": it is the tag of registry.k8s.io/pause.
var pauseTag = regexp.MustCompile(`^\d+\.\d+(\.\d+)?$`)

// Validate returns everything that is wrong with the contract, joined into one error.
func (c *Config) Validate() error {
	if c.Version != Version {
		return fmt.Errorf("version %d is not %d: this image and this node config do not belong together", c.Version, Version)
	}
	return errors.Join(c.Cluster.validate(), c.Versions.validate(), c.validateTime(), validateFingerprint("operator", c.Operator), c.validateNodes(),
		c.API.validate(), c.Network.validate(), c.Runtime.validate(), c.Tuning.validate(), c.validateEntry())
}

func (c Cluster) validate() error {
	var errs []error
	for _, f := range []struct{ key, value string }{{"cluster.id", c.ID}, {"cluster.name", c.Name}} {
		if !IsDNSLabel(f.value) {
			errs = append(errs, fmt.Errorf("%s: %q is not a DNS label", f.key, f.value))
		}
	}
	if c.Epoch < 1 {
		errs = append(errs, fmt.Errorf("cluster.epoch: %d is below 1", c.Epoch))
	}
	if c.Domain == "" {
		errs = append(errs, errors.New("cluster.domain: is empty"))
	}
	return errors.Join(errs...)
}

func (v Versions) validate() error {
	var errs []error
	for _, f := range []struct{ key, value string }{
		{"kubernetes", v.Kubernetes}, {"kubelet", v.Kubelet}, {"etcd", v.Etcd}, {"coredns", v.CoreDNS},
	} {
		if !semver.IsValid(f.value) {
			errs = append(errs, fmt.Errorf("versions.%s: %q is not a version like v1.2.3", f.key, f.value))
		}
	}
	if !pauseTag.MatchString(v.Pause) {
		errs = append(errs, fmt.Errorf("versions.pause: %q is not an image tag like 3.10.2", v.Pause))
	}
	return errors.Join(errs...)
}

func (c *Config) validateTime() error {
	if c.NotBefore.IsZero() {
		return errors.New("notBefore: is missing")
	}
	return nil
}

func (c *Config) validateNodes() error {
	var errs []error
	names, addresses := map[string]bool{}, map[netip.Addr]bool{}
	for i, n := range c.Nodes {
		if err := n.validate(c.Network); err != nil {
			errs = append(errs, fmt.Errorf("nodes[%d] %q: %w", i, n.Name, err))
		}
		if names[n.Name] || addresses[n.Address.Addr()] {
			errs = append(errs, fmt.Errorf("nodes[%d] %q: name or address %s occurs twice", i, n.Name, n.Address.Addr()))
		}
		names[n.Name], addresses[n.Address.Addr()] = true, true
	}
	if !names[c.Node] {
		errs = append(errs, fmt.Errorf("node: %q is not in nodes", c.Node))
	}
	if len(c.WithRole(ControlPlane)) == 0 {
		errs = append(errs, fmt.Errorf("nodes: none has the role %s", ControlPlane))
	}
	if n := len(c.WithRole(Etcd)); n%2 == 0 {
		errs = append(errs, fmt.Errorf("nodes: %d have the role %s, which must be odd", n, Etcd))
	}
	if n := len(c.WithRole(LB)); n != 1 && c.API.Mode == ModeDedicated && !c.API.VIP.IsValid() {
		errs = append(errs, fmt.Errorf("api.vip: is missing, and %d nodes have the role %s: only a single one serves on its own address", n, LB))
	}
	return errors.Join(errs...)
}

func (n Node) validate(network Network) error {
	var errs []error
	if !IsDNSLabel(n.Name) {
		errs = append(errs, errors.New("the name is not a DNS label"))
	}
	if n.Name == OperatorName || n.Name == InventoryName {
		errs = append(errs, errors.New("the name is the operator's"))
	}
	if !n.Address.IsValid() || n.Address.Addr().IsUnspecified() {
		errs = append(errs, errors.New("address is missing"))
	}
	if n.MAC != "" {
		if _, err := net.ParseMAC(n.MAC); err != nil {
			errs = append(errs, fmt.Errorf("mac %q is not a MAC address", n.MAC))
		}
	}
	return errors.Join(append(errs, validateFingerprint("fingerprint", n.Fingerprint), n.validateRoles(), n.validatePodCIDR(network))...)
}

func validateFingerprint(key, value string) error {
	if sum, err := hex.DecodeString(value); err != nil || len(sum) != 32 {
		return fmt.Errorf("%s: %q is not a SHA-256 in hex", key, value)
	}
	return nil
}

func (n Node) validateRoles() error {
	if len(n.Roles) == 0 {
		return errors.New("roles are missing")
	}
	for i, r := range n.Roles {
		if !slices.Contains([]Role{LB, Etcd, ControlPlane, Worker}, r) {
			return fmt.Errorf("role %q does not exist", r)
		}
		if slices.Contains(n.Roles[:i], r) {
			return fmt.Errorf("role %q occurs twice", r)
		}
	}
	return nil
}

// validatePodCIDR demands a slice of the pod network for every worker, unless somebody else shares it out.
func (n Node) validatePodCIDR(network Network) error {
	if !n.PodCIDR.IsValid() {
		if n.Has(Worker) && (network.CNI == CNIBridge || network.CNI == CNIFlannel) {
			return errors.New("podCIDR is missing")
		}
		return nil
	}
	if !network.PodCIDR.Contains(n.PodCIDR.Addr()) || n.PodCIDR.Bits() < network.PodCIDR.Bits() || n.PodCIDR != n.PodCIDR.Masked() {
		return fmt.Errorf("podCIDR %s is no slice of %s", n.PodCIDR, network.PodCIDR)
	}
	return nil
}

func (a API) validate() error {
	if !slices.Contains(Modes, a.Mode) {
		return fmt.Errorf("api.mode: %q is none of %q", a.Mode, Modes)
	}
	var errs []error
	if vip := a.Mode == ModeStacked || a.Mode == ModeDedicated; a.VIP.IsValid() && !vip || a.Mode == ModeStacked && !a.VIP.IsValid() {
		errs = append(errs, fmt.Errorf("api.vip: must be set for mode %s, may be for %s, and for no other", ModeStacked, ModeDedicated))
	}
	if a.Host == "" {
		errs = append(errs, errors.New("api.host: is empty"))
	}
	if a.Port < 1 || a.Port > 65535 {
		errs = append(errs, fmt.Errorf("api.port: %d is not a port", a.Port))
	}
	return errors.Join(errs...)
}

func (n Network) validate() error {
	var errs []error
	for _, f := range []struct {
		key    string
		prefix netip.Prefix
	}{{"network.podCIDR", n.PodCIDR}, {"network.serviceCIDR", n.ServiceCIDR}} {
		if !f.prefix.IsValid() || f.prefix != f.prefix.Masked() {
			errs = append(errs, fmt.Errorf("%s: %q is not a network", f.key, f.prefix))
		}
	}
	for _, f := range []struct {
		key  string
		addr netip.Addr
	}{{"network.apiService", n.APIService}, {"network.dnsService", n.DNSService}} {
		if !n.ServiceCIDR.Contains(f.addr) {
			errs = append(errs, fmt.Errorf("%s: %q is not in %s", f.key, f.addr, n.ServiceCIDR))
		}
	}
	for _, f := range []struct {
		key, value string
		allowed    []string
	}{{"network.cni", n.CNI, CNIs}, {"network.proxyMode", n.ProxyMode, ProxyModes}} {
		if !slices.Contains(f.allowed, f.value) {
			errs = append(errs, fmt.Errorf("%s: %q is none of %q", f.key, f.value, f.allowed))
		}
	}
	if flannel := n.CNI == CNIFlannel; flannel && !slices.Contains(Backends, n.Flannel.Backend) || !flannel && n.Flannel != (Flannel{}) {
		errs = append(errs, fmt.Errorf("network.flannel: backend %q does not fit the CNI %q: with %s it is one of %q, and with another none", n.Flannel.Backend, n.CNI, CNIFlannel, Backends))
	}
	if n.ProxyMode == ProxyIPVS && !slices.Contains(Schedulers, n.Scheduler) {
		errs = append(errs, fmt.Errorf("network.scheduler: %q is none of %q", n.Scheduler, Schedulers))
	}
	return errors.Join(errs...)
}

func (r Runtime) validate() error {
	if !slices.Contains(Runtimes, r.Name) {
		return fmt.Errorf("runtime.name: %q is none of %q", r.Name, Runtimes)
	}
	return nil
}
