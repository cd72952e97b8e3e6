package firstboot

import (
	"context"
	"encoding/json"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"sync"
	"time"
)

// unitState is what systemd says of a unit, in its own words (see systemctl(1), "show").
type unitState struct {
	load, active, sub, result string
	queued                    bool
}

const systemctl = "systemctl"

// sameMoment is how old an answer of systemd may be.
const sameMoment = 200 * time.Millisecond

// unitLook is what systemd said last of all units that steps have asked for. systemctl is a process, and steps look at ten units: those
// that look in the same moment share one. It may be used from several goroutines.
type unitLook struct {
	mu    sync.Mutex
	names []string
	said  map[string]unitState // nil when something was done since
	at    time.Time
}

func (n *machine) unit(ctx context.Context, name string) (unitState, error) {
	l := &n.look
	l.mu.Lock()
	defer l.mu.Unlock()
	if !slices.Contains(l.names, name) {
		l.names, l.said = append(l.names, name), nil
	}
	if age := n.Clock.Now().Sub(l.at); l.said == nil || age < 0 || age >= sameMoment {
		said, err := n.showUnits(ctx, l.names)
		if err != nil {
			return unitState{}, fmt.Errorf("asking for the state of %s: %w", name, err)
		}
		l.said, l.at = said, n.Clock.Now()
	}
	return l.said[name], nil
}

// showUnits has a block of lines for each name, in their order.
func (n *machine) showUnits(ctx context.Context, names []string) (map[string]unitState, error) {
	out, err := n.Run.Run(ctx, systemctl, append([]string{"show", "--property=LoadState,ActiveState,SubState,Result,Job"}, names...)...)
	if err != nil {
		return nil, err
	}
	blocks := strings.Split(strings.TrimSpace(out), "\n\n")
	if len(blocks) != len(names) {
		return nil, fmt.Errorf("systemctl tells of %d units, and was asked for %d", len(blocks), len(names))
	}
	said := map[string]unitState{}
	for i, name := range names {
		props := properties(blocks[i])
		said[name] = unitState{
			load: props["LoadState"], active: props["ActiveState"], sub: props["SubState"], result: props["Result"],
			queued: props["Job"] != "" && props["Job"] != "0",
		}
	}
	return said, nil
}

// change has systemd do something; what it said of units before is out of date then.
func (n *machine) change(ctx context.Context, args ...string) error {
	_, err := n.Run.Run(ctx, systemctl, args...)
	n.look.mu.Lock()
	defer n.look.mu.Unlock()
	n.look.said = nil
	return err
}

// properties reads what systemctl show prints.
func properties(out string) map[string]string {
	props := map[string]string{}
	for line := range strings.Lines(out) {
		key, value, _ := strings.Cut(strings.TrimSpace(line), "=")
		props[key] = value
	}
	return props
}

// unitStep is a step that is done when a unit is active.
func (n *machine) unitStep(name, unit string, after ...string) Step {
	return Step{Name: name, After: after, Observe: n.observeUnit(unit), Act: n.startUnit(unit)}
}

func (n *machine) observeUnit(name string) func(context.Context) (Finding, error) {
	return func(ctx context.Context) (Finding, error) { return n.lookAt(ctx, name) }
}

// lookAt judges a unit: a service that notifies is active only once it is ready.
func (n *machine) lookAt(ctx context.Context, name string) (Finding, error) {
	u, err := n.unit(ctx, name)
	switch {
	case err != nil:
		return Finding{}, err
	case u.load == "not-found":
		return Finding{}, fmt.Errorf("there is no %s on this node", name)
	case u.active == "active":
		return OK(), nil
	case u.sub == "auto-restart" || u.sub == "auto-restart-queued":
		return Finding{}, fmt.Errorf("%s keeps failing (%s)%s", name, u.result, n.lastWords(ctx, name))
	case u.queued || u.active == "activating" || u.active == "deactivating" || u.active == "reloading":
		return Wait(name + " to become ready"), nil
	}
	return Need(name + " to start"), nil
}

// startUnit asks systemd for a start and does not wait for the end of it.
func (n *machine) startUnit(name string) func(context.Context) error {
	return func(ctx context.Context) error {
		return n.change(ctx, "start", "--no-block", name)
	}
}

var klogHeader = regexp.MustCompile(`^[EWIF]\d{4} \d\d:\d\d:\d\d\.\d+ +\d+ `)

const longest = 400 // bytes of a program's last line

// lastWords is the last line that the unit's program logged, without what differs from try to try.
func (n *machine) lastWords(ctx context.Context, unit string) string {
	out, err := n.Run.Run(ctx, "journalctl", "--quiet", "--no-pager", "--output=cat", "--lines=1", "_SYSTEMD_UNIT="+unit)
	line := strings.TrimSpace(out)
	if err != nil || line == "" {
		return ""
	}
	var zap struct{ Msg, Error string }
	if json.Unmarshal([]byte(line), &zap) == nil && zap.Msg != "" {
		line = strings.TrimSuffix(zap.Msg+": "+zap.Error, ": ")
	}
	line = klogHeader.ReplaceAllString(line, "")
	return ": " + line[:min(len(line), longest)]
}

// services are no part of the cluster; a node has them for the people and programs that use it.
var services = []string{"chrony.service", "docker.socket"}

// observeServices asks for a start of what is installed and has not failed: a broken extra must not hold up the node.
func (n *machine) observeServices(ctx context.Context) (Finding, error) {
	for _, name := range services {
		u, err := n.unit(ctx, name)
		if err != nil {
			return Finding{}, err
		}
		if u.load == "loaded" && u.active == "inactive" && !u.queued {
			return Need(name + " to start"), nil
		}
	}
	return OK(), nil
}

func (n *machine) actServices(ctx context.Context) error {
	for _, name := range services {
		u, err := n.unit(ctx, name)
		if err != nil {
			return err
		}
		if u.load != "loaded" || u.active != "inactive" {
			continue
		}
		if err := n.startUnit(name)(ctx); err != nil {
			return err
		}
	}
	return nil
}

// nothing is the act of a step that can only be waited for.
func nothing(context.Context) error { return nil }
