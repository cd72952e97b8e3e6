// Package housetest holds no code: its tests keep the house in order. They read the import graph by `go list` and fail
// with the reason behind the broken rule. The rules are the table of ARCHITECTURE.md.
package housetest
