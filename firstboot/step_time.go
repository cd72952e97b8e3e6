package firstboot

import (
	"context"
	"fmt"
)

// observeTime lets a node without any time source go on as long as its clock is not certainly wrong.
func (n *machine) observeTime(ctx context.Context) (Finding, error) {
	w, err := clockWindow(n.FS, n.cfg)
	if err != nil {
		return Finding{}, err
	}
	now := n.Clock.Now()
	wrong := w.wrong(now)
	if wrong == "" {
		return OK(), nil
	}
	u, err := n.unit(ctx, "chrony.service")
	if err != nil {
		return Finding{}, fmt.Errorf("%s: %w", wrong, err)
	}
	if u.load == "loaded" && u.active == "inactive" && !u.queued {
		return Need("time: " + wrong), nil
	}
	if now.After(w.from) { // nobody can tell whether the clock is ahead or the certificates are old
		return Finding{}, fmt.Errorf("%s\nhint: set the clock, or, if it is right, give the node a new config", wrong)
	}
	return Wait("time: " + wrong), nil
}

func (n *machine) actTime(ctx context.Context) error { return n.startUnit("chrony.service")(ctx) }
