// Package peer is how nodes and the operator talk to a node before there is a cluster: one port, mutual TLS, the
// certificates that the node config brought.
//
//	GET /v1/status            the status document
//	GET /v1/attest?nonce=N    a signed Attestation for the nonce
//
// Start with NewServer and Client. A caller must show a certificate of the peer CA that is either a node's, known by
// its key's fingerprint in the inventory, or the operator's. The package decides nothing about formation.
package peer

import "time"

// OperatorCN is the common name of the operator's certificate.
const OperatorCN = "slipway-operator"

// Paths of the API.
const (
	statusPath = "/v1/status"
	attestPath = "/v1/attest"
)

// Timeout bounds one exchange.
const Timeout = 4 * time.Second

// maxAnswer is more than any answer of the API needs.
const maxAnswer = 1 << 20
