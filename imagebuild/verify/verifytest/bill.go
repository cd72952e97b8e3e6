package verifytest

import (
	"crypto/sha256"
	"fmt"
	"maps"
	"testing/fstest"
	"time"

	"slipway/imagebuild/drivers"
	"slipway/imagebuild/sbom"
)

// WithBill adds the bill of materials that is right for the recipe's packages and what it boots, after change has spoiled it.
func (r Recipe) WithBill(change func(*sbom.Bill)) (Recipe, error) {
	b := &sbom.Bill{Tool: "slipway-test", Created: time.Unix(1780000000, 0).UTC(), Parts: []sbom.Part{
		{ID: "image", Name: "slipway-node-image"}, {ID: "root", Name: "root"}, {ID: "boot", Name: "boot"},
	}, Links: []sbom.Link{{From: "image", How: sbom.Contains, To: "root"}, {From: "image", How: sbom.Contains, To: "boot"}}}
	add := func(in string, p sbom.Part) {
		b.Parts = append(b.Parts, p)
		b.Links = append(b.Links, sbom.Link{From: in, How: sbom.Contains, To: p.ID})
	}
	driver, err := drivers.Find("debian")
	if err != nil {
		return r, err
	}
	packages, err := driver.Installed(r.Tree, driver.Facts().ShipsAt)
	if err != nil {
		return r, err
	}
	for _, p := range packages {
		add("root", sbom.Part{ID: "package-" + p.Name, Name: p.Name, Version: p.Version, PURL: p.PURL})
	}
	loader, err := PE()
	if err != nil {
		return r, err
	}
	for name, content := range map[string][]byte{"kernel": kernelImage(), "initrd": []byte(r.Initrd), "loader": loader} {
		add("boot", sbom.Part{ID: "file-" + name, Name: name, Version: kernelVersion, SHA256: fmt.Sprintf("%x", sha256.Sum256(content))})
	}
	change(b)
	text, err := b.SPDX()
	r.Tree = maps.Clone(r.Tree)
	r.Tree[sbom.Path[1:]] = &fstest.MapFile{Data: text, Mode: 0o644}
	return r, err
}
