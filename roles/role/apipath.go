package role

import (
	"fmt"
	"path"
	"strings"
)

// apiPath derives where the API server keeps an object from the object itself.
func apiPath(doc map[string]any) (string, error) {
	meta, _ := doc["metadata"].(map[string]any)
	version, _ := doc["apiVersion"].(string)
	kind, _ := doc["kind"].(string)
	name, _ := meta["name"].(string)
	namespace, _ := meta["namespace"].(string)
	if version == "" || kind == "" || name == "" {
		return "", fmt.Errorf("object of kind %q named %q: apiVersion, kind and metadata.name are needed", kind, name)
	}
	root := "/apis"
	if !strings.Contains(version, "/") {
		root = "/api"
	}
	if namespace != "" {
		version = path.Join(version, "namespaces", namespace)
	}
	return path.Join(root, version, plural(strings.ToLower(kind)), name), nil
}

// plural is right for every kind in use.
func plural(kind string) string {
	if stem, ok := strings.CutSuffix(kind, "y"); ok {
		return stem + "ies"
	}
	return kind + "s"
}
