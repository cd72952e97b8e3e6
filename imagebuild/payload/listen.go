package payload

import "strings"

// listener hears the lines of go's standard error: progress goes on to heard, the rest is kept for the error.
type listener struct {
	heard func(line string)
	part  string
	lines []string
}

// kept is how many lines an error shows at most.
const kept = 20

// Write implements io.Writer.
func (l *listener) Write(p []byte) (int, error) {
	l.part += string(p)
	for {
		line, rest, found := strings.Cut(l.part, "\n")
		if !found {
			return len(p), nil
		}
		l.part = rest
		l.line(line)
	}
}

func (l *listener) line(line string) {
	switch {
	case line == "":
	case strings.HasPrefix(line, "go: downloading "):
		l.heard(strings.TrimPrefix(line, "go: "))
	case !strings.ContainsAny(line, " :\t#"): // go build -v names the package that it compiles
		l.heard("compiling " + line)
	default:
		l.lines = append(l.lines, line)
		l.lines = l.lines[max(0, len(l.lines)-kept):]
	}
}

func (l *listener) text() string {
	if l.part != "" {
		l.line(l.part)
		l.part = ""
	}
	return strings.Join(l.lines, "\n")
}
