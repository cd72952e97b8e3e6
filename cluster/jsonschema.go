package cluster

import (
	"encoding/json"
	"fmt"
	"reflect"
)

// Schema is the JSON schema of the spec, for editors: made from the types, so it cannot know less than the parser. What
// only the spec as a whole can get wrong is not in it.
func Schema() ([]byte, error) {
	g := schemaMaker{defs: map[string]any{}}
	root := g.object(reflect.TypeFor[Spec]())
	root["$schema"] = "https://json-schema.org/draft/2020-12/schema"
	root["title"] = "Slipway cluster.yaml"
	root["$defs"] = g.defs
	data, err := json.MarshalIndent(root, "", "  ")
	if err != nil {
		return nil, fmt.Errorf("encoding JSON schema: %w", err)
	}
	return append(data, '\n'), nil
}

type schemaMaker struct{ defs map[string]any }

func (g schemaMaker) object(t reflect.Type) map[string]any {
	properties, required := map[string]any{}, []string{}
	for _, f := range reflect.VisibleFields(t) {
		doc, name := fieldDoc(t, f), keyName(f)
		property := g.schema(f.Type)
		property["description"] = doc.Doc
		if doc.Default != "" {
			property["description"] = doc.Doc + " Default: " + doc.Default + "."
		}
		if doc.Enum != nil {
			target := property
			if items, ok := property["items"].(map[string]any); ok {
				target = items
			}
			target["enum"] = doc.Enum
		}
		properties[name] = property
		if isRequired(f) {
			required = append(required, name)
		}
	}
	object := map[string]any{"type": "object", "additionalProperties": false, "properties": properties}
	if len(required) > 0 {
		object["required"] = required
	}
	return object
}

func (g schemaMaker) schema(t reflect.Type) map[string]any {
	switch {
	case t == reflect.TypeFor[Size]():
		return map[string]any{"type": "string", "pattern": "^[0-9]+(KiB|MiB|GiB|TiB)$"}
	case t == reflect.TypeFor[Role]():
		return map[string]any{"type": "string", "enum": nodeRoles}
	}
	switch t.Kind() {
	case reflect.Struct:
		if _, known := g.defs[t.Name()]; !known {
			g.defs[t.Name()] = g.object(t)
		}
		return map[string]any{"$ref": "#/$defs/" + t.Name()}
	case reflect.Map:
		return g.mapping(t)
	case reflect.Slice:
		return map[string]any{"type": "array", "items": g.schema(t.Elem())}
	case reflect.Int:
		return map[string]any{"type": "integer", "minimum": 1}
	case reflect.Bool:
		return map[string]any{"type": "boolean"}
	}
	return map[string]any{"type": "string"}
}

// mapping: values of a map of texts may be written as numbers and so on, as sysctl's mostly are.
func (g schemaMaker) mapping(t reflect.Type) map[string]any {
	values := g.schema(t.Elem())
	if t.Elem().Kind() == reflect.String {
		values["type"] = []string{"string", "number", "boolean", "null"}
	}
	m := map[string]any{"type": "object", "additionalProperties": values}
	switch {
	case t.Key() == reflect.TypeFor[Role]():
		m["propertyNames"] = map[string]any{"enum": butaneRoles}
	case t.Elem() == reflect.TypeFor[Payload]():
		m["propertyNames"] = map[string]any{"enum": PayloadNames()}
	}
	return m
}
