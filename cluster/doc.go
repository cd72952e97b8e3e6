// Package cluster is the spec: the user's cluster.yaml, read strictly, completed with defaults and judged as a whole.
//
// Start with Load, or with the pure Parse under it. A Spec they return has every default filled in and nothing
// left to refuse; (*Spec).Contract makes the node config of one node from it. Wrong input is a *ProblemsError: all
// problems at once, each with file, line, column, the source line and what would be allowed.
//
// schema.go holds the types, defaults.go fills, validate*.go judges by logical path only; positions are found
// afterwards. The package does not talk to the network and writes nothing. docs/spec.md is the description for people.
package cluster
