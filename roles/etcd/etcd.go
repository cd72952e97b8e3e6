// Package etcd renders the etcd member of an etcd node.
//
// Start with Render. Whether a member starts "new" or "existing" is not decided here: formation decides it at boot and
// writes the answer to /run/slipway/etcd.env, without which the unit does not start.
package etcd

import (
	"embed"
	"strings"

	"slipway/node"
	"slipway/roles/role"
)

//go:embed *.tmpl
var templates embed.FS

type data struct {
	*role.Node
	Flags   []string
	Members string // name=peer URL of every member, comma separated
	Token   string // id/epoch
}

// Render is empty on nodes that are no etcd nodes.
func Render(n *role.Node) (role.Output, error) {
	if !n.Is(node.Etcd) {
		return role.Output{}, nil
	}
	b := role.NewBuilder(templates, data{
		Node: n, Flags: n.Flags("etcd", flags(n)), Members: members(n),
		Token: n.EtcdToken(),
	})
	b.Unit("etcd.service")
	return b.Output()
}

func members(n *role.Node) string {
	var list []string
	for _, m := range n.With(node.Etcd) {
		list = append(list, m.Name+"="+role.URL(m.Address.Addr(), node.EtcdPeer))
	}
	return strings.Join(list, ",")
}

// flags are etcd's. Metrics and health have a listener of their own, over TLS and with a client certificate like the other:
// HTTP beside gRPC on one port starves watches (etcd-io/etcd#15402).
func flags(n *role.Node) role.Args {
	client := role.URL(n.Addr(), node.EtcdClient)
	peer := role.URL(n.Addr(), node.EtcdPeer)
	args := role.Args{
		"name":                        n.Self.Name,
		"data-dir":                    "/var/lib/etcd",
		"listen-client-urls":          client + "," + role.URL(role.Loopback(), node.EtcdClient),
		"listen-client-http-urls":     role.URL(role.Loopback(), node.EtcdHealth),
		"advertise-client-urls":       client,
		"listen-peer-urls":            peer,
		"initial-advertise-peer-urls": peer,
		"cert-file":                   n.Crt(node.CertEtcdSrv),
		"key-file":                    n.Key(node.CertEtcdSrv),
		"client-cert-auth":            "true",
		"trusted-ca-file":             n.Crt(node.CAEtcd),
		"peer-cert-file":              n.Crt(node.CertEtcdPeer),
		"peer-key-file":               n.Key(node.CertEtcdPeer),
		"peer-client-cert-auth":       "true",
		"peer-trusted-ca-file":        n.Crt(node.CAEtcdPeer), // its own: whoever may be a client is no peer by that
		"tls-min-version":             "TLS1.2",
		"logger":                      "zap",
		"enable-grpc-gateway":         "false", // REST for etcd: one client less that holds a certificate
	}
	for flag, value := range corruptionChecks(n.Versions.Etcd) {
		args[flag] = value
	}
	return args
}

// corruptionChecks turns on the checks that find a database damaged by power loss. 3.6 made them feature gates and 3.7
// dropped the experimental flags.
func corruptionChecks(version string) role.Args {
	major, minor, err := role.MajorMinor(version)
	if err == nil && major == 3 && minor < 6 {
		return role.Args{
			"experimental-initial-corrupt-check":      "true",
			"experimental-compact-hash-check-enabled": "true",
		}
	}
	return role.Args{"feature-gates": "CompactHashCheck=true,InitialCorruptCheck=true"}
}
