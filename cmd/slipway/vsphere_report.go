package main

import (
	"fmt"
	"slices"

	"slipway/ova/vsphere"
)

// vsphereReport is what a verb did on vCenter, or with --dry-run would do, for --json.
type vsphereReport struct {
	Template string   `json:"template,omitempty"` // of import, as is Image
	Image    string   `json:"image,omitempty"`
	DryRun   bool     `json:"dryRun"`
	Changes  bool     `json:"changes"` // whether there was anything to do
	Actions  []action `json:"actions"` // up to the failure, if there was one; what was taken back is named as that only
}

// action is one step of a plan.
type action struct {
	Do     vsphere.Verb `json:"do"`
	On     string       `json:"on"`
	Detail string       `json:"detail,omitempty"`
}

// of is the report with what was done.
func (r vsphereReport) of(done vsphere.Plan) vsphereReport {
	r.Actions = []action{}
	for _, a := range done {
		r.Actions = append(r.Actions, action{a.Do, a.On, a.Detail})
	}
	return r
}

// carryOut has p done, or with dryRun printed. An action is told when it is done, or all of them at the end with --json.
func (o vsphereOptions) carryOut(s streams, p vsphere.Plan, dryRun bool, work func(told func(vsphere.Action)) error) error {
	r := vsphereReport{DryRun: dryRun, Changes: p.Changes()}
	switch {
	case dryRun && o.json:
		s.reports(r.of(p))
		return nil
	case dryRun:
		fmt.Fprint(s.out, p)
		return nil
	case !o.json:
		return work(func(a vsphere.Action) { fmt.Fprintln(s.out, did(a)) })
	}
	var done vsphere.Plan
	err := work(func(a vsphere.Action) { done = append(slices.DeleteFunc(done, a.TakesBack), a) })
	s.reports(r.of(done))
	return err
}
