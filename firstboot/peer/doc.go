// Package peer is how nodes and the operator talk to a node before there is a cluster: one port, mutual TLS, HTTP/1.1,
// the certificates that the node config brought.
//
//	GET /v1/status            the status document
//	POST /v1/attest?nonce=N   takes a Testimony, gives a signed Attestation for the nonce
//	POST /v1/introduce        takes the caller's own signed entry (package node)
//	POST /v1/certificate      control planes: takes a CertificateRequest, gives the caller a new certificate (ADR 32)
//	GET /v1/nodes             every node's name, address and pods; If-None-Match says which list the caller has
//
// And for the operator alone, read only (package inside):
//
//	GET /v1/health            how etcd, the API server, the VIP and the certificates do
//	GET /v1/services          systemd's units: Slipway's, and those that failed
//	GET /v1/logs?unit=&since=&boot=&lines=&follow=    lines of the journal, a stream
//	GET /v1/dmesg?since=&boot=&lines=&follow=         the kernel's, a stream
//	GET /v1/support           all of that and the configs without keys, a stream of tar
//
// Streams are bounded in number, bytes, rate and time (look.go), and end with the trailer Slipway-End: "whole" or why there is
// no more.
//
// Start with NewServer and Client. A caller must show a certificate of the peer CA whose name and key this node knows: the
// operator's, a node's of the config, or one that introduced itself. Anybody else under that CA is a stranger, who may
// introduce itself and nothing else. Of nodes the key counts, and no date: config and entry have none either. Every request says of
// which cluster and epoch its caller is; handlers get the Caller. Connections and requests are bounded in number and rate, and nodes that
// no config names are told with Retry-After when to come again. The package decides nothing about formation, nor who belongs.
package peer

import "time"

// Paths of the API.
const (
	statusPath    = "/v1/status"
	attestPath    = "/v1/attest"
	introducePath = "/v1/introduce"
	nodesPath     = "/v1/nodes"

	certificatePath = "/v1/certificate"

	healthPath   = "/v1/health"
	servicesPath = "/v1/services"
	logsPath     = "/v1/logs"
	kernelPath   = "/v1/dmesg"
	supportPath  = "/v1/support"
)

// clusterHeader says of which cluster and epoch the caller is: "<id>/<epoch>".
const clusterHeader = "Slipway-Cluster"

// listHeader is in an answer to attest: the tag of the list of nodes, so that nobody asks for one that it has.
const listHeader = "Slipway-Nodes"

// Timeout bounds one exchange, Reach the part of it until there is a connection: who calls a machine that is off knows it by then.
const (
	Timeout = 4 * time.Second
	Reach   = time.Second
)

// Answers are cut off above these: the list of 8192 nodes is 1 MiB.
const (
	maxAnswer = 1 << 20
	maxList   = 4 << 20
)
