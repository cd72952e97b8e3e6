package ignition

import (
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/url"
	"strings"

	"github.com/coreos/ignition/v2/config/util"
	"github.com/coreos/ignition/v2/config/v3_6/types"
)

// The keys that Ignition reads in a VMware guest, and how the first one is encoded. They are always set together: an
// encoding that was left from before would spoil new data.
const (
	GuestinfoData     = "guestinfo.ignition.config.data"
	GuestinfoEncoding = "guestinfo.ignition.config.data.encoding"
	encodingGzip      = "gzip+base64"
)

// Guestinfo is the pair of values that hands a config to a VMware guest.
type Guestinfo struct {
	Data     string `json:"guestinfo.ignition.config.data"`
	Encoding string `json:"guestinfo.ignition.config.data.encoding"`
}

// NewGuestinfo packs a node's config. One above Limit is refused with its size.
func NewGuestinfo(node string, ign []byte) (Guestinfo, error) {
	data := Encode(ign)
	if err := fits(node, data); err != nil {
		return Guestinfo{}, err
	}
	return Guestinfo{Data: string(data), Encoding: encodingGzip}, nil
}

// maxDecoded bounds what a guestinfo value may unfold to.
const maxDecoded = 64 << 20

// Decode is the config in the pair, as Ignition would read it.
func (g Guestinfo) Decode() ([]byte, error) {
	if g.Encoding != encodingGzip {
		return nil, fmt.Errorf("unpacking guestinfo: encoding %q is not %q", g.Encoding, encodingGzip)
	}
	return Unpack([]byte(g.Data))
}

// Unpack is what Encode packed.
func Unpack(encoded []byte) ([]byte, error) {
	packed, err := base64.StdEncoding.AppendDecode(nil, encoded)
	if err != nil {
		return nil, fmt.Errorf("unpacking guestinfo: %w", err)
	}
	r, err := gzip.NewReader(bytes.NewReader(packed))
	if err != nil {
		return nil, fmt.Errorf("unpacking guestinfo: %w", err)
	}
	ign, err := io.ReadAll(io.LimitReader(r, maxDecoded+1))
	switch {
	case err != nil:
		return nil, fmt.Errorf("unpacking guestinfo: %w", err)
	case len(ign) > maxDecoded:
		return nil, fmt.Errorf("unpacking guestinfo: more than %d bytes", maxDecoded)
	}
	return ign, nil
}

// FileName is that of a node's config. Names of clusters and nodes have no dots, so configs of two clusters fit into one
// folder, and a config is known by its name wherever it is copied to.
func FileName(cluster, node string) string { return cluster + "." + node + ".ign" }

// Pointer is a config that only says where a node's own is served, BASE/FILE, and what its SHA-256 is, so that nobody on
// the way can exchange it.
func Pointer(base, file string, ign []byte) ([]byte, error) {
	u, err := url.Parse(base)
	if err != nil || u.Scheme != "https" && u.Scheme != "http" || u.Host == "" || u.User != nil || u.RawQuery != "" || u.Fragment != "" {
		return nil, inputError{errors.New("pointing to the config: the URL must be like https://configs.example.org/demo, without user, query and fragment")}
	}
	u = u.JoinPath(file)
	cfg := types.Config{Ignition: types.Ignition{
		Version: types.MaxVersion.String(),
		Config: types.IgnitionConfig{Replace: types.Resource{
			Source:       util.StrToPtr(u.String()),
			Verification: types.Verification{Hash: util.StrToPtr(fmt.Sprintf("sha256-%x", sha256.Sum256(ign)))},
		}},
	}}
	out, err := json.Marshal(cfg)
	if err != nil {
		return nil, fmt.Errorf("pointing to config %q: encoding Ignition: %w", file, err)
	}
	if err := check(out); err != nil {
		return nil, fmt.Errorf("pointing to config %q: %w", file, err)
	}
	return append(out, '\n'), nil
}

// IsPlain says whether a base URL of Pointer would carry the nodes' keys over the network for all to read.
func IsPlain(base string) bool { return strings.HasPrefix(strings.ToLower(base), "http:") }
