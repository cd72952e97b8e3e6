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

//go:embed *.tmpl
var shared embed.FS

// Builder collects what a role's templates give. The first error sticks, and only Output returns it: a role reads as the
// list of what it asks for.
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
	b.FileWith(path, mode, name, b.data)
}

// FileWith is File with data of its own.
func (b *Builder) FileWith(path string, mode fs.FileMode, name string, data any) {
	b.out.Files = append(b.out.Files, File{Path: path, Mode: mode, Content: b.execute(b.templates, name, data)})
}

// Unit adds a unit; its template has the unit's name.
func (b *Builder) Unit(name string) {
	b.out.Units = append(b.out.Units, Unit{Name: name, Content: b.execute(b.templates, name+".tmpl", b.data)})
}

// Kubeconfig adds a kubeconfig that refers to certificate and key by path, so it holds no secret itself.
func (b *Builder) Kubeconfig(path string, n *Node, server, cert string) {
	content := b.execute(shared, "kubeconfig.tmpl", map[string]string{
		"Cluster": n.Cluster.Name, "Server": server, "User": cert,
		"CA": n.Crt(node.CACluster), "Crt": n.Crt(cert), "Key": n.Key(cert),
	})
	b.out.Files = append(b.out.Files, File{Path: path, Mode: 0o600, Content: content})
}

// Objects adds the documents of a YAML template, in their order.
func (b *Builder) Objects(name string) {
	objects, err := readObjects(b.execute(b.templates, name, b.data))
	if err != nil {
		b.fail(name, err)
		return
	}
	b.out.Objects = append(b.out.Objects, objects...)
}

func (b *Builder) execute(from fs.FS, name string, data any) []byte {
	text, err := execute(from, name, data)
	if err != nil {
		b.fail(name, err)
	}
	return text
}

func (b *Builder) fail(template string, err error) {
	if b.err == nil {
		b.err = fmt.Errorf("rendering template %q: %w", template, err)
	}
}

// execute fills a template; a name that it does not know is an error, never an empty string.
func execute(from fs.FS, name string, data any) ([]byte, error) {
	funcs := template.FuncMap{"args": execArgs, "quote": strconv.Quote, "hostport": HostPort, "url": URL}
	t, err := template.New(name).Option("missingkey=error").Funcs(funcs).ParseFS(from, name)
	if err != nil {
		return nil, fmt.Errorf("parsing: %w", err)
	}
	var out bytes.Buffer
	if err := t.Execute(&out, data); err != nil {
		return nil, fmt.Errorf("executing: %w", err)
	}
	return out.Bytes(), nil
}

// readObjects turns YAML documents into objects as JSON.
func readObjects(documents []byte) ([]Object, error) {
	var objects []Object
	for dec := yaml.NewDecoder(bytes.NewReader(documents)); ; {
		var document map[string]any
		err := dec.Decode(&document)
		if errors.Is(err, io.EOF) {
			return objects, nil
		}
		if err != nil {
			return nil, fmt.Errorf("decoding: %w", err)
		}
		path, err := apiPath(document)
		if err != nil {
			return nil, fmt.Errorf("finding an object's API path: %w", err)
		}
		content, err := json.MarshalIndent(document, "", "  ")
		if err != nil {
			return nil, fmt.Errorf("encoding %s: %w", path, err)
		}
		objects = append(objects, Object{Path: path, Content: append(content, '\n')})
	}
}
