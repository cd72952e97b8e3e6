package ignition

import (
	"fmt"
	"strings"
)

// applyPatch applies a unified diff of one file. It is strict: every line that a hunk names must be where it says.
func applyPatch(text, patch string) (string, error) {
	old := strings.SplitAfter(text, "\n")
	var out []string
	at := 0 // the next of old
	for line := range strings.Lines(patch) {
		switch {
		case strings.HasPrefix(line, "--- "), strings.HasPrefix(line, "+++ "):
		case strings.HasPrefix(line, "@@ "):
			var start int
			if _, err := fmt.Sscanf(line, "@@ -%d", &start); err != nil {
				return "", fmt.Errorf("reading %q: %w", line, err)
			}
			if start-1 < at || start > len(old) {
				return "", fmt.Errorf("hunk %q does not follow line %d of %d", strings.TrimSpace(line), at, len(old))
			}
			out = append(out, old[at:start-1]...)
			at = start - 1
		case line[0] == '+':
			out = append(out, line[1:])
		case line[0] == ' ', line[0] == '-':
			if at >= len(old) || old[at] != line[1:] {
				return "", fmt.Errorf("line %d is not %q", at+1, line[1:])
			}
			if line[0] == ' ' {
				out = append(out, old[at])
			}
			at++
		default:
			return "", fmt.Errorf("no line of a unified diff: %q", line)
		}
	}
	return strings.Join(append(out, old[at:]...), ""), nil
}
