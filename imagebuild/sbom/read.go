package sbom

import (
	"encoding/json"
	"fmt"
	"strings"
	"time"

	"slipway/imagebuild/distro"
)

// MaxSize is how large a document may be that is read, bytes; one of an image has about 1 MiB.
const MaxSize = 64 << 20

// Read takes a bill from an SPDX document that a bill was written as. Another's document is refused: what it says in other
// fields would be lost.
func Read(document []byte) (*Bill, error) {
	var doc spdxDocument
	if err := json.Unmarshal(document, &doc); err != nil {
		return nil, inputError{fmt.Errorf("reading a bill of materials: %w", err)}
	}
	if doc.SPDXVersion != spdxVersion || doc.Name != title || len(doc.Creation.Creators) != 1 {
		return nil, inputError{fmt.Errorf("reading a bill of materials: it is not the %s document of an image of Slipway's", spdxVersion)}
	}
	b := &Bill{Tool: strings.TrimPrefix(doc.Creation.Creators[0], "Tool: ")}
	var err error
	if b.Created, err = time.Parse(time.RFC3339, doc.Creation.Created); err != nil {
		return nil, inputError{fmt.Errorf("reading a bill of materials: %w", err)}
	}
	for _, p := range doc.Packages {
		b.Parts = append(b.Parts, p.part())
	}
	for _, t := range doc.Texts {
		b.Texts = append(b.Texts, distro.LicenceText(t))
	}
	for _, r := range doc.Relationships {
		if r.From != spdxSelf {
			b.Links = append(b.Links, Link{strings.TrimPrefix(r.From, spdxPrefix), How(r.How), strings.TrimPrefix(r.To, spdxPrefix)})
		}
	}
	if err := b.sort(); err != nil {
		return nil, inputError{fmt.Errorf("reading a bill of materials: %w", err)}
	}
	return b, nil
}

func (s spdxPackage) part() Part {
	p := Part{
		ID: strings.TrimPrefix(s.SPDXID, spdxPrefix), Name: s.Name, Version: s.Version, Path: s.FileName,
		By: strings.TrimPrefix(s.Supplier, organization), Home: s.Homepage, Source: s.SourceInfo, Note: s.Comment,
	}
	if s.Licence != nothingSaid {
		p.Licence = s.Licence
	}
	if s.Download != nothingSaid {
		p.From = s.Download
	}
	if len(s.Checksums) > 0 {
		p.SHA256 = s.Checksums[0].Value
	}
	if len(s.References) > 0 {
		p.PURL = s.References[0].Locator
	}
	return p
}

// inputError marks what is the user's to mend.
type inputError struct{ error }

func (e inputError) Unwrap() error { return e.error }

// ExitCode makes it wrong input.
func (inputError) ExitCode() int { return 2 }
