package role

import (
	"bytes"
	"embed"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"strconv"
	"text/template"

	"go.yaml.in/yaml/v3"

	"slipway/node"
)

//go:embed kubeconfig.tmpl
var shared embed.FS

// Builder executes one role's templates and collects the output. The first error sticks.
type Builder struct {
	templates fs.FS
	data      any
	out       Output
	err       error
}

// NewBuilder takes the role's embedded templates and what they may refer to.
func NewBuilder(templates fs.FS, data any) *Builder {
	return &Builder{templates: templates, data: data}
}

// Output returns what was collected, or the first error.
func (b *Builder) Output() (Output, error) {
	if b.err != nil {
		return Output{}, b.err
	}
	return b.out, nil
}

// File adds a file made from the template of that name.
func (b *Builder) File(path string, mode fs.FileMode, name string) {
	b.addFile(path, mode, b.execute(b.templates, name, b.data))
}

// FileWith is File with data of its own.
func (b *Builder) FileWith(path string, mode fs.FileMode, name string, data any) {
	b.addFile(path, mode, b.execute(b.templates, name, data))
}

// Unit adds a unit; its template has the unit's name.
func (b *Builder) Unit(name string) {
	b.out.Units = append(b.out.Units, Unit{Name: name, Content: b.execute(b.templates, name+".tmpl", b.data)})
}

// Kubeconfig adds a kubeconfig that refers to certificate and key by path, so it holds no secret itself.
func (b *Builder) Kubeconfig(path string, n *Node, server, cert string) {
	b.addFile(path, 0o600, b.execute(shared, "kubeconfig.tmpl", map[string]string{
		"Cluster": n.Cluster.Name, "Server": server, "User": cert,
		"CA": n.Crt(node.CACluster), "Crt": n.Crt(cert), "Key": n.Key(cert),
	}))
}

// Objects adds the documents of a YAML template as JSON, in their order.
func (b *Builder) Objects(name string) {
	dec := yaml.NewDecoder(bytes.NewReader(b.execute(b.templates, name, b.data)))
	for b.err == nil {
		var doc map[string]any
		if err := dec.Decode(&doc); err != nil {
			if !errors.Is(err, io.EOF) {
				b.fail(fmt.Errorf("decoding template %q: %w", name, err))
			}
			return
		}
		b.addObject(name, doc)
	}
}

func (b *Builder) addObject(name string, doc map[string]any) {
	path, err := apiPath(doc)
	if err != nil {
		b.fail(fmt.Errorf("finding API path in template %q: %w", name, err))
		return
	}
	content, err := json.MarshalIndent(doc, "", "  ")
	if err != nil {
		b.fail(fmt.Errorf("encoding object %q: %w", path, err))
		return
	}
	b.out.Objects = append(b.out.Objects, Object{Path: path, Content: append(content, '\n')})
}

func (b *Builder) addFile(path string, mode fs.FileMode, content []byte) {
	b.out.Files = append(b.out.Files, File{Path: path, Mode: mode, Content: content})
}

func (b *Builder) fail(err error) {
	if b.err == nil {
		b.err = err
	}
}

func (b *Builder) execute(from fs.FS, name string, data any) []byte {
	if b.err != nil {
		return nil
	}
	funcs := template.FuncMap{"args": execArgs, "quote": strconv.Quote, "hostport": HostPort, "url": URL}
	t, err := template.New(name).Option("missingkey=error").Funcs(funcs).ParseFS(from, name)
	if err != nil {
		b.fail(fmt.Errorf("parsing template %q: %w", name, err))
		return nil
	}
	var buf bytes.Buffer
	if err := t.Execute(&buf, data); err != nil {
		b.fail(fmt.Errorf("executing template %q: %w", name, err))
	}
	return buf.Bytes()
}
