package main

import (
	"bytes"
	"cmp"
	"fmt"
	"strings"
	"text/tabwriter"
	"time"

	"slipway/cluster"
	"slipway/firstboot/inside"
	"slipway/firstboot/status"
)

// view is what all nodes said, to be shown.
type view []reply

// mood is how a line is meant: a terminal may colour it.
type mood int

const (
	plain mood = iota
	heading
	waits
	wrong
)

// line is one line to show.
type line struct {
	text string
	mood mood
}

// lines are the tables and what stands below them. when shows a moment.
func (v view) lines(now time.Time, when func(time.Time) string) []line {
	all := v.nodes(when)
	if members := v.members(); len(members) > 1 {
		all = append(append(all, line{}), members...)
	}
	if more := append(v.vip(), v.certificates(now, when)...); len(more) > 0 {
		all = append(append(all, line{}), more...)
	}
	return append(all, v.notices()...)
}

// table lines up cells that are parted by tabs; the first row is the heading.
func table(rows []line) []line {
	var out bytes.Buffer
	w := tabwriter.NewWriter(&out, 0, 0, 2, ' ', 0)
	for _, r := range rows {
		fmt.Fprintln(w, r.text)
	}
	w.Flush() // a buffer takes everything
	for i, text := range strings.Split(strings.TrimSuffix(out.String(), "\n"), "\n") {
		rows[i].text = strings.TrimRight(text, " ")
	}
	return rows
}

func (v view) nodes(when func(time.Time) string) []line {
	rows := []line{{"NODE\tROLES\tSTEP\tSTATE\tSINCE\tWAITING FOR\tLAST ERROR", heading}}
	for _, r := range v {
		state, since, mood := string(r.State), when(r.Since), waits
		switch {
		case r.Error != "":
			state, since, mood = "no answer", "-", wrong
		case r.State == status.Failed:
			mood = wrong
		case r.Serving:
			mood = plain
		}
		rows = append(rows, line{fmt.Sprintf("%s\t%s\t%s\t%s\t%s\t%s\t%s", r.Node, r.roles(), dash(r.Step), state, since,
			dash(r.WaitingFor), dash(cmp.Or(r.Error, r.LastError))), mood})
	}
	return table(rows)
}

// roles are the node's in one cell.
func (r reply) roles() string {
	var names []string
	for _, role := range r.Roles {
		names = append(names, string(role))
	}
	return cmp.Or(strings.Join(names, ","), "-")
}

// members are the nodes of the control plane, as far as they told of their health.
func (v view) members() []line {
	rows := []line{{"NODE\tETCD\tDB\tINDEX\tTERM\tAPI\tTROUBLE", heading}}
	for _, r := range v {
		if h := r.Health; h != nil && (h.Etcd != nil || h.API != nil) {
			rows = append(rows, memberRow(r.Node, *h))
		}
	}
	return table(rows)
}

func memberRow(name string, h inside.Health) line {
	var trouble []string
	cells := []string{"-", "-", "-", "-", "-"}
	if e := h.Etcd; e != nil {
		cells[0] = cmp.Or(string(e.Role), "no answer")
		if e.ID != "" {
			cells[1], cells[2], cells[3] = size(e.DBSize), fmt.Sprint(e.Index), fmt.Sprint(e.Term)
		}
		trouble = append(append(trouble, e.Trouble), e.Errors...)
	}
	if a := h.API; a != nil {
		cells[4] = "ready"
		if !a.Ready {
			cells[4] = "not ready"
		}
		trouble = append(trouble, a.Trouble)
	}
	text := dash(strings.Join(trouble, "\n"))
	l := line{text: name + "\t" + strings.Join(cells, "\t") + "\t" + text}
	if text != "-" {
		l.mood = wrong
	}
	return l
}

// vip says who holds the API's address, of those that could.
func (v view) vip() []line {
	address, asked := "", false
	var holders, unsure []string
	for _, r := range v {
		if r.Health == nil || r.Health.VIP == nil {
			continue
		}
		vip := r.Health.VIP
		address, asked = vip.Address, true
		if vip.Held {
			holders = append(holders, r.Node)
		}
		if vip.Trouble != "" {
			unsure = append(unsure, r.Node+": "+dash(vip.Trouble))
		}
	}
	if !asked {
		return nil
	}
	l := line{text: fmt.Sprintf("VIP %s: held by %s", address, cmp.Or(strings.Join(holders, " and "), "nobody that answers"))}
	if len(unsure) > 0 {
		l.text += " (" + strings.Join(unsure, "; ") + ")"
	}
	if len(holders) != 1 {
		l.mood = wrong
	}
	return []line{l}
}

// When the end of a certificate begins to be trouble, in parts of its life: a new config has new ones from a third on, and what is renewed by
// itself has been before the last tenth.
const (
	dueByConfig = 1.0 / 3
	dueByItself = 0.1
)

// certificates are the one that is the first to need a new config, of all nodes, and those that ought to have been renewed.
func (v view) certificates(now time.Time, when func(time.Time) string) []line {
	var first inside.Certificate
	var of string
	var late []line
	for _, r := range v {
		if r.Health == nil {
			continue
		}
		for _, c := range r.Health.Certificates {
			switch {
			case c.Trouble != "" || c.Renewal == inside.NotNeeded:
			case c.Renewal == inside.ByNewConfig:
				if of == "" || c.Ends.Before(first.Ends) {
					first, of = c, r.Node
				}
			case c.Left(now) < dueByItself:
				late = append(late, line{fmt.Sprintf("%s: certificate %s ends %s, and %s has not renewed it", r.Node, c.Name, when(c.Ends), dash(string(c.Renewal))), wrong})
			}
		}
	}
	if of == "" {
		return late
	}
	l := line{text: fmt.Sprintf("certificates: the first to need a new config is %s of %s, which ends %s", first.Name, of, when(first.Ends))}
	if first.Left(now) < dueByConfig {
		l = line{fmt.Sprintf("%s: less than a third of its life is left (docs/ha.md, \"Certificates\")", l.text), wrong}
	}
	return append([]line{l}, late...)
}

func (v view) notices() []line {
	var all []line
	for _, r := range v {
		for _, n := range r.Notices {
			all = append(all, line{text: fmt.Sprintf("%s: %s %s: %s", r.Node, n.Kind, dash(n.Name), dash(n.Text)), mood: waits})
		}
		if r.Health == nil {
			continue
		}
		for _, c := range r.Health.Certificates {
			if c.Trouble != "" {
				all = append(all, line{text: fmt.Sprintf("%s: certificate %s: %s", r.Node, c.Name, dash(c.Trouble)), mood: wrong})
			}
		}
	}
	return all
}

// serving counts the nodes that serve.
func (v view) serving() (n int) {
	for _, r := range v {
		if r.Serving {
			n++
		}
	}
	return n
}

// describeAll says in one line how a node is doing, with what it is in the cluster.
func describeAll(r reply) string {
	text := describe(r)
	if h := r.Health; h != nil {
		if h.Etcd != nil && r.has(cluster.RoleEtcd) {
			text += ", etcd " + cmp.Or(string(h.Etcd.Role), "gives no answer")
		}
		if h.VIP != nil && h.VIP.Held {
			text += ", holds " + h.VIP.Address
		}
	}
	return text
}
