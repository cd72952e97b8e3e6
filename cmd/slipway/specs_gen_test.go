package main

import (
	"encoding/json"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"slipway/cluster"
)

// schemaNode is what the generator reads of the JSON schema.
type schemaNode struct {
	Ref           string                `json:"$ref"`
	Defs          map[string]schemaNode `json:"$defs"`
	Type          json.RawMessage       `json:"type"`
	Enum          []string              `json:"enum"`
	Properties    map[string]schemaNode `json:"properties"`
	Items         *schemaNode           `json:"items"`
	Values        json.RawMessage       `json:"additionalProperties"` // false, or the schema of a mapping's values
	PropertyNames *schemaNode           `json:"propertyNames"`
}

func readSchema(t *testing.T) schemaNode {
	t.Helper()
	text, err := cluster.Schema()
	if err != nil {
		t.Fatal(err)
	}
	var root schemaNode
	if err := json.Unmarshal(text, &root); err != nil {
		t.Fatal(err)
	}
	return root
}

// resolve follows a reference into the root's definitions.
func (n schemaNode) resolve(root schemaNode) schemaNode {
	if n.Ref != "" {
		return root.Defs[strings.TrimPrefix(n.Ref, "#/$defs/")]
	}
	return n
}

// values is the schema of a mapping's values; ok tells a mapping from an object with keys of its own.
func (n schemaNode) values() (v schemaNode, ok bool) {
	ok = len(n.Values) > 0 && n.Values[0] == '{' && json.Unmarshal(n.Values, &v) == nil
	return v, ok
}

// leaves calls use for every place where a single value stands; "*" is any key of a mapping, lists add nothing.
func (n schemaNode) leaves(path string, root schemaNode, use func(path string, n schemaNode)) {
	n = n.resolve(root)
	if v, ok := n.values(); ok {
		v.leaves(path+".*", root, use)
		return
	}
	if n.Items != nil {
		n.Items.leaves(path, root, use)
		return
	}
	if n.Properties == nil {
		use(strings.TrimPrefix(path, "."), n)
		return
	}
	for _, key := range slices.Sorted(maps.Keys(n.Properties)) {
		n.Properties[key].leaves(path+"."+key, root, use)
	}
}

// specMaker makes one spec.
type specMaker struct {
	schema  schemaNode
	r       *rand.Rand
	hostile float64 // how often a value is one that nobody should write
	keys    float64 // how often an optional key is there
}

func newSpecMaker(schema schemaNode, r *rand.Rand) specMaker {
	m := specMaker{schema: schema, r: r, keys: []float64{0.03, 0.1, 0.25}[r.IntN(3)]}
	if r.IntN(2) == 0 {
		m.hostile = []float64{0.02, 0.3}[r.IntN(2)]
	}
	return m
}

func (m specMaker) chance(p float64) bool { return m.r.Float64() < p }

func pick[T any](m specMaker, from []T) T { return from[m.r.IntN(len(from))] }

// spec is a shape that works, with random keys laid over it.
func (m specMaker) spec() map[string]any {
	spec := pick(m, specShapes)()
	m.lay(spec, m.schema, "")
	return spec
}

// lay adds to an object: new keys now and then, and something inside those that it has.
func (m specMaker) lay(object map[string]any, n schemaNode, path string) {
	for _, key := range slices.Sorted(maps.Keys(n.Properties)) {
		at := strings.TrimPrefix(path+"."+key, ".")
		property := n.Properties[key].resolve(m.schema)
		switch old := object[key].(type) {
		case map[string]any:
			m.lay(old, property, at)
		case []any:
			for _, item := range old {
				if object, ok := item.(map[string]any); ok {
					m.lay(object, property.Items.resolve(m.schema), at)
				}
			}
		default:
			if m.chance(m.keys) {
				object[key] = m.value(property, at)
			}
		}
	}
	if m.chance(m.hostile / 20) {
		object["nonsense"] = "x"
	}
}

// value makes a value of a schema.
func (m specMaker) value(n schemaNode, path string) any {
	n = n.resolve(m.schema)
	if v, ok := n.values(); ok {
		return m.mapping(n, v, path)
	}
	switch {
	case n.Properties != nil:
		object := map[string]any{}
		m.lay(object, n, path)
		return object
	case n.Items != nil:
		list := []any{}
		for range 1 + m.r.IntN(2) {
			list = append(list, m.value(*n.Items, path))
		}
		return list
	}
	return m.leaf(n, path)
}

func (m specMaker) mapping(n, v schemaNode, path string) map[string]any {
	out := map[string]any{}
	for range 1 + m.r.IntN(3) {
		at := path + ".*"
		key := m.key(n, at)
		if specific, ok := specValues[path+"."+key+"="]; ok { // a value that only goes with this key
			out[key] = m.word(specific)
			continue
		}
		out[key] = m.value(v, at)
		if flags, ok := out[key].(map[string]any); ok && path == "kubernetes.extraArgs" {
			out[key] = m.flags(key, flags)
		}
	}
	return out
}

// key of a mapping: from the schema, or from the values of "PATH.*=".
func (m specMaker) key(n schemaNode, at string) string {
	if n.PropertyNames != nil && !m.chance(m.hostile) {
		return pick(m, n.PropertyNames.Enum)
	}
	if words, ok := specValues[at+"="]; ok {
		return m.word(words)
	}
	return pick(m, hostileWords)
}

// flags gives a program flags that it has, in place of random ones.
func (m specMaker) flags(program string, old map[string]any) map[string]any {
	known, ok := specFlags[program]
	if !ok {
		return old
	}
	out := map[string]any{}
	for _, value := range old {
		out[m.word(known)] = value
	}
	return out
}

func (m specMaker) leaf(n schemaNode, path string) any {
	switch {
	case n.Enum != nil && !m.chance(m.hostile):
		return pick(m, n.Enum)
	case string(n.Type) == `"boolean"` && !m.chance(m.hostile):
		return m.chance(0.5)
	case n.Enum != nil || string(n.Type) == `"boolean"`:
		return pick(m, hostileWords)
	}
	return scalar(m.word(specValues[path]), string(n.Type))
}

// word is one that people write, or a hostile one.
func (m specMaker) word(w words) string {
	if m.chance(m.hostile) {
		return pick(m, append(w.bad[:len(w.bad):len(w.bad)], hostileWords...))
	}
	return pick(m, w.good)
}

// scalar writes whole numbers as such where the schema wants them.
func scalar(word, kind string) any {
	var number int
	if kind == `"integer"` && json.Unmarshal([]byte(word), &number) == nil {
		return number
	}
	return word
}
