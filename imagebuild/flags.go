package imagebuild

import (
	"context"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"

	"slipway/cluster"
	"slipway/imagebuild/payload"
)

// UnknownFlagsError: the spec sets flags that the image's programs do not list in their help. They would end at once.
type UnknownFlagsError struct{ Flags []cluster.UnknownFlag }

func (e *UnknownFlagsError) Error() string {
	var lines []string
	for _, f := range e.Flags {
		lines = append(lines, fmt.Sprintf("%s has no flag %q", f.Program, f.Flag))
	}
	return "checking kubernetes.extraArgs: " + strings.Join(lines, "; ")
}

// checkFlags asks each program that the spec has flags for what it knows, before anything is packed.
func (b *builder) checkFlags(ctx context.Context) error {
	if len(b.plan.ExtraArgs) == 0 {
		return nil
	}
	b.rec.begin("flags")
	var unknown []cluster.UnknownFlag
	for _, program := range slices.Sorted(maps.Keys(b.plan.ExtraArgs)) {
		known, err := b.knownFlags(ctx, program)
		if err != nil {
			return err
		}
		for _, flag := range slices.Sorted(maps.Keys(b.plan.ExtraArgs[program])) {
			if !slices.Contains(known, flag) {
				unknown = append(unknown, cluster.UnknownFlag{Program: program, Flag: flag, Known: known})
			}
		}
	}
	if len(unknown) > 0 {
		return &UnknownFlagsError{Flags: unknown}
	}
	b.rec.end("flags", "the programs know every flag of the spec", false)
	return nil
}

// listedFlag is a flag in a help text: "  -v, --v Level" of the Kubernetes programs, "  --name 'default'" of etcd.
var listedFlag = regexp.MustCompile(`(?m)^\s+(?:-\w, )?--([a-z0-9][a-z0-9-]*)`)

func (b *builder) knownFlags(ctx context.Context, program string) ([]string, error) {
	file, ok := b.program("/usr/bin/" + program)
	if !ok {
		return nil, fmt.Errorf("checking kubernetes.extraArgs: no payload gives %s", program)
	}
	help, err := b.ask(ctx, file, program, "--help")
	if err != nil {
		return nil, err
	}
	var known []string
	for _, m := range listedFlag.FindAllStringSubmatch(string(help), -1) {
		known = append(known, m[1])
	}
	if len(known) == 0 {
		return nil, fmt.Errorf("checking kubernetes.extraArgs: `%s --help` lists no flags", program)
	}
	return known, nil
}

// program is the file that the image has at path from one of the payloads.
func (b *builder) program(path string) (payload.InstalledFile, bool) {
	for _, res := range b.results {
		if f, ok := res.Program(path); ok {
			return f, true
		}
	}
	return payload.InstalledFile{}, false
}
