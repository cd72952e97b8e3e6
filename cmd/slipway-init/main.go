// Command slipway-init is the first process of the initrd. It starts the system on the verified root, or says why not and
// starts the machine again. What it does is in package initrd; here is how the kernel is asked for it.
package main

import (
	"fmt"
	"os"

	"slipway/initrd"
)

func main() {
	if os.Getpid() != 1 {
		fmt.Fprintln(os.Stderr, "slipway-init: this is the first process of an initrd, and no program to call")
		os.Exit(2)
	}
	boot := &initrd.Boot{Machine: newMachine(), Args: os.Args[1:]}
	boot.Fail(boot.Run())
}
