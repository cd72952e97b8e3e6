package cluster

import (
	"bytes"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"

	"go.yaml.in/yaml/v3"

	"slipway/internal/golden"
)

const root = ".."

// specTypes is every struct of the spec.
func specTypes() []reflect.Type {
	return []reflect.Type{
		reflect.TypeFor[Spec](), reflect.TypeFor[Cluster](), reflect.TypeFor[Kubernetes](), reflect.TypeFor[Payload](),
		reflect.TypeFor[Image](), reflect.TypeFor[Network](), reflect.TypeFor[LoadBalancer](), reflect.TypeFor[Proxy](), reflect.TypeFor[Flannel](),
		reflect.TypeFor[Runtime](), reflect.TypeFor[Kernel](), reflect.TypeFor[Modules](), reflect.TypeFor[Node](), reflect.TypeFor[Interface](),
		reflect.TypeFor[VSphere](), reflect.TypeFor[Machine](), reflect.TypeFor[Tuning](),
	}
}

func TestEveryKeyIsDescribed(t *testing.T) {
	keys := map[string]bool{}
	for _, typ := range specTypes() {
		for _, f := range reflect.VisibleFields(typ) {
			keys[typ.Name()+"."+keyName(f)] = true
			if fieldDoc(typ, f).Doc == "" {
				t.Errorf("fields says nothing about %s.%s", typ.Name(), keyName(f))
			}
		}
	}
	for key := range fields {
		if !keys[key] {
			t.Errorf("fields describes %s, which is no key", key)
		}
	}
}

func TestSchemaFile(t *testing.T) {
	schema, err := Schema()
	if err != nil {
		t.Fatal(err)
	}
	golden.Check(t, filepath.Join(root, "docs/cluster.schema.json"), schema)
}

var keysBlock = regexp.MustCompile(`(?s)(<!-- keys: (\w+) -->\n).*?(<!-- /keys -->)`)
var payloadsBlock = regexp.MustCompile(`(?s)(<!-- payloads -->\n).*?(<!-- /payloads -->)`)

func TestSpecTables(t *testing.T) {
	file := filepath.Join(root, "docs/spec.md")
	data, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	tables := map[string]string{}
	for _, typ := range specTypes() {
		tables[typ.Name()] = keyTable(typ)
	}
	seen := map[string]bool{}
	want := keysBlock.ReplaceAllStringFunc(string(data), func(block string) string {
		m := keysBlock.FindStringSubmatch(block)
		seen[m[2]] = true
		return m[1] + tables[m[2]] + m[3]
	})
	for name := range tables {
		if !seen[name] {
			t.Errorf("docs/spec.md has no table for %s", name)
		}
	}
	want = payloadsBlock.ReplaceAllString(want, "${1}"+payloadTable()+"${2}")
	golden.Check(t, file, want)
}

func keyTable(t reflect.Type) string {
	var b strings.Builder
	b.WriteString("| key | type | default | |\n|---|---|---|---|\n")
	for _, f := range reflect.VisibleFields(t) {
		doc, name := fieldDoc(t, f), "`"+keyName(f)+"`"
		if isRequired(f) {
			name = "**" + name + "**"
		}
		text := doc.Doc
		if doc.Enum != nil {
			text += " One of: " + strings.Join(doc.Enum, ", ") + "."
		}
		fmt.Fprintf(&b, "| %s | %s | %s | %s |\n", name, typeName(f.Type), doc.Default, text)
	}
	return b.String()
}

func typeName(t reflect.Type) string {
	switch {
	case t == reflect.TypeFor[Size]():
		return "size"
	case t == reflect.TypeFor[Role]():
		return "role"
	case t.Kind() == reflect.Slice:
		return "list of " + typeName(t.Elem())
	case t.Kind() == reflect.Map:
		return "map of " + typeName(t.Elem())
	case t.Kind() == reflect.Struct:
		return "[" + strings.ToLower(t.Name()) + "](#" + anchors[t.Name()] + ")"
	}
	return map[reflect.Kind]string{reflect.String: "text", reflect.Int: "number", reflect.Bool: "true, false"}[t.Kind()]
}

// anchors are the headings of docs/spec.md by type.
var anchors = map[string]string{
	"Cluster": "cluster", "Kubernetes": "kubernetes", "Payload": "payloads", "Image": "image", "Network": "network",
	"LoadBalancer": "networkloadbalancer", "Proxy": "networkproxy", "Flannel": "networkflannel", "Runtime": "runtime", "Kernel": "kernel",
	"Modules": "kernelmodules", "Node": "nodes", "Interface": "nodesinterface",
	"VSphere": "vsphere", "Machine": "vspheremachines", "Tuning": "tuning",
}

func payloadTable() string {
	var b strings.Builder
	b.WriteString("| payload | default version |\n|---|---|\n")
	for _, name := range PayloadNames() {
		version := DefaultVersion(name)
		switch name {
		case PayloadKubelet:
			version = "`kubernetes.kubelet`; name it only to take it from elsewhere than the rest"
		case PayloadFlannel:
			version += "; in images for `cni: flannel`, and where it is named"
		case PayloadSlipwayd:
			version = "slipway's own"
		case PayloadKubernetes:
			version = "`kubernetes.version`"
		}
		fmt.Fprintf(&b, "| %s | %s |\n", name, version)
	}
	return b.String()
}

var yamlFence = regexp.MustCompile("(?sm)^```yaml\n(.*?)^```")

// TestExamplesInDocs checks every fenced YAML example: Butane files as such, and others as specs, completed by the single example.
func TestExamplesInDocs(t *testing.T) {
	base, err := os.ReadFile(filepath.Join(root, "examples/single/cluster.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	count := 0
	for _, file := range markdown(t) {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		for _, at := range yamlFence.FindAllSubmatchIndex(text, -1) {
			count++
			line := 1 + bytes.Count(text[:at[2]], []byte("\n"))
			if err := checkExample(text[at[2]:at[3]], base); err != nil {
				t.Errorf("%s:%d: %v", file, line, err)
			}
		}
	}
	if count < 10 {
		t.Errorf("only %d examples were found", count)
	}
}

func checkExample(example, base []byte) error {
	var keys map[string]yaml.Node
	if err := yaml.Unmarshal(example, &keys); err != nil {
		return err
	}
	if _, isButane := keys["variant"]; isButane {
		if config, problems := new(Spec).translateButane("example", example, ""); config == nil || len(problems) > 0 {
			return &ProblemsError{Name: "example", Problems: problems}
		}
		return nil
	}
	_, err := Parse("example", complete(example, keys, base), nil)
	return err
}

var section = regexp.MustCompile(`(?m)^(\w+):\n(?:^[ #].*\n)*`)

// complete adds the sections of base that an example leaves out.
func complete(example []byte, has map[string]yaml.Node, base []byte) []byte {
	out := slices.Clone(example)
	for _, m := range section.FindAllSubmatch(base, -1) {
		if _, ok := has[string(m[1])]; !ok {
			out = append(out, m[0]...)
		}
	}
	return out
}

// markdown is every document of the repository that may show a spec.
func markdown(t *testing.T) []string {
	files, err := filepath.Glob(filepath.Join(root, "*.md"))
	if err != nil {
		t.Fatal(err)
	}
	err = filepath.WalkDir(filepath.Join(root, "docs"), func(path string, _ fs.DirEntry, err error) error {
		if strings.HasSuffix(path, ".md") {
			files = append(files, path)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return files
}

// TestExampleFiles: the specs in examples/ are valid, and the shortest is short.
func TestExampleFiles(t *testing.T) {
	files, err := filepath.Glob(filepath.Join(root, "examples/*/cluster.yaml"))
	if err != nil || len(files) == 0 {
		t.Fatalf("no examples: %v", err)
	}
	for _, file := range files {
		if _, err := Load(file); err != nil {
			t.Error(err)
		}
	}
	short, err := os.ReadFile(filepath.Join(root, "examples/single/cluster.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	if lines := bytes.Count(short, []byte("\n")); lines >= 15 {
		t.Errorf("the shortest useful spec has %d lines", lines)
	}
}
