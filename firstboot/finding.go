package firstboot

import (
	"context"
	"time"

	"slipway/node"
)

// Finding is what observing a step found: all well, something to do, or something to wait for.
type Finding struct {
	done    bool
	act     bool
	do      func(context.Context) error // what to do, if it is not what the step always does
	again   bool                        // doing it once may not be enough: then it is waited for, and done again
	waiting string                      // what for, or what is missing
}

// OK is a step whose goal is reached.
func OK() Finding { return Finding{done: true} }

// Need asks for the step's act; why completes "waiting for ...".
func Need(why string) Finding { return Finding{act: true, waiting: why} }

// NeedTo asks for an act of its own: what observing decided is carried out, and nothing that was decided another time.
func NeedTo(why string, do func(context.Context) error) Finding {
	return Finding{act: true, do: do, waiting: why}
}

// NeedAgain is NeedTo for what may have to be done again and again: that it was not enough is no failure.
func NeedAgain(why string, do func(context.Context) error) Finding {
	return Finding{act: true, again: true, do: do, waiting: why}
}

// Wait says that acting would not help yet: something else must happen first.
func Wait(what string) Finding { return Finding{waiting: what} }

// Step is one step of the formation: observe, act where needed, observe again. Both functions are re-entrant: they may
// be cut off anywhere and started again, in this process or after a power cut.
type Step struct {
	Name    string
	Roles   []node.Role // the step is for nodes with any of these; empty: for all
	After   []string    // steps that must be done first; names that the node does not have count as done
	Observe func(context.Context) (Finding, error)
	Act     func(context.Context) error
	Limit   time.Duration // for one try; default 30 s
	Recheck time.Duration // how often a step that is done is looked at again; default 10 s
}

const (
	defaultLimit   = 30 * time.Second
	defaultRecheck = 10 * time.Second
)

func (s Step) limit() time.Duration {
	if s.Limit == 0 {
		return defaultLimit
	}
	return s.Limit
}

func (s Step) recheck() time.Duration {
	if s.Recheck == 0 {
		return defaultRecheck
	}
	return s.Recheck
}

// isFor says whether a node with these roles has the step.
func (s Step) isFor(n node.Node) bool {
	if len(s.Roles) == 0 {
		return true
	}
	for _, r := range s.Roles {
		if n.Has(r) {
			return true
		}
	}
	return false
}
