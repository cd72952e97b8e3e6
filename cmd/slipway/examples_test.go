package main

import (
	"encoding/json"
	"fmt"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/tools/txtar"

	"slipway/cluster"
	"slipway/internal/golden"
	"slipway/node"
)

// TestExamples: what runs on every node of every example, and where its API is. test/fleet forms them.
func TestExamples(t *testing.T) {
	specs, err := filepath.Glob("../../examples/*/cluster.yaml")
	if err != nil || len(specs) < 8 {
		t.Fatalf("%d examples, %v", len(specs), err)
	}
	for _, spec := range specs {
		name := filepath.Base(filepath.Dir(spec))
		t.Run(name, func(t *testing.T) {
			secrets := filepath.Join(t.TempDir(), "secrets")
			command(t, "pki", "init", "-f", spec, "--secrets", secrets)
			loaded, err := cluster.Load(spec)
			if err != nil {
				t.Fatal(err)
			}
			var text strings.Builder
			for i, n := range loaded.Spec.Nodes {
				a := txtar.Parse(command(t, "render", "-f", spec, "--secrets", secrets, n.Name))
				if i == 0 {
					fmt.Fprintf(&text, "API at %s\n", apiOf(t, a))
				}
				fmt.Fprintf(&text, "\n%s %v\n%s", n.Name, n.Roles, unitsOf(a))
			}
			golden.Check(t, "testdata/examples/"+name+".txt", []byte(text.String()))
		})
	}
}

func apiOf(t *testing.T, a *txtar.Archive) string {
	t.Helper()
	for _, f := range a.Files {
		if strings.Contains(f.Name, " "+node.Path+" ") {
			var c node.Config
			if err := json.Unmarshal(f.Data, &c); err != nil {
				t.Fatal(err)
			}
			return fmt.Sprintf("%s:%d, load balancer %s", c.API.Host, c.API.Port, c.API.Mode)
		}
	}
	t.Fatal("no node config")
	return ""
}

func unitsOf(a *txtar.Archive) string {
	var units strings.Builder
	for _, f := range a.Files {
		if name, ok := strings.CutPrefix(f.Name, "slipwayd unit /run/systemd/system/"); ok {
			fmt.Fprintf(&units, "  %s\n", strings.Fields(name)[0])
		}
	}
	return units.String()
}
