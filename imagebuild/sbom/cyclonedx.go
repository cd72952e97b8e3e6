package sbom

import (
	"slices"
	"time"
)

// The fields of a CycloneDX document in JSON that a bill fills, named as in its schema.
type cdxDocument struct {
	Schema       string         `json:"$schema"`
	Format       string         `json:"bomFormat"`
	SpecVersion  string         `json:"specVersion"`
	Serial       string         `json:"serialNumber"`
	Version      int            `json:"version"`
	Metadata     cdxMetadata    `json:"metadata"`
	Components   []cdxComponent `json:"components"`
	Dependencies []cdxDepends   `json:"dependencies"`
}

type cdxMetadata struct {
	Timestamp string       `json:"timestamp"`
	Tools     cdxTools     `json:"tools"`
	Component cdxComponent `json:"component"`
}

type cdxTools struct {
	Components []cdxComponent `json:"components"`
}

type cdxComponent struct {
	Ref        string         `json:"bom-ref,omitempty"`
	Type       string         `json:"type"`
	Name       string         `json:"name"`
	Version    string         `json:"version,omitempty"`
	Supplier   *cdxSupplier   `json:"supplier,omitempty"`
	Hashes     []cdxHash      `json:"hashes,omitempty"`
	Licences   []cdxLicence   `json:"licenses,omitempty"`
	PURL       string         `json:"purl,omitempty"`
	References []cdxReference `json:"externalReferences,omitempty"`
	Properties []cdxProperty  `json:"properties,omitempty"`
}

type cdxSupplier struct {
	Name string `json:"name"`
}

type cdxHash struct {
	Algorithm string `json:"alg"`
	Content   string `json:"content"`
}

type cdxLicence struct {
	Expression string `json:"expression"`
}

type cdxReference struct {
	Type string `json:"type"`
	URL  string `json:"url"`
}

type cdxProperty struct {
	Name  string `json:"name"`
	Value string `json:"value"`
}

type cdxDepends struct {
	Ref string   `json:"ref"`
	On  []string `json:"dependsOn,omitempty"`
}

// CycloneDX writes the bill as CycloneDX 1.6 in JSON, on one line. It has one kind of link, where SPDX tells containing from
// linking, and no place for the texts of licences that only an expression names: those are in the SPDX document.
func (b *Bill) CycloneDX() ([]byte, error) {
	identity, err := b.identity()
	if err != nil {
		return nil, err
	}
	doc := cdxDocument{
		Schema: "http://cyclonedx.org/schema/bom-1.6.schema.json", Format: "CycloneDX", SpecVersion: "1.6",
		Serial: "urn:uuid:" + identity, Version: 1,
		Metadata: cdxMetadata{
			Timestamp: b.Created.UTC().Format(time.RFC3339),
			Tools:     cdxTools{[]cdxComponent{{Type: "application", Name: b.Tool}}},
		},
	}
	on := map[string][]string{}
	for _, l := range b.Links {
		on[l.From] = append(on[l.From], l.To)
	}
	for _, p := range b.Parts {
		if p.Kind() == Image {
			doc.Metadata.Component = p.cycloneDX()
		} else {
			doc.Components = append(doc.Components, p.cycloneDX())
		}
		if to := on[p.ID]; len(to) > 0 {
			slices.Sort(to)
			doc.Dependencies = append(doc.Dependencies, cdxDepends{p.ID, slices.Compact(to)})
		}
	}
	return oneLine(doc)
}

func (p Part) cycloneDX() cdxComponent {
	c := cdxComponent{Ref: p.ID, Type: cdxType(p.Kind()), Name: p.Name, Version: p.Version, PURL: p.PURL}
	if p.By != "" {
		c.Supplier = &cdxSupplier{p.By}
	}
	if p.SHA256 != "" {
		c.Hashes = []cdxHash{{"SHA-256", p.SHA256}}
	}
	if p.Licence != "" {
		c.Licences = []cdxLicence{{p.Licence}}
	}
	for _, r := range []cdxReference{{"website", p.Home}, {"distribution", p.From}} {
		if r.URL != "" {
			c.References = append(c.References, r)
		}
	}
	for _, property := range []cdxProperty{{"slipway:path", p.Path}, {"slipway:source", p.Source}, {"slipway:note", p.Note}} {
		if property.Value != "" {
			c.Properties = append(c.Properties, property)
		}
	}
	return c
}

func cdxType(k Kind) string {
	switch k {
	case Image:
		return "operating-system"
	case Payload, Program:
		return "application"
	case Container:
		return "container"
	case Root, Boot, File:
		return "file"
	}
	return "library" // and packages of a distribution, as everybody else has them
}
