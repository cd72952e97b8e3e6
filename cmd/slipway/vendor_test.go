package main

import (
	"context"
	"crypto/sha256"
	"fmt"
	"os"
	"path/filepath"

	"github.com/rogpeppe/go-internal/testscript"

	"slipway/cluster"
	"slipway/imagebuild"
	"slipway/imagebuild/distro"
	"slipway/imagebuild/payload"
	"slipway/imagebuild/vendored"
)

// makeVendored DIR writes a slipway.lock of one package that answers cluster.yaml, and fills DIR for it.
func makeVendored(ts *testscript.TestScript, _ bool, args []string) {
	if len(args) != 1 {
		ts.Fatalf("usage: vendored DIR")
	}
	loaded, err := cluster.Load(ts.MkAbs("cluster.yaml"))
	ts.Check(err)
	host, err := payload.Probe(context.Background(), payload.Exec{}, os.Environ(), os.TempDir())
	ts.Check(err)
	host.SpecDir, host.Slipwayd, host.SlipwaydSHA256 = ts.MkAbs("."), "slipwayd", "00"
	plan, err := imagebuild.NewPlan(loaded.Spec, host)
	ts.Check(err)
	const archive = "the archive of jq"
	digest := fmt.Sprintf("%x", sha256.Sum256([]byte(archive)))
	lock := imagebuild.Lock{Version: 2, Epoch: 1, Asked: plan.Request, Packages: []distro.Package{{Name: "jq", Version: "1.7", SHA256: digest, Size: int64(len(archive))}}}
	ts.Check(lock.Write(ts.MkAbs(imagebuild.LockName)))

	index := vendored.Index{Cluster: plan.Name, Toolchain: vendored.Toolchain{Version: host.Go}}
	for _, p := range plan.Summary().Payloads {
		index.Payloads = append(index.Payloads, vendored.Payload{Name: p.Name, Version: p.Version, Origin: p.Origin})
	}
	text, err := os.ReadFile(ts.MkAbs(imagebuild.LockName))
	ts.Check(err)
	_, err = vendored.Write(context.Background(), filepath.Clean(ts.MkAbs(args[0])), index, []vendored.Source{
		{Path: vendored.LockName, Data: text},
		{Path: vendored.GoSumName, Data: []byte{}},
		{Path: "archives/" + digest + ".deb", What: "package jq 1.7", Data: []byte(archive)},
		{Path: "go/example.com/m/@v/v1.0.0.zip", Data: []byte("a module")},
	}, vendored.Writing{})
	ts.Check(err)
}
