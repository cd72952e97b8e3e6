package verify

import (
	"strings"
	"testing"
	"testing/fstest"

	"slipway/imagebuild/sbom"
	"slipway/imagebuild/verify/verifytest"
)

// TestBill: a bill that says what is there is fine, and each lie is one finding.
func TestBill(t *testing.T) {
	part := func(b *sbom.Bill, id string) *sbom.Part {
		for i := range b.Parts {
			if b.Parts[i].ID == id {
				return &b.Parts[i]
			}
		}
		t.Fatalf("no part %s", id)
		return nil
	}
	for want, change := range map[string]func(*sbom.Bill){
		"": func(*sbom.Bill) {},
		`package jq as "1.6", and the image has it as "1.7.1-6"`: func(b *sbom.Bill) { part(b, "package-jq").Version = "1.6" },
		`package jq as "", and the image has it as "1.7.1-6"`: func(b *sbom.Bill) {
			b.Links[len(b.Links)-4].To = "file-loader" // what links the package
		},
		`the kernel as "sha256 0", and the image has it as "sha256 `: func(b *sbom.Bill) { part(b, "file-kernel").SHA256 = "0" },
		`the initrd as "sha256 0", and the image has it as "sha256 `: func(b *sbom.Bill) { part(b, "file-initrd").SHA256 = "0" },
		`the loader as "sha256 0", and the image has it as "sha256 `: func(b *sbom.Bill) { part(b, "file-loader").SHA256 = "0" },
		"one of them is not in the bill":                             func(b *sbom.Bill) { b.Links[0].To = "x" },
	} {
		b, _ := build(t, func(r *verifytest.Recipe) {
			with, err := r.WithBill(change)
			if err != nil {
				t.Fatal(err)
			}
			*r = with
		})
		report, err := Raw(strings.NewReader(string(b)), int64(len(b)))
		if err != nil {
			t.Fatal(err)
		}
		var texts []string
		for _, f := range report.Findings {
			texts = append(texts, f.Text)
		}
		if got := strings.Join(texts, "\n"); (want == "") != (got == "") || !strings.Contains(got, want) || len(texts) > 1 {
			t.Errorf("got %q, want %q", got, want)
		}
	}
}

// TestBillOfAStranger: of a distribution that nobody knows the packages are not known.
func TestBillOfAStranger(t *testing.T) {
	b, _ := build(t, func(r *verifytest.Recipe) {
		with, err := r.WithBill(func(*sbom.Bill) {})
		if err != nil {
			t.Fatal(err)
		}
		with.Tree["usr/lib/os-release"] = &fstest.MapFile{Data: []byte("ID=plan9\n")}
		*r = with
	})
	report, err := Raw(strings.NewReader(string(b)), int64(len(b)))
	if err != nil || len(report.Findings) != 1 || !strings.Contains(report.Findings[0].Text, `finding distribution "plan9": not known`) {
		t.Errorf("%v: %+v", err, report.Findings)
	}
}
