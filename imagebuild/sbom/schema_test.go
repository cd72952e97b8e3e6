package sbom

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/CycloneDX/cyclonedx-go"
	"github.com/santhosh-tekuri/jsonschema/v6"
	spdxjson "github.com/spdx/tools-golang/json"
	"github.com/spdx/tools-golang/spdx"
	"github.com/spdx/tools-golang/spdxlib"
)

// TestCycloneDXSchema holds a document against CycloneDX's own schema, which its Go module carries, and has its library count.
func TestCycloneDXSchema(t *testing.T) {
	b := sample(t)
	text, err := b.CycloneDX()
	if err != nil {
		t.Fatal(err)
	}
	schema := cycloneDXSchema(t)
	if err := check(schema, text); err != nil {
		t.Error(err)
	}
	var read cyclonedx.BOM
	if err := json.Unmarshal(text, &read); err != nil {
		t.Fatal(err)
	}
	if n := len(*read.Components); n != len(b.Parts)-1 || read.SpecVersion != cyclonedx.SpecVersion1_6 || read.Metadata.Component.Name != title {
		t.Errorf("%d components of %d parts, version %s, of %s", n, len(b.Parts), read.SpecVersion, read.Metadata.Component.Name)
	}
	for name, spoil := range map[string][2]string{ // the schema can refuse
		"type": {`"type":"library"`, `"type":"book"`}, "digest": {`"content":"a`, `"content":"x`},
		"unknown field": {`"bomFormat"`, `"bomFormta"`}, "serial number": {"urn:uuid:", "urn:"},
	} {
		if err := check(schema, bytes.Replace(text, []byte(spoil[0]), []byte(spoil[1]), 1)); err == nil {
			t.Errorf("%s: the schema lets it pass", name)
		}
	}
}

func check(schema *jsonschema.Schema, text []byte) error {
	doc, err := jsonschema.UnmarshalJSON(bytes.NewReader(text))
	if err != nil {
		return err
	}
	return schema.Validate(doc)
}

func cycloneDXSchema(t *testing.T) *jsonschema.Schema {
	t.Helper()
	dir, err := exec.Command("go", "list", "-m", "-f", "{{.Dir}}", "github.com/CycloneDX/cyclonedx-go").Output()
	if err != nil {
		t.Fatal(err)
	}
	c := jsonschema.NewCompiler()
	c.AssertFormat()
	const at = "http://cyclonedx.org/schema/"
	for url, file := range map[string]string{
		"bom-1.6.schema.json": "bom-1.6.schema.json", "spdx.schema.json": "spdx.schema.json", "jsf-0.82.schema.json": "jsf-0.82.schemax.json",
	} {
		text, err := os.ReadFile(filepath.Join(strings.TrimSpace(string(dir)), "schema", file))
		if err != nil {
			t.Fatal(err)
		}
		doc, err := jsonschema.UnmarshalJSON(bytes.NewReader(text))
		if err == nil {
			err = c.AddResource(at+url, doc)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	schema, err := c.Compile(at + "bom-1.6.schema.json")
	if err != nil {
		t.Fatal(err)
	}
	return schema
}

// TestSPDXLibrary has the SPDX project's own library read a document, check its relationships, and write it again: nothing that
// we wrote may be lost, as a field would be that the specification does not have.
func TestSPDXLibrary(t *testing.T) {
	b := sample(t)
	text, err := b.SPDX()
	if err != nil {
		t.Fatal(err)
	}
	doc, err := readSPDX(text)
	if err != nil {
		t.Fatal(err)
	}
	if len(doc.Packages) != len(b.Parts) || len(doc.Relationships) != len(b.Links)+1 {
		t.Errorf("%d packages of %d parts, %d relationships of %d links", len(doc.Packages), len(b.Parts), len(doc.Relationships), len(b.Links))
	}
	for name, spoil := range map[string][2]string{ // it can refuse
		"no such element": {`"relatedSpdxElement":"SPDXRef-root"`, `"relatedSpdxElement":"SPDXRef-x"`},
		"unknown field":   {`"sourceInfo"`, `"sauceInfo"`},
		"kind of sum":     {`"algorithm":"SHA256"`, `"algorithm":256`},
		"version":         {`"SPDX-2.3"`, `"SPDX-2.9"`},
	} {
		if _, err := readSPDX(bytes.Replace(text, []byte(spoil[0]), []byte(spoil[1]), 1)); err == nil {
			t.Errorf("%s: the library lets it pass", name)
		}
	}
}

func readSPDX(text []byte) (*spdx.Document, error) {
	doc, err := spdxjson.Read(bytes.NewReader(text))
	if err != nil {
		return nil, err
	}
	if err := spdxlib.ValidateDocument(doc); err != nil {
		return nil, err
	}
	var again bytes.Buffer
	if err := spdxjson.Write(doc, &again); err != nil {
		return nil, err
	}
	var ours, theirs any
	if err := json.Unmarshal(text, &ours); err != nil {
		return nil, err
	}
	if err := json.Unmarshal(again.Bytes(), &theirs); err != nil {
		return nil, err
	}
	return doc, lost(ours, theirs, "document")
}

// lost says what is in ours and not in theirs.
func lost(ours, theirs any, at string) error {
	switch o := ours.(type) {
	case map[string]any:
		in, _ := theirs.(map[string]any)
		for key, value := range o {
			if err := lost(value, in[key], at+"."+key); err != nil {
				return err
			}
		}
	case []any:
		in, _ := theirs.([]any)
		if len(in) != len(o) {
			return fmt.Errorf("%s: %d became %d", at, len(o), len(in))
		}
		for i, value := range o {
			if err := lost(value, in[i], fmt.Sprintf("%s[%d]", at, i)); err != nil {
				return err
			}
		}
	default:
		if ours != theirs {
			return fmt.Errorf("%s: %v became %v", at, ours, theirs)
		}
	}
	return nil
}
