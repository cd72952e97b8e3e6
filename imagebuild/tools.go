package imagebuild

import (
	"context"
	"fmt"
	"slices"

	"slipway/cluster"
)

// Tools are what makes an image, by name: a version, a digest, or both. The lock says which they were.
type Tools map[string]string

// slipwayTool is the name of the program itself among its tools: the code that every stage runs.
const slipwayTool = "slipway"

// goTool is the name of the Go toolchain.
const goTool = "go"

// FindTools asks for the tools of a plan. self is the running program: its version and digest.
func FindTools(ctx context.Context, plan *Plan, self string) (Tools, error) {
	tools, err := plan.Distro.Tools(ctx)
	if err != nil {
		return nil, fmt.Errorf("asking for the versions of tools: %w", err)
	}
	tools[slipwayTool] = self
	for _, item := range plan.Payloads {
		if item.Name == cluster.PayloadSlipwayd {
			tools[cluster.PayloadSlipwayd] = "sha256:" + item.SHA256
		}
		if item.Go != "" {
			tools[goTool] = item.Go
		}
	}
	return tools, nil
}

// changes compares with what the lock says, a line each for a person.
func (t Tools) changes(locked Tools) []string {
	var out []string
	each(locked, t, func(name, was, is string) {
		switch {
		case was == "":
			out = append(out, fmt.Sprintf("%s %s: not in the lock", name, is))
		case is == "":
			out = append(out, fmt.Sprintf("%s: locked %s, now not used", name, was))
		default:
			out = append(out, fmt.Sprintf("%s: locked %s, now %s", name, was, is))
		}
	})
	slices.Sort(out)
	return out
}
