package ignition

import (
	"bytes"
	"embed"
	"fmt"
	"io/fs"
	"net/netip"
	"text/template"

	"slipway/cluster"
	"slipway/node"
)

//go:embed templates
var templates embed.FS

// networks are how a node's network is said, by who configures it: cluster.Image.Configurator.
var networks = map[string]systemFile{
	cluster.Networkd: {"slipway.network", NetworkPath, 0o644},
	// NetworkManager takes a keyfile only if nobody else may read it.
	cluster.NetworkManager: {"slipway.nmconnection", KeyfilePath, 0o600},
}

// Where the node's network lies, for networkd and for NetworkManager. 10 goes before anything that a distro brings.
const (
	NetworkPath = "/etc/systemd/network/10-slipway.network"
	KeyfilePath = "/etc/NetworkManager/system-connections/slipway.nmconnection"
)

// systemFile is a file that is made of a template.
type systemFile struct {
	template, path string
	mode           fs.FileMode
}

// view is what the templates see.
type view struct {
	*node.Config
	Self    node.Node
	Gateway netip.Addr
	APIName string
}

// systemFiles are the files that make the machine this node: name, names of those that every node must know, network, time. Routes to
// other nodes' pods are slipwayd's, which learns of nodes as they come.
func systemFiles(in Input) ([]File, error) {
	self := in.Config.Self()
	v := view{Config: in.Config, Self: self, Gateway: in.Gateway, APIName: in.APIName}
	network, ok := networks[in.Configurator]
	if !ok {
		return nil, fmt.Errorf("writing the network: nobody knows how %q wants it", in.Configurator)
	}
	list := []systemFile{{"hostname", "/etc/hostname", 0o644}, {"hosts", "/etc/hosts", 0o644}, network}
	if len(in.Config.Network.NTP) > 0 { // without sources of one's own the image's stay
		list = append(list, systemFile{"chrony.conf", node.ChronyConf, 0o644})
	}
	set, err := template.New("").Option("missingkey=error").ParseFS(templates, "templates/*")
	if err != nil {
		return nil, fmt.Errorf("reading the templates: %w", err)
	}
	var files []File
	for _, l := range list {
		var out bytes.Buffer
		if err := set.ExecuteTemplate(&out, l.template, v); err != nil {
			return nil, fmt.Errorf("filling %q: %w", l.template, err)
		}
		files = append(files, File{Path: l.path, Mode: l.mode, Content: out.Bytes()})
	}
	return files, nil
}
