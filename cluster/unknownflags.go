package cluster

import (
	"fmt"
	"strings"
)

// UnknownFlag is a flag in kubernetes.extraArgs that the program, once it was built, does not list in its help.
type UnknownFlag struct {
	Program, Flag string
	Known         []string // what it lists
}

// UnknownFlagsError names each where the spec has it. Only a build can tell, so unlike a *ProblemsError it may come after
// something was written.
type UnknownFlagsError struct {
	Name     string    // of the spec
	Problems []Problem // never empty, sorted by place
}

// Error lists every problem.
func (e *UnknownFlagsError) Error() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s sets flags that the programs of this image do not have", e.Name)
	for _, p := range e.Problems {
		b.WriteString("\n" + strings.TrimSuffix(p.String(), "\n"))
	}
	return b.String()
}

// RefuseFlags is the error for flags that do not exist.
func (l *Loaded) RefuseFlags(flags []UnknownFlag) error {
	d := newDocument(l.Path, l.Data)
	if !d.decode(l.Data, &Spec{}) {
		return &ProblemsError{Name: l.Path, Problems: d.problems}
	}
	for _, f := range flags {
		hint := didYouMean(f.Flag, f.Known) + fmt.Sprintf("`%s --help` lists what there is", f.Program)
		d.failKey(at("kubernetes", "extraArgs", f.Program, f.Flag), hint, "%s has no flag %q", f.Program, f.Flag)
	}
	return &UnknownFlagsError{Name: l.Path, Problems: sortProblems(d.problems, l.Path)}
}
