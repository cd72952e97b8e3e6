package main

import (
	"cmp"
	"fmt"
	"io"
	"text/tabwriter"

	"slipway/imagebuild/diff"
)

// mostDiffLines is how many lines of a list a person gets at first: a new kernel alone has thousands of files.
const mostDiffLines = 40

// printDiff writes what differs, the whole before its parts.
func printDiff(out io.Writer, r *diff.Report, all bool) {
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	fmt.Fprintf(w, "\tA\tB\n")
	for _, row := range []struct{ name, a, b string }{
		{"file", r.A.File, r.B.File}, {"kernel", r.A.Kernel, r.B.Kernel}, {"command line", r.A.Cmdline, r.B.Cmdline},
		{"root hash", fmt.Sprintf("%.16s", r.A.RootHash), fmt.Sprintf("%.16s", r.B.RootHash)},
		{"root", known(r.A.RootBytes), sized(r.A.RootBytes, r.B.RootBytes)}, {"boot file", known(r.A.BootBytes), sized(r.A.BootBytes, r.B.BootBytes)},
	} {
		if row.a != "" || row.b != "" {
			fmt.Fprintf(w, "%s\t%s\t%s\n", row.name, cmp.Or(row.a, "?"), cmp.Or(row.b, "?"))
		}
	}
	w.Flush()
	for _, list := range []struct {
		name    string
		changes []diff.Change
	}{
		{"packages", r.Packages}, {"payloads", r.Payloads}, {"container images", r.Containers}, {"Go programs", r.Programs}, {"Go modules", r.Modules},
		{"parts of the boot file", r.Boot},
	} {
		printChanges(out, list.name, list.changes, all)
	}
	printFiles(out, r.Files, all)
	for _, text := range r.NotCompared {
		fmt.Fprintf(out, "\nnot compared: %s\n", text)
	}
	if r.Equal {
		fmt.Fprintln(out, "\nequal")
	}
}

// known is a size, if it is known.
func known(n int64) string {
	if n == 0 {
		return ""
	}
	return size(n)
}

// sized is the second of two sizes, and how much it is more or less.
func sized(a, b int64) string {
	switch {
	case a == 0 || b == 0 || a == b:
		return known(b)
	case b > a:
		return fmt.Sprintf("%s (+%s)", size(b), size(b-a))
	}
	return fmt.Sprintf("%s (-%s)", size(b), size(a-b))
}

// listed begins a list with its numbers, and returns how many lines of it are printed.
func listed(out io.Writer, name string, n int, all bool, mark func(i int) string) int {
	if n == 0 {
		return 0
	}
	count := map[string]int{}
	for i := range n {
		count[mark(i)]++
	}
	fmt.Fprintf(out, "\n%s: %d added, %d removed, %d changed\n", name, count["+"], count["-"], count["~"])
	if all || n <= mostDiffLines {
		return n
	}
	return mostDiffLines
}

func more(out io.Writer, left int) {
	if left > 0 {
		fmt.Fprintf(out, "  and %d more: --all shows them\n", left)
	}
}

func marked(hasA, hasB bool) string {
	switch {
	case !hasA:
		return "+"
	case !hasB:
		return "-"
	}
	return "~"
}

func printChanges(out io.Writer, name string, list []diff.Change, all bool) {
	mark := func(i int) string { return marked(list[i].A != "", list[i].B != "") }
	n := listed(out, name, len(list), all, mark)
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	for i, c := range list[:n] {
		a, b := short(c.A), short(c.B)
		if a != "" && b != "" {
			a += " -> "
		}
		fmt.Fprintf(w, "  %s %s\t%s%s\n", mark(i), c.Name, a, b)
	}
	w.Flush()
	more(out, len(list)-n)
}

// short cuts a digest, which no person reads to its end.
func short(version string) string {
	if len(version) == 64 {
		return version[:16]
	}
	return version
}

func printFiles(out io.Writer, list []diff.File, all bool) {
	mark := func(i int) string { return marked(list[i].A != nil, list[i].B != nil) }
	n := listed(out, "files", len(list), all, mark)
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	for i, f := range list[:n] {
		fmt.Fprintf(w, "  %s %s\t%s\n", mark(i), f.Path, stateChange(f.A, f.B))
	}
	w.Flush()
	more(out, len(list)-n)
}

// stateChange says of a file what is there, and of one in both what is not the same.
func stateChange(a, b *diff.State) string {
	if a == nil || b == nil {
		return describeState(cmp.Or(a, b))
	}
	if was, now := describeState(a), describeState(b); was != now {
		return was + " -> " + now
	}
	return describeState(b) + fmt.Sprintf(", sha256 %.12s -> %.12s", a.SHA256, b.SHA256)
}

func describeState(s *diff.State) string {
	text := s.Mode
	if s.Owner != "0:0" {
		text += " " + s.Owner
	}
	switch {
	case s.Target != "":
		text += " to " + s.Target
	case s.SHA256 != "":
		text += " " + size(s.Size)
	}
	return text
}
