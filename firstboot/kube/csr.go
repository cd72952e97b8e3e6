package kube

import (
	"context"
	"fmt"
	"net/url"
	"time"
)

// SignerKubeletServing signs the certificates that kubelets serve with.
const SignerKubeletServing = "kubernetes.io/kubelet-serving"

const csrPath = "/apis/certificates.k8s.io/v1/certificatesigningrequests"

// CSR is a CertificateSigningRequest of certificates.k8s.io/v1, as far as it is needed here.
type CSR struct {
	APIVersion string    `json:"apiVersion,omitempty"`
	Kind       string    `json:"kind,omitempty"`
	Metadata   Metadata  `json:"metadata"`
	Spec       CSRSpec   `json:"spec"`
	Status     CSRStatus `json:"status,omitzero"`
}

// Metadata is an object's.
type Metadata struct {
	Name            string            `json:"name,omitempty"`
	UID             string            `json:"uid,omitempty"`
	ResourceVersion string            `json:"resourceVersion,omitempty"`
	Labels          map[string]string `json:"labels,omitempty"`
	Annotations     map[string]string `json:"annotations,omitempty"`
}

// CSRSpec is who asks for what. The API server fills in Username and Groups.
type CSRSpec struct {
	Request    []byte   `json:"request"` // PEM
	SignerName string   `json:"signerName"`
	Usages     []string `json:"usages,omitempty"`
	Username   string   `json:"username,omitempty"`
	Groups     []string `json:"groups,omitempty"`
}

// CSRStatus says what became of it.
type CSRStatus struct {
	Conditions []Condition `json:"conditions,omitempty"`
}

// Condition is an object's condition.
type Condition struct {
	Type           string    `json:"type"`
	Status         string    `json:"status"`
	Reason         string    `json:"reason,omitempty"`
	Message        string    `json:"message,omitempty"`
	LastUpdateTime time.Time `json:"lastUpdateTime,omitzero"`
}

// Pending says whether nobody has decided yet.
func (c CSR) Pending() bool { return len(c.Status.Conditions) == 0 }

// Approve approves a request. One that somebody has decided meanwhile is left alone by the server (409).
func (c *Client) Approve(ctx context.Context, csr CSR, message string, now time.Time) error {
	csr.APIVersion, csr.Kind = "certificates.k8s.io/v1", "CertificateSigningRequest"
	csr.Status.Conditions = []Condition{{
		Type: "Approved", Status: "True", Reason: "SlipwayInventory", Message: message, LastUpdateTime: now.UTC().Truncate(time.Second),
	}}
	if err := c.Put(ctx, csrPath+"/"+url.PathEscape(csr.Metadata.Name)+"/approval", csr); err != nil {
		return fmt.Errorf("approving certificate request %q: %w", csr.Metadata.Name, err)
	}
	return nil
}
