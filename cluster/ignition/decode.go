package ignition

import (
	"bytes"
	"compress/gzip"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/coreos/ignition/v2/config/util"
	"github.com/coreos/ignition/v2/config/v3_6"
	"github.com/coreos/ignition/v2/config/v3_6/types"
	"github.com/vincent-petithory/dataurl"
)

// Entry is one thing that a config puts on the node.
type Entry struct {
	Kind    string // file, directory, link, unit, dropin
	Path    string // or the unit's name; a drop-in is UNIT.d/NAME
	Mode    int    // permission bits; 0 for links and units
	Owner   string // user:group
	Note    string // where content comes from that is not inline, a link's target, a unit's state
	Content []byte
}

// Decode lists what an Ignition config puts on the node, sorted by kind and path.
func Decode(ign []byte) ([]Entry, error) {
	cfg, _, err := v3_6.Parse(ign)
	if err != nil {
		return nil, fmt.Errorf("parsing Ignition: %w", err)
	}
	var entries []Entry
	for _, f := range cfg.Storage.Files {
		e := Entry{Kind: "file", Path: f.Path, Mode: mode(f.Mode, 0o644), Owner: owner(f.Node)}
		if err := e.load(append([]types.Resource{f.Contents}, f.Append...)); err != nil {
			return nil, fmt.Errorf("reading %q: %w", f.Path, err)
		}
		entries = append(entries, e)
	}
	for _, d := range cfg.Storage.Directories {
		entries = append(entries, Entry{Kind: "directory", Path: d.Path, Mode: mode(d.Mode, 0o755), Owner: owner(d.Node)})
	}
	for _, l := range cfg.Storage.Links {
		entries = append(entries, Entry{Kind: "link", Path: l.Path, Owner: owner(l.Node), Note: "-> " + str(l.Target)})
	}
	for _, u := range cfg.Systemd.Units {
		entries = append(entries, units(u)...)
	}
	slices.SortStableFunc(entries, func(a, b Entry) int {
		return strings.Compare(a.Kind+" "+a.Path, b.Kind+" "+b.Path)
	})
	return entries, nil
}

// load reads inline content and notes what is fetched at boot.
func (e *Entry) load(resources []types.Resource) error {
	for _, r := range resources {
		src := str(r.Source)
		if src == "" {
			continue
		}
		if !strings.HasPrefix(src, "data:") {
			e.Note = strings.TrimSpace(e.Note + " fetched from " + src)
			continue
		}
		url, err := dataurl.DecodeString(src)
		if err != nil {
			return err
		}
		data := url.Data
		if str(r.Compression) == "gzip" {
			if data, err = gunzip(data); err != nil {
				return err
			}
		}
		e.Content = append(e.Content, data...)
	}
	return nil
}

func gunzip(data []byte) ([]byte, error) {
	r, err := gzip.NewReader(bytes.NewReader(data))
	if err != nil {
		return nil, err
	}
	return io.ReadAll(r)
}

// units gives a unit and its drop-ins.
func units(u types.Unit) []Entry {
	var state []string
	if u.Enabled != nil {
		state = append(state, map[bool]string{true: "enabled", false: "disabled"}[*u.Enabled])
	}
	if util.IsTrue(u.Mask) {
		state = append(state, "masked")
	}
	entries := []Entry{{Kind: "unit", Path: u.Name, Owner: "root:root", Note: strings.Join(state, " "), Content: []byte(str(u.Contents))}}
	for _, d := range u.Dropins {
		entries = append(entries, Entry{Kind: "dropin", Path: u.Name + ".d/" + d.Name, Owner: "root:root", Content: []byte(str(d.Contents))})
	}
	return entries
}

func mode(m *int, fallback int) int {
	if m == nil {
		return fallback
	}
	return *m
}

// owner names user and group as the config does; Ignition's default is root.
func owner(n types.Node) string {
	name := func(id *int, name *string) string {
		switch {
		case str(name) != "":
			return *name
		case id != nil && *id != 0:
			return fmt.Sprint(*id)
		}
		return "root"
	}
	return name(n.User.ID, n.User.Name) + ":" + name(n.Group.ID, n.Group.Name)
}

// str is *s, or nothing.
func str(s *string) string {
	if s == nil {
		return ""
	}
	return *s
}
