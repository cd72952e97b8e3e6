package cluster

import (
	"fmt"
	"sort"
	"strings"
)

// Problem is one thing to tell about one place in a file.
type Problem struct {
	File      string
	Line, Col int    // 1-based; 0: the file as a whole
	Width     int    // characters to underline, at least 1
	Source    string // the line itself
	Message   string
	Hint      string // what is allowed, or how to mend it
	Warning   bool
}

// String is "file:line:col: message", the source line with a caret under the place, and the hint on a line of its own that
// begins as that of every error does.
func (p Problem) String() string {
	var b strings.Builder
	b.WriteString(p.File)
	if p.Line > 0 {
		fmt.Fprintf(&b, ":%d:%d", p.Line, p.Col)
	}
	kind := ""
	if p.Warning {
		kind = "warning: "
	}
	fmt.Fprintf(&b, ": %s%s\n", kind, p.Message)
	if p.Line > 0 {
		margin := fmt.Sprintf("%5d", p.Line)
		fmt.Fprintf(&b, "%s | %s\n", margin, p.Source)
		fmt.Fprintf(&b, "%*s | %s%s\n", len(margin), "", indent(p.Source, p.Col), strings.Repeat("^", max(p.Width, 1)))
	}
	if p.Hint != "" {
		fmt.Fprintf(&b, "hint: %s\n", p.Hint)
	}
	return b.String()
}

// indent is the white space that stands before column col of a line, tabs kept so that the caret meets its place.
func indent(line string, col int) string {
	var b strings.Builder
	for _, r := range line {
		if col--; col < 1 {
			break
		}
		if r == '\t' {
			b.WriteRune('\t')
		} else {
			b.WriteRune(' ')
		}
	}
	return b.String() + strings.Repeat(" ", max(col-1, 0))
}

// ProblemsError is input that cannot be used. The command line exits with 2 for it and has written nothing.
type ProblemsError struct {
	Name     string    // of the spec
	Problems []Problem // never empty, sorted by place
}

// Error lists every problem.
func (e *ProblemsError) Error() string {
	var b strings.Builder
	count := "1 problem"
	if len(e.Problems) > 1 {
		count = fmt.Sprintf("%d problems", len(e.Problems))
	}
	fmt.Fprintf(&b, "%s has %s, nothing was written", e.Name, count)
	for _, p := range e.Problems {
		b.WriteString("\n")
		b.WriteString(strings.TrimSuffix(p.String(), "\n"))
	}
	return b.String()
}

// ExitCode is 2: the user's input is wrong.
func (*ProblemsError) ExitCode() int { return 2 }

// sortProblems orders by place, those of the spec before those of other files, and drops repetitions.
func sortProblems(problems []Problem, specName string) []Problem {
	sort.SliceStable(problems, func(i, j int) bool {
		a, b := problems[i], problems[j]
		if a.File != b.File {
			return a.File == specName || b.File != specName && a.File < b.File
		}
		if a.Line != b.Line {
			return a.Line < b.Line
		}
		return a.Col < b.Col
	})
	kept := problems[:0]
	for i, p := range problems {
		if i == 0 || p != problems[i-1] {
			kept = append(kept, p)
		}
	}
	return kept
}
