// Command govc is VMware's own client for tests: those of its commands that they use, from the module and version in
// go.mod. The released program cannot be installed at an exact version by the Go command, since its module replaces the
// library by a folder beside it.
package main

import (
	"os"

	"github.com/vmware/govmomi/cli"
	_ "github.com/vmware/govmomi/cli/about"
	_ "github.com/vmware/govmomi/cli/device"
	_ "github.com/vmware/govmomi/cli/importx"
	_ "github.com/vmware/govmomi/cli/library"
	_ "github.com/vmware/govmomi/cli/vm"
	_ "github.com/vmware/govmomi/cli/vm/disk"
)

func main() { os.Exit(cli.Run(os.Args[1:])) }
