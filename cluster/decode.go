package cluster

import (
	"bytes"
	"encoding"
	"errors"
	"fmt"
	"io"
	"reflect"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"go.yaml.in/yaml/v3"
)

// decode reads YAML strictly into a struct pointer: unknown, repeated and missing keys and wrong types are all
// reported, each at its place, and everything readable is read all the same. It returns false if there is no
// document to speak of.
func (d *document) decode(data []byte, into any) bool {
	root, ok := d.parseYAML(data)
	if !ok {
		return false
	}
	if root.Kind != yaml.MappingNode {
		d.addAt(spanOf(root), Problem{Message: "the file is not a mapping of keys to values", Hint: "start with `slipway init`"})
		return false
	}
	d.value(root, reflect.ValueOf(into).Elem(), nil)
	return true
}

func (d *document) parseYAML(data []byte) (*yaml.Node, bool) {
	dec := yaml.NewDecoder(bytes.NewReader(data))
	var doc, second yaml.Node
	switch err := dec.Decode(&doc); {
	case errors.Is(err, io.EOF):
		d.addAt(span{}, Problem{Message: "the file is empty", Hint: "start with `slipway init`"})
		return nil, false
	case err != nil:
		d.syntax(err)
		return nil, false
	}
	switch err := dec.Decode(&second); {
	case err == nil:
		d.addAt(spanOf(&second), Problem{Message: "a second YAML document begins here", Hint: "one file describes one cluster: remove the --- and what follows"})
	case !errors.Is(err, io.EOF):
		d.syntax(err)
	}
	return resolve(doc.Content[0]), true
}

var yamlLine = regexp.MustCompile(`^yaml: (?:line (\d+): )?(.*)$`)

// syntax reports an error of the YAML library, which knows the line at best.
func (d *document) syntax(err error) {
	s, message := span{}, err.Error()
	if m := yamlLine.FindStringSubmatch(message); m != nil {
		message = m[2]
		if line, _ := strconv.Atoi(m[1]); line >= 1 && line <= len(d.lines) {
			text := d.lines[line-1]
			s = span{line, 1 + len(text) - len(strings.TrimLeft(text, " \t")), 1}
		}
	}
	d.addAt(s, Problem{Message: "not valid YAML: " + message, Hint: "look at this line and the one before it: indentation by spaces only, a blank after every colon"})
}

// resolve follows an alias to what it stands for. The types of the spec are not recursive, so this ends.
func resolve(n *yaml.Node) *yaml.Node {
	for n.Kind == yaml.AliasNode {
		n = n.Alias
	}
	return n
}

func isNull(n *yaml.Node) bool { return n.Kind == yaml.ScalarNode && n.Tag == "!!null" }

func (d *document) value(n *yaml.Node, v reflect.Value, p path) {
	d.values[p.id()] = spanOf(n) // of the alias, if it is one
	n = resolve(n)
	if isNull(n) {
		return
	}
	if text, ok := v.Addr().Interface().(encoding.TextUnmarshaler); ok {
		if n.Kind != yaml.ScalarNode || text.UnmarshalText([]byte(n.Value)) != nil || v.IsZero() {
			d.fail(p, "a whole number with KiB, MiB, GiB or TiB, like 8GiB", "%s is not a size", show(n))
		}
		return
	}
	switch v.Kind() {
	case reflect.Struct:
		d.structure(n, v, p)
	case reflect.Map:
		d.mapping(n, v, p)
	case reflect.Slice:
		d.list(n, v, p)
	default:
		d.scalar(n, v, p)
	}
}

// show names a node in a message.
func show(n *yaml.Node) string {
	switch n.Kind {
	case yaml.MappingNode:
		return "a mapping"
	case yaml.SequenceNode:
		return "a list"
	}
	return strconv.Quote(n.Value)
}

func (d *document) scalar(n *yaml.Node, v reflect.Value, p path) {
	want := map[reflect.Kind]string{reflect.String: "a text", reflect.Int: "a whole number from 1 up", reflect.Bool: "true or false"}[v.Kind()]
	ok := n.Kind == yaml.ScalarNode
	if ok {
		switch v.Kind() {
		case reflect.String: // any scalar, as it is written: sysctl values are mostly numbers
			v.SetString(n.Value)
		case reflect.Int:
			i, err := strconv.Atoi(n.Value)
			ok = err == nil && n.Tag == "!!int" && i > 0
			v.SetInt(int64(i))
		case reflect.Bool:
			ok = n.Tag == "!!bool"
			v.SetBool(strings.EqualFold(n.Value, "true"))
		}
	}
	if !ok {
		d.fail(p, "write "+want, "%s is not %s", show(n), want)
	}
}

func (d *document) list(n *yaml.Node, v reflect.Value, p path) {
	if n.Kind != yaml.SequenceNode {
		d.fail(p, "write a list, like [a, b]", "%s is not a list", show(n))
		return
	}
	v.Set(reflect.MakeSlice(v.Type(), len(n.Content), len(n.Content)))
	for i, item := range n.Content {
		d.value(item, v.Index(i), p.with(i))
	}
}

func (d *document) mapping(n *yaml.Node, v reflect.Value, p path) {
	if n.Kind != yaml.MappingNode {
		d.fail(p, "write keys with values, indented below", "%s is not a mapping", show(n))
		return
	}
	v.Set(reflect.MakeMap(v.Type()))
	d.pairs(n, p, func(key, value *yaml.Node, at path) {
		elem := reflect.New(v.Type().Elem()).Elem()
		d.value(value, elem, at)
		v.SetMapIndex(reflect.ValueOf(key.Value).Convert(v.Type().Key()), elem)
	})
}

func (d *document) structure(n *yaml.Node, v reflect.Value, p path) {
	if n.Kind != yaml.MappingNode {
		d.fail(p, "write keys with values, indented below: "+strings.Join(keyNames(v.Type()), ", "), "%s is not a mapping", show(n))
		return
	}
	filled := map[string]bool{}
	d.pairs(n, p, func(key, value *yaml.Node, at path) {
		i := slices.IndexFunc(reflect.VisibleFields(v.Type()), func(f reflect.StructField) bool { return keyName(f) == key.Value })
		if i < 0 {
			d.failKey(at, allowedKeys(key.Value, v.Type()), "unknown key %q", key.Value)
			return
		}
		filled[key.Value] = !isNull(resolve(value))
		d.value(value, v.Field(i), at)
	})
	for _, f := range reflect.VisibleFields(v.Type()) {
		if name := keyName(f); isRequired(f) && !filled[name] {
			d.fail(p.with(name), fieldDoc(v.Type(), f).Doc, "key %q is missing", name)
		}
	}
}

// pairs calls use for every key of a mapping, after refusing repeated keys and keys that are no text.
func (d *document) pairs(n *yaml.Node, p path, use func(key, value *yaml.Node, at path)) {
	first := map[string]int{}
	for i := 0; i+1 < len(n.Content); i += 2 {
		key, value := resolve(n.Content[i]), n.Content[i+1]
		if key.Kind != yaml.ScalarNode || isNull(key) {
			d.addAt(spanOf(n.Content[i]), Problem{Message: "this key is not a text"})
			continue
		}
		if line, repeated := first[key.Value]; repeated {
			d.addAt(spanOf(n.Content[i]), Problem{
				Message: fmt.Sprintf("key %q occurs twice", key.Value),
				Hint:    fmt.Sprintf("it is already set in line %d: keep one of them", line),
			})
			continue
		}
		first[key.Value] = n.Content[i].Line
		at := p.with(key.Value)
		d.keys[at.id()] = spanOf(n.Content[i])
		use(key, value, at)
	}
}
