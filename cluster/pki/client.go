package pki

import (
	"bytes"
	"crypto/tls"
	"crypto/x509"
	_ "embed"
	"encoding/base64"
	"fmt"
	"text/template"

	"slipway/node"
)

//go:embed templates/kubeconfig.tmpl
var kubeconfigTemplate string

// operatorPair gives one of the operator's certificates with its key, issued anew when it nears its end.
func (p *PKI) operatorPair(name string) (*Pair, error) {
	for _, l := range operatorLeafs() {
		if l.name != name {
			continue
		}
		pair, fresh, err := p.ensureLeaf("", l)
		if err != nil {
			return nil, err
		}
		if err := p.save(fresh); err != nil {
			return nil, err
		}
		_, err = p.key(pair)
		return pair, err
	}
	return nil, fmt.Errorf("issuing certificate %q: the operator has none of this name", name)
}

// Kubeconfig is an administrator's kubeconfig for the cluster called name at server, a URL.
func (p *PKI) Kubeconfig(name, server string) ([]byte, error) {
	pair, err := p.operatorPair(certAdmin)
	if err != nil {
		return nil, err
	}
	t, err := template.New("kubeconfig").Option("missingkey=error").Parse(kubeconfigTemplate)
	if err != nil {
		return nil, fmt.Errorf("reading the kubeconfig template: %w", err)
	}
	var out bytes.Buffer
	err = t.Execute(&out, map[string]string{
		"Name":   name,
		"Server": server,
		"CA":     base64.StdEncoding.EncodeToString(p.cas[node.CACluster].CertPEM),
		"Cert":   base64.StdEncoding.EncodeToString(pair.CertPEM),
		"Key":    base64.StdEncoding.EncodeToString(pair.KeyPEM),
	})
	if err != nil {
		return nil, fmt.Errorf("filling the kubeconfig: %w", err)
	}
	return out.Bytes(), nil
}

// OperatorTLS is how the operator calls the peer API of any node. Nodes prove themselves with the peer CA; set
// ServerName to the node's name when the address dialled is not in its certificate (a forwarded port).
func (p *PKI) OperatorTLS() (*tls.Config, error) {
	pair, err := p.operatorPair(certOperator)
	if err != nil {
		return nil, err
	}
	cert, err := tls.X509KeyPair(pair.CertPEM, pair.KeyPEM)
	if err != nil {
		return nil, fmt.Errorf("reading the operator's certificate: %w", err)
	}
	roots := x509.NewCertPool()
	roots.AddCert(p.cas[node.CAPeer].Cert)
	return &tls.Config{Certificates: []tls.Certificate{cert}, RootCAs: roots, MinVersion: tls.VersionTLS13}, nil
}
