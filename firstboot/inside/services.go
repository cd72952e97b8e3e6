package inside

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Service is a unit as systemd sees it, in its own words (systemctl(1), "show").
type Service struct {
	Unit     string    `json:"unit"`
	Load     string    `json:"load"`   // loaded, not-found, masked, ...
	Active   string    `json:"active"` // active, activating, failed, ...
	Sub      string    `json:"sub"`    // running, auto-restart, ...
	Result   string    `json:"result"` // success, or why it ended
	Since    time.Time `json:"since,omitzero"`
	Restarts int       `json:"restarts"`         // by systemd, since the boot or a reset
	Memory   int64     `json:"memory,omitempty"` // bytes
	Ours     bool      `json:"ours"`             // Slipway starts it; the others are here because they failed
}

// extra are units that Slipway starts although no role has them.
var extra = []string{"slipwayd.service", "containerd.service", "chrony.service", "docker.socket", "systemd-networkd.service", "systemd-resolved.service"}

// own are the units that are Slipway's business.
func (n *Node) own() []string {
	all := slices.Concat(n.Units, extra)
	slices.Sort(all)
	return slices.Compact(all)
}

// Services are the units that Slipway starts, as far as the image has them, and all that failed.
func (n *Node) Services(ctx context.Context) ([]Service, error) {
	own := n.own()
	failed, err := n.failed(ctx)
	if err != nil {
		return nil, err
	}
	names := slices.Concat(own, failed)
	slices.Sort(names)
	args := append([]string{"show", "--timestamp=unix", "--property=" + strings.Join(properties, ","), "--"}, slices.Compact(names)...)
	out, err := n.Run.Run(ctx, "systemctl", args...)
	if err != nil {
		return nil, fmt.Errorf("asking for the units: %w", err)
	}
	all := parseServices(out)
	for i := range all {
		all[i].Ours = slices.Contains(own, all[i].Unit)
	}
	return slices.DeleteFunc(all, func(s Service) bool {
		return s.Load == "not-found" && s.Active != "failed" && !slices.Contains(n.Units, s.Unit)
	}), nil
}

// failed lists the units that failed, whoever's they are.
func (n *Node) failed(ctx context.Context) ([]string, error) {
	out, err := n.Run.Run(ctx, "systemctl", "list-units", "--failed", "--full", "--plain", "--no-legend", "--no-pager")
	if err != nil {
		return nil, fmt.Errorf("asking for failed units: %w", err)
	}
	var names []string
	for line := range strings.Lines(out) {
		if words := strings.Fields(line); len(words) > 0 && unitShape.MatchString(words[0]) {
			names = append(names, words[0])
		}
	}
	return names, nil
}

// properties are what is asked of each unit.
var properties = []string{"Id", "LoadState", "ActiveState", "SubState", "Result", "StateChangeTimestamp", "NRestarts", "MemoryCurrent"}

// parseServices reads what systemctl show prints: a block of KEY=VALUE lines for each unit, with an empty line between.
func parseServices(out string) []Service {
	var all []Service
	for block := range strings.SplitSeq(strings.TrimSpace(out), "\n\n") {
		value := map[string]string{}
		for line := range strings.Lines(block) {
			key, text, _ := strings.Cut(strings.TrimSpace(line), "=")
			value[key] = text
		}
		if value["Id"] == "" {
			continue
		}
		s := Service{Unit: value["Id"], Load: value["LoadState"], Active: value["ActiveState"], Sub: value["SubState"], Result: value["Result"]}
		if at, err := strconv.ParseInt(strings.TrimPrefix(value["StateChangeTimestamp"], "@"), 10, 64); err == nil && at > 0 {
			s.Since = time.Unix(at, 0).UTC()
		}
		s.Restarts, _ = strconv.Atoi(value["NRestarts"]) // units of other kinds have none
		if bytes, err := strconv.ParseInt(value["MemoryCurrent"], 10, 64); err == nil {
			s.Memory = bytes // "[not set]" and 2^64-1 are no numbers of bytes
		}
		all = append(all, s)
	}
	slices.SortFunc(all, func(a, b Service) int { return cmp.Compare(a.Unit, b.Unit) })
	return slices.CompactFunc(all, func(a, b Service) bool { return a.Unit == b.Unit })
}
