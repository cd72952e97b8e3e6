//go:build fleet && all

package fleet_test

import (
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

// TestPowerCutAtEveryStep: whenever a balancer, a control plane or a worker has journalled a step of its formation, its power is
// cut, and comes back. All steps but those that cannot be done here were cut, and the end is that of a formation without any of it.
func TestPowerCutAtEveryStep(t *testing.T) {
	f := newFleet(t, "testdata/dedicated.yaml")
	f.Start()
	cut := map[string][]string{"lb1": nil, "cp1": nil, "w1": nil}
	whole := func() error { return errors.Join(f.formed(), f.whole(3)) }
	for quiet, end := time.Now(), time.Now().Add(10*time.Minute); time.Since(quiet) < 10*time.Second || whole() != nil; {
		if time.Now().After(end) {
			t.Fatalf("not formed after ten minutes, cut at %v: %v", cut, whole())
		}
		for name, before := range cut {
			steps := f.journalled(name)
			if fresh := slices.DeleteFunc(slices.Clone(steps), func(s string) bool { return slices.Contains(before, s) }); len(fresh) > 0 {
				f.PowerCut(name)
				f.Start(name)
				cut[name], quiet = append(before, fresh...), time.Now()
			}
		}
		time.Sleep(20 * time.Millisecond)
	}
	f.Wait(time.Minute, "the API answers at its address", f.apiReady)
	f.oneHolder()
	all, err := f.Statuses()
	if err != nil {
		t.Error(err)
	}
	for _, s := range all {
		steps, watched := cut[s.Node]
		for _, step := range s.Steps {
			if watched && step.Name != "cluster" && !slices.Contains(steps, step.Name) {
				t.Errorf("%s was never cut at %s", s.Node, step.Name)
			}
		}
	}
	for name, steps := range cut {
		t.Logf("%s: %s", name, strings.Join(steps, ", "))
	}
}

// journalled are the steps that a node's journal has, which is read from its disk.
func (f *fleet) journalled(name string) []string {
	f.t.Helper()
	data, err := os.ReadFile(filepath.Join(f.node(name).dir, "var/lib/slipway/journal.json"))
	if errors.Is(err, os.ErrNotExist) {
		return nil
	}
	var j struct{ Steps []struct{ Step string } }
	if err := errors.Join(err, json.Unmarshal(data, &j)); err != nil {
		f.fatal(err)
	}
	var steps []string
	for _, s := range j.Steps {
		steps = append(steps, s.Step)
	}
	return steps
}
