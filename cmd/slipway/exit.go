package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os/exec"
	"strings"
)

// Exit codes, the same for every verb.
const (
	exitOK       = 0
	exitFailed   = 1 // the work failed
	exitInput    = 2 // the command line or a file of the user's is wrong; nothing was written
	exitDrift    = 3 // --locked, and what is there now differs from slipway.lock
	exitBusy     = 4 // another slipway works in the same folder
	exitCanceled = 130
)

const exitCodeHelp = `Exit codes: 0 done; 1 the work failed; 2 wrong input, nothing written; 3 the lock has drifted;
4 another slipway works in the same folder; 130 interrupted.
With --json, where there is that flag, standard output is one JSON document, of an error {"error", "hints", "exitCode"} and
what was done or found until then.`

// usageError is a wrong command line.
type usageError struct{ error }

func (e usageError) Unwrap() error { return e.error }

// ExitCode makes every usageError exit with 2.
func (usageError) ExitCode() int { return exitInput }

// report prints err for a person, once, and maps it to the exit code. An error of any package chooses its
// code by a method ExitCode() int; all others are exitFailed.
func report(s streams, err error) int {
	if err == nil {
		return exitOK
	}
	if errors.Is(err, context.Canceled) {
		fmt.Fprintln(s.err, "slipway: interrupted")
		return exitCanceled
	}
	fmt.Fprintf(s.err, "slipway: %v\n", err)
	return codeOf(err)
}

// failure is what --json prints of an error.
type failure struct {
	Error string   `json:"error"`
	Hints []string `json:"hints,omitempty"`
	Code  int      `json:"exitCode"`
}

// document is what --json prints, once the verb has ended: what the verb reports, and its failure.
type document struct{ reported any }

// reports is for verbs with --json. What is reported by one that then fails is what it did or found until then.
func (s streams) reports(value any) { s.doc.reported = value }

// print writes the document on a line: of a failure always an object, with what was reported beside it. A list, which is of
// nodes in all verbs, is called nodes there.
func (d document) print(w io.Writer, failed error) error {
	line, err := json.Marshal(d.reported)
	if failed != nil {
		var failure []byte
		failure, err = json.Marshal(failureOf(failed))
		switch line[0] {
		case '[':
			line = append(append([]byte(`{"nodes":`), line...), ',')
		case '{':
			line[len(line)-1] = ','
		default: // null
			line = []byte("{")
		}
		line = append(line, failure[1:]...)
	}
	if err == nil {
		_, err = w.Write(append(line, '\n'))
	}
	if err != nil {
		return fmt.Errorf("writing what --json prints: %w", err)
	}
	return nil
}

// failureOf is err for a program, nil without one.
func failureOf(err error) *failure {
	if err == nil {
		return nil
	}
	if errors.Is(err, context.Canceled) {
		return &failure{Error: "interrupted", Code: exitCanceled}
	}
	f := failure{Code: codeOf(err)}
	var text []string
	within := false // a hint, whose further lines are indented to its words
	for _, line := range strings.Split(strings.TrimSuffix(err.Error(), "\n"), "\n") {
		hint, begins := strings.CutPrefix(line, "hint: ")
		more, goesOn := strings.CutPrefix(line, "      ")
		switch within = begins || within && goesOn; {
		case begins:
			f.Hints = append(f.Hints, hint)
		case within:
			f.Hints[len(f.Hints)-1] += " " + more
		default:
			text = append(text, line)
		}
	}
	f.Error = strings.Join(text, "\n")
	return &f
}

// codeOf is the exit code of an error.
func codeOf(err error) int {
	if errors.Is(err, context.Canceled) {
		return exitCanceled
	}
	var coded interface {
		error
		ExitCode() int
	}
	if !errors.As(err, &coded) {
		return exitFailed
	}
	if _, tool := coded.(*exec.ExitError); tool { // the code of a tool that failed says nothing about us
		return exitFailed
	}
	return coded.ExitCode()
}
