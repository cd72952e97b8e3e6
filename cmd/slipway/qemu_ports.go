package main

import (
	"fmt"
	"net"
	"strconv"

	"slipway/cluster"
	"slipway/qemu"
)

// qemuFlagHelp is of the verbs that speak to nodes. What stands in backquotes is the flag's value, in the help.
const qemuFlagHelp = "the nodes are machines of slipway qemu up -o `OUT`: use their ports of 127.0.0.1"

// forwarded are the ports at which the machines of an output folder are reached, by node.
func forwarded(spec *cluster.Spec, out string) (map[string]qemu.Ports, error) {
	m, err := qemuOptions{out: out}.managerOf(spec)
	if err != nil {
		return nil, err
	}
	all, err := m.Status()
	if err != nil {
		return nil, err
	}
	ports := map[string]qemu.Ports{}
	for _, s := range all {
		if s.Ports.Peer != 0 {
			ports[s.Node] = s.Ports
		}
	}
	if len(ports) == 0 {
		return nil, usageError{fmt.Errorf("looking for the machines of %q in %s: none was ever switched on\nhint: slipway qemu up -o %s", spec.Cluster.Name, out, out)}
	}
	return ports, nil
}

// forwardedAPI is the URL of a machine that has the API: of a load balancer before that of a control plane, which dies sooner.
func forwardedAPI(spec *cluster.Spec, out string) (string, error) {
	ports, err := forwarded(spec, out)
	if err != nil {
		return "", err
	}
	for _, role := range []cluster.Role{cluster.RoleLB, cluster.RoleControlPlane} {
		for _, n := range spec.NodesWith(role) {
			if p, on := ports[n.Name]; on {
				return "https://" + local(p.API), nil
			}
		}
	}
	return "", usageError{fmt.Errorf("looking for the API in %s: no load balancer and no control plane was ever switched on\nhint: slipway qemu up -o %s", out, out)}
}

func local(port int) string { return net.JoinHostPort("127.0.0.1", strconv.Itoa(port)) }
