package ignition

import (
	"bytes"
	"embed"
	"fmt"
	"net/netip"
	"text/template"

	"slipway/node"
)

//go:embed templates
var templates embed.FS

// NetworkPath is where the node's network lies; 10 goes before anything that a distro brings.
const NetworkPath = "/etc/systemd/network/10-slipway.network"

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
	list := []struct{ template, path string }{
		{"hostname", "/etc/hostname"},
		{"hosts", "/etc/hosts"},
		{"slipway.network", NetworkPath},
	}
	if len(in.Config.Network.NTP) > 0 { // without sources of one's own the image's stay
		list = append(list, struct{ template, path string }{"chrony.conf", node.ChronyConf})
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
		files = append(files, File{Path: l.path, Mode: 0o644, Content: out.Bytes()})
	}
	return files, nil
}
