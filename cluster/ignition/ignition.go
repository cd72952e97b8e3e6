// Package ignition writes one Ignition config for each node: the node contract, its certificates, its name, its network,
// its clock's sources, and what the user adds.
//
// Start with Render; Decode turns the result back into files for people. Specification 3.6, judged by Ignition's own
// parser (https://coreos.github.io/ignition/configuration-v3_6/). What the node's roles need (units, flags, manifests)
// is not in here: slipwayd renders that at every boot, so that an image upgrade renews it.
package ignition

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"net/netip"
	"path"
	"slices"
	"strings"

	"github.com/coreos/ignition/v2/config/util"
	"github.com/coreos/ignition/v2/config/v3_6"
	"github.com/coreos/ignition/v2/config/v3_6/types"
	"github.com/vincent-petithory/dataurl"

	"slipway/node"
)

// Limit is the most that a node's config may measure as it is handed over, gzip+base64, by whatever way: VMware's
// guestinfo takes 64 KiB a value, the transport's own words among them, and the rest is room for what will come.
const Limit = 48 << 10

// Input is all that one node's config is made of.
type Input struct {
	Config   *node.Config
	Gateway  netip.Addr // zero: no default route
	APIName  string     // a name for the VIP in /etc/hosts, or nothing
	Files    []File     // the node's certificates and keys
	Snippets []Snippet  // merged in order, later ones win
	Taken    []string   // paths that slipwayd writes at every boot, so that no snippet may
	Served   bool       // by URL, so Limit does not hold
}

// File is one regular file, owned by root.
type File struct {
	Path    string // absolute
	Mode    fs.FileMode
	Content []byte
}

// Render makes the Ignition config of in.Config.Node. It is the same for the same input, valid, and not above Limit unless it is served.
func Render(in Input) ([]byte, error) {
	out, _, err := render(in)
	return out, err
}

// render gives the config as it is handed over as well.
func render(in Input) (out, encoded []byte, err error) {
	if out, err = assemble(in); err != nil {
		return nil, nil, err
	}
	encoded = Encode(out)
	if in.Served {
		return out, encoded, nil
	}
	if err := fits(in.Config.Node, encoded); err != nil {
		return nil, nil, err
	}
	return out, encoded, nil
}

func assemble(in Input) ([]byte, error) {
	cfg, err := base(in)
	if err != nil {
		return nil, fmt.Errorf("rendering %q: %w", in.Config.Node, err)
	}
	for _, s := range in.Snippets {
		child, err := s.parse(in.Taken)
		if err != nil {
			return nil, err
		}
		cfg = v3_6.Merge(cfg, child)
	}
	out, err := json.Marshal(cfg)
	if err != nil {
		return nil, fmt.Errorf("rendering %q: encoding Ignition: %w", in.Config.Node, err)
	}
	out = append(out, '\n')
	if err := check(out); err != nil {
		err = fmt.Errorf("rendering %q: %w", in.Config.Node, err)
		if len(in.Snippets) > 0 { // each is valid, so they contradict each other or the node's own config
			return nil, inputError{fmt.Errorf("%w\nhint: the Butane snippets of this node do not go together: look at what they say of the place named above", err)}
		}
		return nil, err
	}
	return out, nil
}

// check lets Ignition's parser judge its config.
func check(out []byte) error {
	_, report, err := v3_6.Parse(out)
	if err == nil {
		return nil
	}
	if len(report.Entries) > 0 {
		return fmt.Errorf("checking Ignition: %w:\n%s", err, strings.TrimSpace(report.String()))
	}
	return fmt.Errorf("checking Ignition: %w", err)
}

// base is the config without the user's part.
func base(in Input) (types.Config, error) {
	files := slices.Clone(in.Files)
	contract, err := in.Config.Marshal()
	if err != nil {
		return types.Config{}, err
	}
	if _, err := node.Parse(contract); err != nil {
		return types.Config{}, err
	}
	files = append(files, File{Path: node.Path, Mode: 0o600, Content: contract})
	made, err := systemFiles(in)
	if err != nil {
		return types.Config{}, err
	}
	files = append(files, made...)
	slices.SortFunc(files, func(a, b File) int { return strings.Compare(a.Path, b.Path) })
	cfg := types.Config{Ignition: types.Ignition{Version: types.MaxVersion.String()}}
	cfg.Storage.Directories = []types.Directory{
		{Node: types.Node{Path: path.Dir(node.Path)}, DirectoryEmbedded1: types.DirectoryEmbedded1{Mode: util.IntToPtr(0o755)}},
		{Node: types.Node{Path: node.PKIDir}, DirectoryEmbedded1: types.DirectoryEmbedded1{Mode: util.IntToPtr(0o700)}},
	}
	for _, f := range files {
		cfg.Storage.Files = append(cfg.Storage.Files, f.ignition())
	}
	return cfg, nil
}

// ignition is the file in Ignition's words. It may replace what the image holds at its path.
func (f File) ignition() types.File {
	return types.File{
		Node: types.Node{Path: f.Path, Overwrite: util.BoolToPtr(true)},
		FileEmbedded1: types.FileEmbedded1{
			Mode:     util.IntToPtr(int(f.Mode)),
			Contents: types.Resource{Source: util.StrToPtr("data:," + dataurl.Escape(f.Content))},
		},
	}
}

// errTooLarge is a config above Limit.
var errTooLarge = errors.New("the config is too large")

// fits refuses a config above Limit, as it is handed over, and says how large it is.
func fits(node string, encoded []byte) error {
	if len(encoded) <= Limit {
		return nil
	}
	return inputError{fmt.Errorf("rendering %q: %w: %d bytes as gzip+base64, allowed are %d\n"+
		"hint: shorten the Butane snippets, or serve the configs and hand out pointers to them: --config-url of slipway vsphere deploy, and of slipway ignition --format guestinfo",
		node, errTooLarge, len(encoded), Limit)}
}

// inputError is the user's to mend; nothing was written.
type inputError struct{ error }

func (e inputError) Unwrap() error { return e.error }

// ExitCode makes the command exit with 2.
func (inputError) ExitCode() int { return 2 }
