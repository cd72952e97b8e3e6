package sbom

import (
	"bytes"
	"cmp"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"time"
)

// What an SPDX document is called and says of itself, whatever the image.
const (
	spdxVersion = "SPDX-2.3"
	spdxPrefix  = "SPDXRef-"
	spdxSelf    = spdxPrefix + "DOCUMENT"
	title       = "slipway-node-image" // of every image: nodes of all clusters may have the same root
	nothingSaid = "NOASSERTION"
)

// The fields of an SPDX document in JSON that a bill fills, named as in the specification's schema.
type spdxDocument struct {
	SPDXVersion   string         `json:"spdxVersion"`
	DataLicense   string         `json:"dataLicense"`
	SPDXID        string         `json:"SPDXID"`
	Name          string         `json:"name"`
	Namespace     string         `json:"documentNamespace"`
	Creation      spdxCreation   `json:"creationInfo"`
	Packages      []spdxPackage  `json:"packages"`
	Texts         []spdxText     `json:"hasExtractedLicensingInfos,omitempty"`
	Relationships []spdxRelation `json:"relationships"`
}

type spdxCreation struct {
	Created  string   `json:"created"`
	Creators []string `json:"creators"`
}

type spdxPackage struct {
	SPDXID        string    `json:"SPDXID"`
	Name          string    `json:"name"`
	Version       string    `json:"versionInfo,omitempty"`
	Purpose       string    `json:"primaryPackagePurpose,omitempty"`
	FileName      string    `json:"packageFileName,omitempty"`
	Supplier      string    `json:"supplier,omitempty"`
	Download      string    `json:"downloadLocation"`
	FilesAnalyzed bool      `json:"filesAnalyzed"`
	Checksums     []spdxSum `json:"checksums,omitempty"`
	Homepage      string    `json:"homepage,omitempty"`
	SourceInfo    string    `json:"sourceInfo,omitempty"`
	Licence       string    `json:"licenseDeclared"`
	Comment       string    `json:"comment,omitempty"`
	References    []spdxRef `json:"externalRefs,omitempty"`
}

type spdxSum struct {
	Algorithm string `json:"algorithm"`
	Value     string `json:"checksumValue"`
}

type spdxRef struct {
	Category string `json:"referenceCategory"`
	Type     string `json:"referenceType"`
	Locator  string `json:"referenceLocator"`
}

type spdxText struct {
	ID   string `json:"licenseId"`
	Name string `json:"name"`
	Text string `json:"extractedText"`
}

type spdxRelation struct {
	From string `json:"spdxElementId"`
	How  string `json:"relationshipType"`
	To   string `json:"relatedSpdxElement"`
}

// SPDX writes the bill as SPDX 2.3 in JSON, on one line: the same bytes for the same bill.
func (b *Bill) SPDX() ([]byte, error) {
	doc := spdxDocument{
		SPDXVersion: spdxVersion, DataLicense: "CC0-1.0", SPDXID: spdxSelf, Name: title,
		Creation:      spdxCreation{b.Created.UTC().Format(time.RFC3339), []string{"Tool: " + b.Tool}},
		Relationships: []spdxRelation{{spdxSelf, "DESCRIBES", spdxPrefix + string(Image)}},
	}
	for _, p := range b.Parts {
		doc.Packages = append(doc.Packages, p.spdx())
	}
	for _, t := range b.Texts {
		doc.Texts = append(doc.Texts, spdxText(t))
	}
	for _, l := range b.Links {
		doc.Relationships = append(doc.Relationships, spdxRelation{spdxPrefix + l.From, string(l.How), spdxPrefix + l.To})
	}
	identity, err := b.identity()
	if err != nil {
		return nil, err
	}
	doc.Namespace = "http://spdx.org/spdxdocs/" + title + "-" + identity // the specification's for those without a site
	return oneLine(doc)
}

func (p Part) spdx() spdxPackage {
	out := spdxPackage{
		SPDXID: spdxPrefix + p.ID, Name: p.Name, Version: p.Version, Purpose: spdxPurpose(p.Kind()), FileName: p.Path,
		Download: cmp.Or(p.From, nothingSaid), Homepage: p.Home, SourceInfo: p.Source, Licence: cmp.Or(p.Licence, nothingSaid), Comment: p.Note,
	}
	if p.By != "" {
		out.Supplier = organization + p.By
	}
	if p.SHA256 != "" {
		out.Checksums = []spdxSum{{"SHA256", p.SHA256}}
	}
	if p.PURL != "" {
		out.References = []spdxRef{{"PACKAGE-MANAGER", "purl", p.PURL}}
	}
	return out
}

const organization = "Organization: "

// spdxPurpose is the nearest of SPDX's words; for a package of a distribution there is none.
func spdxPurpose(k Kind) string {
	switch k {
	case Image:
		return "OPERATING-SYSTEM"
	case Root, Boot:
		return "ARCHIVE"
	case Source:
		return "SOURCE"
	case Payload, Program:
		return "APPLICATION"
	case Container:
		return "CONTAINER"
	case Module:
		return "LIBRARY"
	case File:
		return "FILE"
	}
	return ""
}

// identity is a UUID of version 8 (RFC 9562), made of all that the bill says.
func (b *Bill) identity() (string, error) {
	text, err := json.Marshal(b)
	if err != nil {
		return "", err
	}
	sum := sha256.Sum256(text)
	sum[6], sum[8] = sum[6]&0x0f|0x80, sum[8]&0x3f|0x80
	return fmt.Sprintf("%x-%x-%x-%x-%x", sum[:4], sum[4:6], sum[6:8], sum[8:10], sum[10:16]), nil
}

// oneLine is JSON with the characters of HTML as they are.
func oneLine(doc any) ([]byte, error) {
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(doc); err != nil {
		return nil, err
	}
	return b.Bytes(), nil
}
