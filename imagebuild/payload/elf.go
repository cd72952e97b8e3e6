package payload

import (
	"debug/elf"
	"errors"
	"fmt"
)

// mustBeStatic refuses a program that needs a loader, and with it libraries of the tree it comes to run in.
func mustBeStatic(path string) error {
	f, err := elf.Open(path)
	if err != nil {
		return fmt.Errorf("reading the program: %w", err)
	}
	defer f.Close()
	for _, p := range f.Progs {
		if p.Type == elf.PT_INTERP {
			return errors.New("it is not static: it needs a loader and libraries, of whose versions this build knows nothing")
		}
	}
	return nil
}
