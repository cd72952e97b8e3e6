package cluster

import (
	"fmt"
	"strconv"
	"strings"
	"unicode/utf8"

	"go.yaml.in/yaml/v3"
)

// path is a logical place in the spec: keys, and list indices as "[0]".
type path []string

// at makes a path of strings, roles and indices.
func at(elems ...any) path {
	p := make(path, 0, len(elems))
	for _, e := range elems {
		if i, ok := e.(int); ok {
			p = append(p, "["+strconv.Itoa(i)+"]")
			continue
		}
		p = append(p, fmt.Sprint(e))
	}
	return p
}

func (p path) id() string { return strings.Join(p, "\x00") }

// with is p and one more element, in memory of its own.
func (p path) with(elem any) path { return append(p[:len(p):len(p)], at(elem)...) }

// span is where something is written: 1-based line and column, and its width in characters.
type span struct{ line, col, width int }

func spanOf(n *yaml.Node) span {
	width := 1
	if n.Kind == yaml.ScalarNode && !strings.Contains(n.Value, "\n") {
		width = utf8.RuneCountInString(n.Value)
		if n.Style&(yaml.DoubleQuotedStyle|yaml.SingleQuotedStyle) != 0 {
			width += 2
		}
	}
	return span{n.Line, n.Column, max(width, 1)}
}

// document knows where everything in one YAML file is written, and collects what is said about it.
type document struct {
	name     string
	lines    []string
	values   map[string]span // by path id
	keys     map[string]span
	wrong    map[string]bool // paths with an error already: nothing more is said there
	problems []Problem
}

func newDocument(name string, data []byte) *document {
	return &document{
		name: name, lines: strings.Split(string(data), "\n"),
		values: map[string]span{}, keys: map[string]span{}, wrong: map[string]bool{},
	}
}

// has says whether the user wrote something at p.
func (d *document) has(p path) bool {
	_, ok := d.values[p.id()]
	return ok
}

// fail reports an error about the value at p, or about the nearest place around it that exists.
func (d *document) fail(p path, hint, format string, args ...any) {
	d.add(d.values, p, Problem{Hint: hint, Message: fmt.Sprintf(format, args...)})
}

// failKey is fail for the key at p.
func (d *document) failKey(p path, hint, format string, args ...any) {
	d.add(d.keys, p, Problem{Hint: hint, Message: fmt.Sprintf(format, args...)})
}

// refuse reports what a rule that others have as well says of the value at p: its message, and its hint on a line apart.
func (d *document) refuse(p path, err error) { d.refuseIn(d.values, p, err) }

// refuseEntry is refuse for an entry of a mapping: at its key if that is wrong with every value.
func (d *document) refuseEntry(p path, wrongKey, wrongValue error) {
	d.refuseIn(d.keys, p, wrongKey)
	d.refuseIn(d.values, p, wrongValue)
}

func (d *document) refuseIn(spans map[string]span, p path, err error) {
	if err == nil {
		return
	}
	message, hint, _ := strings.Cut(err.Error(), "\nhint: ")
	d.add(spans, p, Problem{Hint: hint, Message: message})
}

// warn reports what works but deserves a look.
func (d *document) warn(p path, hint, format string, args ...any) {
	d.add(d.values, p, Problem{Hint: hint, Message: fmt.Sprintf(format, args...), Warning: true})
}

func (d *document) add(spans map[string]span, p path, problem Problem) {
	for i := range len(p) + 1 {
		if d.wrong[p[:i].id()] && i > 0 {
			return
		}
	}
	if !problem.Warning && len(p) > 0 {
		d.wrong[p.id()] = true
	}
	d.addAt(d.locate(spans, p), problem)
}

// locate finds the place of p in spans, else of what is around it: a key says more than the block below it.
func (d *document) locate(spans map[string]span, p path) span {
	if s, ok := spans[p.id()]; ok {
		return s
	}
	for i := len(p) - 1; i > 0; i-- {
		if s, ok := d.keys[p[:i].id()]; ok {
			return s
		}
		if s, ok := d.values[p[:i].id()]; ok {
			return s
		}
	}
	return span{1, 1, 1}
}

func (d *document) addAt(s span, problem Problem) {
	problem.File, problem.Line, problem.Col, problem.Width = d.name, s.line, s.col, s.width
	if s.line >= 1 && s.line <= len(d.lines) {
		problem.Source = strings.TrimSuffix(d.lines[s.line-1], "\r")
	}
	d.problems = append(d.problems, problem)
}
