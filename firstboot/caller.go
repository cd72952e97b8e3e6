package firstboot

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"sync"

	"slipway/firstboot/peer"
	"slipway/node"
)

// peerCaller asks peers with the node's own certificate, and introduces the node to them. It may be used from several goroutines.
type peerCaller struct {
	base   *tls.Config
	cfg    *node.Config
	random io.Reader

	mu  sync.Mutex
	met map[string]bool // who has taken this node's entry since the daemon started
}

// Attest exchanges with one peer at its address in the inventory.
func (c *peerCaller) Attest(ctx context.Context, n node.Node, t peer.Testimony) (a peer.Attestation, err error) {
	err = c.as(ctx, n, func(client *peer.Client) error {
		a, err = client.Attest(ctx, t)
		return err
	})
	return a, err
}

// Nodes asks a control plane for the list of all nodes.
func (c *peerCaller) Nodes(ctx context.Context, n node.Node, tag string) (list peer.List, changed bool, err error) {
	err = c.as(ctx, n, func(client *peer.Client) error {
		list, changed, err = client.Nodes(ctx, tag)
		return err
	})
	return list, changed, err
}

// Certificate asks a control plane for a new certificate of one of this node's programs.
func (c *peerCaller) Certificate(ctx context.Context, n node.Node, r peer.CertificateRequest) (cert []byte, err error) {
	err = c.as(ctx, n, func(client *peer.Client) error {
		cert, err = client.Certificate(ctx, r)
		return err
	})
	return cert, err
}

func (c *peerCaller) as(ctx context.Context, n node.Node, ask func(*peer.Client) error) error {
	client := peer.NewClient(c.base, c.cfg.Cluster, n, net.JoinHostPort(n.Address.Addr().String(), fmt.Sprint(node.PeerPort)), c.random)
	defer client.Close()
	return c.with(ctx, client, n.Name, ask)
}

// with asks as one that the peer knows: it introduces this node the first time, and whenever the peer has forgotten it.
func (c *peerCaller) with(ctx context.Context, client *peer.Client, name string, ask func(*peer.Client) error) error {
	if !c.hasMet(name) {
		if err := c.introduce(ctx, client, name); err != nil {
			return err
		}
	}
	err := ask(client)
	if !errors.Is(err, peer.ErrStranger) {
		return err
	}
	if err := c.introduce(ctx, client, name); err != nil {
		return err
	}
	return ask(client)
}

func (c *peerCaller) introduce(ctx context.Context, client *peer.Client, name string) error {
	if c.cfg.Entry.IsZero() { // it may be known by name all the same
		return nil
	}
	err := client.Introduce(ctx, c.cfg.Entry)
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.met == nil {
		c.met = map[string]bool{}
	}
	c.met[name] = err == nil
	return err
}

func (c *peerCaller) hasMet(name string) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.met[name]
}
