package vsphere

import (
	"context"
	"errors"
	"slices"
	"sync"
)

// phase groups verbs: what can be done for several nodes at a time, and what comes only when all of that is done.
type phase int

const (
	telling   phase = iota // nothing is done
	making                 // machines, a few at a time
	together               // what is about all of them
	starting               // one after the other: the first that is on ends the taking back
	finishing              // all nodes at once: nobody waits for somebody else's node
)

func (v Verb) phase() phase {
	switch v {
	case Spread:
		return together
	case PowerOn:
		return starting
	case Wait, Scrub:
		return finishing
	case Keep, Leave:
		return telling
	}
	return making
}

// stages cuts a plan where the phase changes.
func (p Plan) stages() (all []Plan) {
	for i, a := range p {
		if i == 0 || a.Do.phase() != p[i-1].Do.phase() {
			all = append(all, nil)
		}
		all[len(all)-1] = append(all[len(all)-1], a)
	}
	return all
}

// lanes are the actions of each node, in their order.
func (p Plan) lanes() (all []Plan) {
	for _, a := range p {
		i := slices.IndexFunc(all, func(lane Plan) bool { return lane[0].node == a.node })
		if i < 0 {
			all = append(all, Plan{a})
			continue
		}
		all[i] = append(all[i], a)
	}
	return all
}

// work does a stage, so many lanes at a time. After a failure those that are on their way come to their end, and no
// other begins; when nodes are waited for, all are on their way from the first.
func (d *deployment) work(ctx context.Context, stage Plan, atOnce int) error {
	lanes := stage.lanes()
	errs := make([]error, len(lanes))
	slots, failed := make(chan struct{}, atOnce), make(chan struct{}, len(lanes))
	var all sync.WaitGroup
	for i, lane := range lanes {
		slots <- struct{}{}
		if len(failed) > 0 {
			break
		}
		all.Go(func() {
			if errs[i] = d.lane(ctx, lane); errs[i] != nil {
				failed <- struct{}{}
			}
			<-slots
		})
	}
	all.Wait()
	return errors.Join(errs...)
}
