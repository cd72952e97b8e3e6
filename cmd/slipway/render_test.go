package main

import (
	"bytes"
	"context"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"golang.org/x/tools/txtar"

	"slipway/internal/golden"
)

// volatile is what differs from one PKI to the next.
var volatile = []struct {
	pattern *regexp.Regexp
	with    string
}{
	{regexp.MustCompile(`\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ`), "TIME"},
	{regexp.MustCompile(`"fingerprint": "[0-9a-f]{64}"`), `"fingerprint": "FINGERPRINT"`},
	{regexp.MustCompile(`"operator": "[0-9a-f]{64}"`), `"operator": "FINGERPRINT"`},
	{regexp.MustCompile(`\\"fingerprint\\":\\"[0-9a-f]{64}\\"`), `\"fingerprint\":\"FINGERPRINT\"`},
	{regexp.MustCompile(`"(signature|certificate)": "[0-9A-Za-z+/=]+"`), `"$1": "BASE64"`},
	{regexp.MustCompile(`(?s)-----BEGIN PUBLIC KEY-----.*?-----END PUBLIC KEY-----`), "PUBLIC KEY"},
}

// What Ignition writes is held here in full; what slipwayd renders by name and mode only, as package roles has its own goldens.
func TestRenderGoldens(t *testing.T) {
	specs, err := filepath.Glob("testdata/render/*.yaml")
	if err != nil || len(specs) == 0 {
		t.Fatalf("no specs: %v", err)
	}
	for _, spec := range specs {
		t.Run(filepath.Base(spec), func(t *testing.T) {
			secrets := filepath.Join(t.TempDir(), "secrets")
			command(t, "pki", "init", "-f", spec, "--secrets", secrets)
			goldens, err := filepath.Glob(strings.TrimSuffix(spec, ".yaml") + ".*.txtar")
			if err != nil || len(goldens) == 0 {
				t.Fatalf("no goldens for %s: %v", spec, err)
			}
			for _, path := range goldens {
				node := strings.Split(filepath.Base(path), ".")[1]
				golden.Check(t, path, normalise(command(t, "render", "-f", spec, "--secrets", secrets, node)))
			}
		})
	}
}

// command runs slipway in this process and gives what it prints.
func command(t *testing.T, args ...string) []byte {
	t.Helper()
	var out, errs bytes.Buffer
	if code := run(context.Background(), args, nil, &out, &errs); code != exitOK {
		t.Fatalf("slipway %s: exit code %d\n%s", strings.Join(args, " "), code, errs.String())
	}
	return out.Bytes()
}

func normalise(listing []byte) string {
	a := txtar.Parse(listing)
	for i, f := range a.Files {
		if strings.HasPrefix(f.Name, "slipwayd ") {
			a.Files[i].Data = nil
		}
	}
	text := string(txtar.Format(a))
	for _, v := range volatile {
		text = v.pattern.ReplaceAllString(text, v.with)
	}
	return text
}
