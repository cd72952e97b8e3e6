// Command program is made of more than one module.
package main

import (
	"fmt"

	"golang.org/x/mod/semver"
	"golang.org/x/term"
)

func main() { fmt.Println(semver.Canonical("v1"), term.IsTerminal(0)) }
