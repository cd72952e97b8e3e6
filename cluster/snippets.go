package cluster

import (
	"errors"
	"io/fs"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"

	butane "github.com/coreos/butane/config"
	"github.com/coreos/butane/config/common"
	"github.com/coreos/vcontext/report"
	"go.yaml.in/yaml/v3"
)

// SnippetReader gives access to the Butane files that a spec names.
type SnippetReader interface {
	ReadSnippet(path string) ([]byte, error) // path as the spec has it: relative to the spec
	FilesDir() string                        // where Butane finds "local" contents; "" refuses them
}

// validateButane checks the names of files; what is in them is checked by translateSnippets.
func (s *Spec) validateButane(d *document) {
	for role, files := range s.Butane {
		p := at("butane", role)
		if !slices.Contains(butaneRoles, role) {
			d.failKey(p, allowed(string(role), butaneRoles), "role %q does not exist", role)
			continue
		}
		unique(d, p, files)
		for i, file := range files {
			d.relativeFile(p.with(i), file)
		}
	}
	for i, n := range s.Nodes {
		p := at("nodes", i, "butane")
		unique(d, p, n.Butane)
		for j, file := range n.Butane {
			d.relativeFile(p.with(j), file)
		}
	}
}

// SnippetsFor is the Butane files of a node, in the order to merge them: of all nodes, of its roles, of its own.
func (s *Spec) SnippetsFor(n Node) []string {
	var files []string
	for _, role := range butaneRoles {
		if n.Has(role) {
			files = append(files, s.Butane[role]...)
		}
	}
	return append(files, n.Butane...)
}

// snippet is one place where the spec names a Butane file.
type snippet struct {
	p    path
	file string
}

// snippets is every such place, in the order of roles and nodes.
func (s *Spec) snippets() []snippet {
	var all []snippet
	for _, role := range butaneRoles {
		for i, file := range s.Butane[role] {
			all = append(all, snippet{at("butane", role, i), file})
		}
	}
	for i, n := range s.Nodes {
		for j, file := range n.Butane {
			all = append(all, snippet{at("nodes", i, "butane", j), file})
		}
	}
	return all
}

// translateSnippets translates every Butane file once. What is wrong inside a file is reported at its place there.
func (s *Spec) translateSnippets(d *document, reader SnippetReader) map[string][]byte {
	ignition := map[string][]byte{}
	for _, sn := range s.snippets() {
		if _, done := ignition[sn.file]; done || filepath.IsAbs(sn.file) {
			continue
		}
		data, err := reader.ReadSnippet(sn.file)
		if err != nil {
			d.fail(sn.p, "a Butane file, relative to this file", "the Butane file %q cannot be read: %v", sn.file, cause(err))
			continue
		}
		name := filepath.Join(filepath.Dir(d.name), sn.file)
		config, problems := s.translateButane(name, data, reader.FilesDir())
		ignition[sn.file] = config
		d.problems = append(d.problems, problems...)
	}
	return ignition
}

// cause is the reason alone, without the path that the message has already.
func cause(err error) error {
	if pathErr := new(fs.PathError); errors.As(err, &pathErr) {
		return pathErr.Err
	}
	return err
}

const butaneHint = "see https://coreos.github.io/butane/specs/ for what Butane allows"

// translateButane makes an Ignition config of one Butane file. Keys that Butane would only warn about are errors here:
// nobody is aboard to see that they did nothing. The config is nil if any of the problems is an error.
func (s *Spec) translateButane(name string, data []byte, filesDir string) ([]byte, []Problem) {
	d := newDocument(name, data)
	root := d.checkButane(data)
	if root == nil {
		return nil, d.problems
	}
	options := common.TranslateBytesOptions{Raw: true, TranslateOptions: common.TranslateOptions{FilesDir: filesDir}}
	config, entries, err := butane.TranslateBytes(data, options)
	for _, e := range entries.Entries {
		d.butaneEntry(e)
	}
	if err != nil && !entries.IsFatal() {
		d.butaneError(err)
	}
	d.checkIgnition(root, config, s)
	if slices.ContainsFunc(d.problems, func(p Problem) bool { return !p.Warning }) {
		return nil, d.problems
	}
	return config, d.problems
}

// checkButane reads the file as YAML and demands a variant whose configs the image's Ignition takes.
func (d *document) checkButane(data []byte) *yaml.Node {
	root, ok := d.parseYAML(data)
	if !ok {
		return nil
	}
	if root.Kind != yaml.MappingNode {
		d.addAt(spanOf(root), Problem{Message: "this is not a Butane config", Hint: "begin with variant: fcos and version: 1.6.0"})
		return nil
	}
	d.pairs(root, nil, func(*yaml.Node, *yaml.Node, path) {})
	variant, version := child(root, "variant"), child(root, "version")
	if variant == nil || !slices.Contains([]string{"fcos", "flatcar"}, variant.Value) {
		d.butaneHead(root, variant, "the Butane variant must be fcos or flatcar", "begin with variant: fcos and version: 1.6.0")
		return nil
	}
	if version == nil || strings.Contains(version.Value, "experimental") {
		d.butaneHead(root, version, "the Butane version must be a stable one", "like version: 1.6.0")
		return nil
	}
	return root
}

func (d *document) butaneHead(root, n *yaml.Node, message, hint string) {
	if n == nil {
		n = root
	}
	d.addAt(spanOf(n), Problem{Message: message, Hint: hint})
}

// child is the value of a key of a mapping, or nil.
func child(n *yaml.Node, key string) *yaml.Node {
	for i := 0; i+1 < len(n.Content); i += 2 {
		if n.Content[i].Value == key {
			return resolve(n.Content[i+1])
		}
	}
	return nil
}

func (d *document) butaneEntry(e report.Entry) {
	s := span{1, 1, 1}
	if start := e.Marker.StartP; start != nil && start.Line > 0 {
		s = span{int(start.Line), int(start.Column), 1}
	}
	unused := strings.HasPrefix(strings.ToLower(e.Message), "unused key")
	if e.Kind == report.Info {
		return
	}
	d.addAt(s, Problem{Message: strings.ToLower(e.Message[:1]) + e.Message[1:], Hint: butaneHint, Warning: !e.Kind.IsFatal() && !unused})
}

var lineOf = regexp.MustCompile(`line (\d+): `)

// butaneError reports an error that came without a report: a wrong type, or an unknown version.
func (d *document) butaneError(err error) {
	s, message := span{1, 1, 1}, strings.TrimPrefix(err.Error(), "yaml: unmarshal errors:")
	if m := lineOf.FindStringSubmatch(message); m != nil {
		line, _ := strconv.Atoi(m[1])
		if line >= 1 && line <= len(d.lines) {
			text := d.lines[line-1]
			s = span{line, 1 + len(text) - len(strings.TrimLeft(text, " \t")), 1}
		}
		message = strings.Replace(message, m[0], "", 1)
	}
	d.addAt(s, Problem{Message: strings.Join(strings.Fields(message), " "), Hint: butaneHint})
}
