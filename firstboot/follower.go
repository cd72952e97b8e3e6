package firstboot

import "sync"

// follower spares a step the list that it would read each time it looks: while a watch stands, all that has changed since the step
// last found everything well is known to it. It counts what may have undone that. It may be used from several goroutines.
type follower struct {
	mu       sync.Mutex
	standing bool
	changes  int
	settled  int // what due said when all was well
}

// stands notes that a watch begins, or has ended. Nobody told of what happened in between.
func (f *follower) stands(yes bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.standing = yes
	f.changes++
}

// changed notes something for the step to do.
func (f *follower) changed() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.changes++
}

// due says whether the step has to list, and gives what settle wants if all is well then. The version is of the roster: who was
// unknown before may belong now.
func (f *follower) due(version int) (at int, due bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	at = f.changes + version // both only grow
	return at, !f.standing || at != f.settled
}

// settle notes that all was well in a list that was read after due.
func (f *follower) settle(at int) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.settled = at
}
