package firstboot

import (
	"errors"
	"sync"
)

// sideBySide is how many objects are written at the same time. Each waits for the disks of a majority of etcd's members, which take
// many writes in one go.
const sideBySide = 8

// crew does things side by side, in no order.
type crew struct {
	wait   sync.WaitGroup
	places chan struct{}
}

func newCrew() *crew { return &crew{places: make(chan struct{}, sideBySide)} }

// do begins f as soon as there is a place.
func (c *crew) do(f func()) {
	c.places <- struct{}{}
	c.wait.Go(func() {
		defer func() { <-c.places }()
		f()
	})
}

// together does something for all, and comes back when that is done, with whatever went wrong.
func together[T any](all []T, do func(T) error) error {
	if len(all) == 1 {
		return do(all[0])
	}
	errs := make([]error, len(all))
	c := newCrew()
	for i, one := range all {
		c.do(func() { errs[i] = do(one) })
	}
	c.wait.Wait()
	return errors.Join(errs...)
}
