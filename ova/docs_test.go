package ova

import (
	"os"
	"strings"
	"testing"
)

// TestDocs looks for every example of docs/ova.md in a package.
func TestDocs(t *testing.T) {
	doc, err := os.ReadFile("../docs/ova.md")
	if err != nil {
		t.Fatal(err)
	}
	b := mustWrite(t, testPackage())
	whole := listing(t, b) + string(b)
	parts := strings.Split(string(doc), "```\n")
	if len(parts) < 3 {
		t.Fatal("no examples")
	}
	for i := 1; i < len(parts); i += 2 {
		if !strings.Contains(whole, parts[i]) {
			t.Errorf("no package has\n%s", parts[i])
		}
	}
	for _, want := range []string{DefaultGuestOS, "`" + KeyData + "`", "vmx-15", "`.data.encoding`"} {
		if !strings.Contains(string(doc), want) {
			t.Errorf("%q is not mentioned", want)
		}
	}
}
