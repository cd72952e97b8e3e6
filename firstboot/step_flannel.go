package firstboot

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"strconv"
	"strings"

	"slipway/firstboot/kube"
	"slipway/roles/worker"
)

const (
	flannelUnit    = "flanneld.service"
	flannelProgram = "/usr/bin/flanneld"
)

// observeFlannel is done when flannel's network is there, and the runtime has a configuration for pods in it. Until then no pod starts.
func (n *machine) observeFlannel(ctx context.Context) (Finding, error) {
	if there, err := n.exists(flannelProgram); err != nil || !there {
		return Finding{}, errors.Join(err, errors.New("this image has no flannel\nhint: build the image from a spec with cni: flannel"))
	}
	found, err := n.lookAt(ctx, flannelUnit)
	switch {
	case err != nil:
		return Finding{}, err
	case found.act:
		return n.beforeFlannel(ctx, found)
	case !found.done:
		return found, nil
	}
	return n.observeConflist()
}

// beforeFlannel lets flannel start only when there is what it would end without: the node's object, and in it where its pods are.
func (n *machine) beforeFlannel(ctx context.Context, start Finding) (Finding, error) {
	self, err := n.nodeObject(ctx)
	if kube.NotFound(err) {
		return Wait("the node to be registered"), nil
	}
	if err != nil {
		return Finding{}, err
	}
	switch have, want := self.Spec.PodCIDR, n.self.PodCIDR.String(); have {
	case "":
		return Wait("a control plane to say where this node's pods are"), nil
	case want:
		return start, nil
	default:
		return Finding{}, fmt.Errorf("starting flannel: this node's pods are %s in the cluster, and %s in its config\nhint: delete the object of this node, and restart it", have, want)
	}
}

// observeConflist compares the runtime's configuration with what flannel found.
func (n *machine) observeConflist() (Finding, error) {
	text, err := n.FS.ReadFile(worker.FlannelSubnet)
	if errors.Is(err, fs.ErrNotExist) { // it is written once, when flannel starts
		return NeedTo(worker.FlannelSubnet+" to be written", n.restartFlannel), nil
	}
	if err != nil {
		return Finding{}, err
	}
	mtu, err := flannelMTU(string(text))
	if err != nil {
		return Finding{}, fmt.Errorf("reading %s: %w", worker.FlannelSubnet, err)
	}
	want, err := worker.Conflist(n.cfg, mtu)
	if err != nil {
		return Finding{}, err
	}
	same, err := n.matches(worker.FlannelConflist, want, 0o644)
	if err != nil || same {
		return OK(), err
	}
	return NeedTo(worker.FlannelConflist+" to be written", func(context.Context) error {
		return n.write(worker.FlannelConflist, want, 0o644)
	}), nil
}

func (n *machine) restartFlannel(ctx context.Context) error {
	return n.change(ctx, "restart", "--no-block", flannelUnit)
}

// minMTU is what every IPv4 host must take: RFC 791.
const minMTU = 576

// flannelMTU is how many bytes a packet of a pod may have, as flannel wrote it: a line FLANNEL_MTU=1450.
func flannelMTU(text string) (int, error) {
	for line := range strings.Lines(text) {
		if value, ok := strings.CutPrefix(strings.TrimSpace(line), "FLANNEL_MTU="); ok {
			mtu, err := strconv.Atoi(value)
			if err != nil || mtu < minMTU || mtu > 1<<16 {
				return 0, fmt.Errorf("FLANNEL_MTU is %q", value)
			}
			return mtu, nil
		}
	}
	return 0, errors.New("FLANNEL_MTU is missing")
}
