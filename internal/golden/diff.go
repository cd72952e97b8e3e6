package golden

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// shown is how many lines of a difference are printed.
const shown = 40

// diff is the lines that only want (-) or only got (+) has, each with its number there.
func diff(want, got string) string {
	w, g := slices.Collect(strings.Lines(want)), slices.Collect(strings.Lines(got))
	var out []string
	for i, j := 0, 0; i < len(w) || j < len(g); i, j = i+1, j+1 { // passes a line that both have, or the end
		di, dj := apart(w[i:], g[j:])
		for range di {
			out = append(out, fmt.Sprintf("-%5d  %s\n", i+1, visible(w[i])))
			i++
		}
		for range dj {
			out = append(out, fmt.Sprintf("+%5d  %s\n", j+1, visible(g[j])))
			j++
		}
	}
	if more := len(out) - shown; more > 0 {
		out = append(out[:shown], fmt.Sprintf("... and %d more\n", more))
	}
	return strings.Join(out, "")
}

// apart is how many lines of each come before the nearest line that both have.
func apart(a, b []string) (int, int) {
	for sum := range len(a) + len(b) {
		for i := max(0, sum-len(b)+1); i <= min(sum, len(a)-1); i++ {
			if a[i] == b[sum-i] {
				return i, sum - i
			}
		}
	}
	return len(a), len(b)
}

// visible quotes a line whose end would not show.
func visible(line string) string {
	text, whole := strings.CutSuffix(line, "\n")
	if !whole || strings.TrimRight(text, " \t\r") != text {
		return strconv.Quote(line)
	}
	return text
}
