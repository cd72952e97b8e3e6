package pki

import (
	"crypto/x509"
	"errors"
	"fmt"
	"io/fs"
	"net/netip"
	"slices"
	"time"

	"slipway/node"
)

// leaf is one end certificate: its name, its CA and what it must say.
type leaf struct {
	name, ca string
	cn       string
	orgs     []string
	hosts    []string
	usages   []string
	lasts    bool // as long as its CA
}

var (
	both   = []string{usageSign, usageServer, usageClient}
	server = []string{usageSign, usageServer}
	client = []string{usageSign, usageClient}
)

// operatorLeafs are the certificates that stay with the operator.
func operatorLeafs() []leaf {
	return []leaf{
		{name: certAdmin, ca: node.CACluster, cn: "kubernetes-admin", orgs: []string{"system:masters"}, usages: client},
		operatorPeer(),
		inventorySigner(),
	}
}

// operatorPeer is how nodes know the operator: by this certificate's key. It is renewed with the same key.
func operatorPeer() leaf {
	return leaf{name: certOperator, ca: node.CAPeer, cn: node.OperatorName, usages: client}
}

// inventorySigner vouches for nodes' entries (package node). It lasts as long as its CA, as they do, and is good for nothing else:
// it is no client and no server.
func inventorySigner() leaf {
	return leaf{name: node.InventoryName, ca: node.CAPeer, cn: node.InventoryName, usages: []string{usageSign, usageEntries}, lasts: true}
}

// nodeLeafs are the certificates that node n must have, in a cluster with this pod network.
func nodeLeafs(n node.Node, cni string, apiHosts []string) []leaf {
	addr := n.Address.Addr().String()
	own := []string{n.Name, addr, "127.0.0.1"}
	leafs := []leaf{{name: node.CertPeer, ca: node.CAPeer, cn: n.Name, hosts: own, usages: both}}
	etcd, cp := n.Has(node.Etcd), n.Has(node.ControlPlane)
	if etcd {
		// etcd dials itself with its server certificate, so that one must be a client as well.
		leafs = append(leafs,
			leaf{name: node.CertEtcdSrv, ca: node.CAEtcd, cn: n.Name, hosts: append(own, "localhost"), usages: both},
			leaf{name: node.CertEtcdPeer, ca: node.CAEtcdPeer, cn: n.Name, hosts: own, usages: both})
	}
	if etcd || cp {
		leafs = append(leafs, leaf{name: node.CertEtcdCli, ca: node.CAEtcd, cn: "etcd-client:" + n.Name, usages: client})
	}
	if cp {
		leafs = append(leafs, controlPlaneLeafs(apiHosts)...)
	}
	for _, c := range node.ClientCertificates(n, cni) {
		leafs = append(leafs, leaf{name: c.Name, ca: node.CACluster, cn: c.User, orgs: c.Organization, usages: client})
	}
	return leafs
}

func controlPlaneLeafs(apiHosts []string) []leaf {
	return []leaf{
		{name: node.CertAPIServer, ca: node.CACluster, cn: "kube-apiserver", hosts: apiHosts, usages: server},
		{name: node.CertAPIKubelet, ca: node.CACluster, cn: "kube-apiserver-kubelet-client", usages: client},
		{name: node.CertFrontProxy, ca: node.CAFrontProxy, cn: "front-proxy-client", usages: client},
		{name: node.CertCM, ca: node.CACluster, cn: "system:kube-controller-manager", usages: client},
		{name: node.CertScheduler, ca: node.CACluster, cn: "system:kube-scheduler", usages: client},
		{name: node.CertAdmin, ca: node.CACluster, cn: "slipway:slipwayd", orgs: []string{"system:masters"}, usages: client},
	}
}

// ensureLeaf gives the leaf from the store under dir if it still fits, else a new one; fresh is what must be saved.
func (p *PKI) ensureLeaf(dir string, l leaf) (pair, fresh *Pair, err error) {
	name := dir + l.name
	pair, err = p.load(name)
	if err == nil && p.fits(pair.Cert, l) {
		return pair, nil, nil
	}
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, nil, err
	}
	end := p.now.Add(LeafLife - Backdate)
	if l.lasts {
		end = p.cas[l.ca].Cert.NotAfter
	}
	pair, err = p.issue(name, p.cas[l.ca], request{cn: l.cn, orgs: l.orgs, hosts: l.hosts, usages: l.usages, notAfter: end})
	if err != nil {
		return nil, nil, fmt.Errorf("issuing certificate %q: %w", name, err)
	}
	return pair, pair, nil
}

// fits says whether a stored certificate is still what l asks for, from today's CA and with a third of its life left.
func (p *PKI) fits(c *x509.Certificate, l leaf) bool {
	life := c.NotAfter.Sub(c.NotBefore)
	return c.CheckSignatureFrom(p.cas[l.ca].Cert) == nil &&
		c.Subject.CommonName == l.cn && slices.Equal(c.Subject.Organization, l.orgs) &&
		slices.Equal(sans(c), sorted(l.hosts)) &&
		slices.Contains(c.ExtKeyUsage, x509.ExtKeyUsageServerAuth) == slices.Contains(l.usages, usageServer) &&
		slices.Contains(c.ExtKeyUsage, x509.ExtKeyUsageClientAuth) == slices.Contains(l.usages, usageClient) &&
		slices.Contains(c.ExtKeyUsage, x509.ExtKeyUsageCodeSigning) == slices.Contains(l.usages, usageEntries) &&
		p.lasting(c.NotAfter, life, p.cas[l.ca].Cert.NotAfter)
}

// lasting says whether a third of life is left, or whether a new certificate could not last longer anyhow.
func (p *PKI) lasting(notAfter time.Time, life time.Duration, caEnd time.Time) bool {
	return notAfter.Sub(p.now) > life/3 || notAfter.Equal(caEnd) && p.now.Before(notAfter)
}

// sans lists a certificate's names and addresses, sorted.
func sans(c *x509.Certificate) []string {
	hosts := slices.Clone(c.DNSNames)
	for _, ip := range c.IPAddresses {
		if a, ok := netip.AddrFromSlice(ip); ok {
			hosts = append(hosts, a.Unmap().String())
		}
	}
	return sorted(hosts)
}

func sorted(s []string) []string {
	out := slices.Clone(s)
	slices.Sort(out)
	return out
}
