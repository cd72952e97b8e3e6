package kube

import (
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strings"

	"slipway/node"
)

const (
	nodeUserPrefix = "system:node:"
	nodesGroup     = "system:nodes"
)

// servingUsages are what a serving certificate may be for; the last one it must be for.
var servingUsages = []string{"digital signature", "key encipherment", "server auth"}

// Decide says why a request for a kubelet's serving certificate must not be approved; nil means that it may be.
// It may be if a node of the inventory asks for itself, by its own name and address only, and for serving only.
// find knows the nodes of the inventory.
func Decide(csr CSR, find func(name string) (node.Node, bool)) error {
	if csr.Spec.SignerName != SignerKubeletServing {
		return fmt.Errorf("signer %q is not %q", csr.Spec.SignerName, SignerKubeletServing)
	}
	name, ok := strings.CutPrefix(csr.Spec.Username, nodeUserPrefix)
	self, known := find(name)
	if !ok || !known {
		return fmt.Errorf("requestor %q is no node of the inventory", csr.Spec.Username)
	}
	if !self.Has(node.Worker) {
		return fmt.Errorf("node %q runs no kubelet", name)
	}
	if !slices.Contains(csr.Spec.Groups, nodesGroup) {
		return fmt.Errorf("requestor %q is not in group %q", csr.Spec.Username, nodesGroup)
	}
	if err := checkUsages(csr.Spec.Usages); err != nil {
		return err
	}
	request, err := parseRequest(csr.Spec.Request)
	if err != nil {
		return err
	}
	return checkRequest(request, csr.Spec.Username, self)
}

func checkUsages(usages []string) error {
	for _, u := range usages {
		if !slices.Contains(servingUsages, u) {
			return fmt.Errorf("usage %q is not for serving", u)
		}
	}
	if !slices.Contains(usages, "server auth") {
		return errors.New(`usage "server auth" is missing`)
	}
	return nil
}

func parseRequest(data []byte) (*x509.CertificateRequest, error) {
	block, rest := pem.Decode(data)
	if block == nil || block.Type != "CERTIFICATE REQUEST" || len(strings.TrimSpace(string(rest))) > 0 {
		return nil, errors.New("the request is not one PEM block of a certificate request")
	}
	request, err := x509.ParseCertificateRequest(block.Bytes)
	if err != nil {
		return nil, fmt.Errorf("parsing the request: %w", err)
	}
	if err := request.CheckSignature(); err != nil {
		return nil, fmt.Errorf("checking the request's signature: %w", err)
	}
	return request, nil
}

func checkRequest(r *x509.CertificateRequest, user string, node node.Node) error {
	if r.Subject.CommonName != user {
		return fmt.Errorf("common name %q is not the requestor %q", r.Subject.CommonName, user)
	}
	if !slices.Equal(r.Subject.Organization, []string{nodesGroup}) {
		return fmt.Errorf("organization %q is not %q", r.Subject.Organization, nodesGroup)
	}
	if len(r.EmailAddresses) > 0 || len(r.URIs) > 0 {
		return errors.New("e-mail addresses and URIs are not allowed")
	}
	if len(r.DNSNames) == 0 && len(r.IPAddresses) == 0 {
		return errors.New("it names neither a host nor an address")
	}
	for _, name := range r.DNSNames {
		if name != node.Name {
			return fmt.Errorf("DNS name %q is not the node's", name)
		}
	}
	for _, ip := range r.IPAddresses {
		if a, ok := netip.AddrFromSlice(ip); !ok || a.Unmap() != node.Address.Addr() {
			return fmt.Errorf("address %s is not the node's", ip)
		}
	}
	return nil
}
