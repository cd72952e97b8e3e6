//go:build fleet && all

package fleet_test

import (
	"fmt"
	"strings"
	"testing"
	"text/tabwriter"
	"time"
)

// report is a table of what was done to a fleet. It is printed when the test ends.
type report struct{ rows [][]string }

func newReport(t *testing.T) *report {
	r := &report{rows: [][]string{{"case", "injected", "recovered in", "asserted"}}}
	t.Cleanup(func() { t.Logf("what was injected:\n%s", r) })
	return r
}

// add takes down one fault, by its number among those that must be survived, when all that is asserted was so.
func (r *report) add(number, injected string, took time.Duration, asserted string) {
	r.rows = append(r.rows, []string{number, injected, fmt.Sprint(took.Round(time.Second / 10)), asserted})
}

func (r *report) String() string {
	var text strings.Builder
	table := tabwriter.NewWriter(&text, 0, 0, 2, ' ', 0)
	for _, row := range r.rows {
		fmt.Fprintln(table, strings.Join(row, "\t"))
	}
	table.Flush() // into memory, which takes all
	return text.String()
}
