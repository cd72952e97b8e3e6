// Package peer is how nodes and the operator talk to a node before there is a cluster: one port, mutual TLS, HTTP/1.1,
// the certificates that the node config brought.
//
//	GET /v1/status            the status document
//	POST /v1/attest?nonce=N   takes a Testimony, gives a signed Attestation for the nonce
//
// Start with NewServer and Client. A caller must show a certificate of the peer CA whose name and key the contract knows:
// a node's from the inventory, or the operator's. Every request says of which cluster and epoch its caller is; handlers
// get the Caller. Connections and requests are bounded in number and rate. The package decides nothing about formation.
package peer

import "time"

// Paths of the API.
const (
	statusPath = "/v1/status"
	attestPath = "/v1/attest"
)

// clusterHeader says of which cluster and epoch the caller is: "<id>/<epoch>".
const clusterHeader = "Slipway-Cluster"

// Timeout bounds one exchange.
const Timeout = 4 * time.Second

// maxAnswer is more than any answer of the API needs.
const maxAnswer = 1 << 20
