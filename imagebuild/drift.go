package imagebuild

import (
	"fmt"
	"maps"
	"path/filepath"
	"slices"
	"strings"
)

// DriftError: what is there now is not what the lock says.
type DriftError struct {
	Lines []string
	Hint  string
}

func (e *DriftError) Error() string {
	return "the build has drifted from " + LockName + ":\n  " + strings.Join(e.Lines, "\n  ") + "\nhint: " + e.Hint
}

// ExitCode is the documented code for drift.
func (*DriftError) ExitCode() int { return 3 }

// acceptHint is the way out of drift that --locked refuses.
const acceptHint = "build without --locked to accept the change, and commit the new lock"

// change is one difference between a locked payload and what is there now.
type change struct {
	payload string
	text    string
	unasked bool // one origin gave two results: nobody asked for that
}

func (c change) String() string { return "payload " + c.payload + c.text }

// payloadChanges compares two payload lists, a line each for a person.
func payloadChanges(locked, now []LockedPayload) []change {
	was := byName(locked)
	var out []change
	for _, p := range now {
		old, ok := was[p.Name]
		delete(was, p.Name)
		switch {
		case !ok:
			out = append(out, change{payload: p.Name, text: fmt.Sprintf(" %s: not in the lock", p.Version)})
		case old.Origin != p.Origin:
			out = append(out, change{payload: p.Name, text: fmt.Sprintf(": locked %s, now %s", old.Origin, p.Origin)})
		default:
			out = append(out, contentChanges(old, p)...)
		}
	}
	for name := range was {
		out = append(out, change{payload: name, text: ": locked, but no longer part of the image"})
	}
	slices.SortFunc(out, func(a, b change) int { return strings.Compare(a.String(), b.String()) })
	return out
}

func byName(payloads []LockedPayload) map[string]LockedPayload {
	out := map[string]LockedPayload{}
	for _, p := range payloads {
		out[p.Name] = p
	}
	return out
}

// contentChanges compares two results of one origin.
func contentChanges(old, now LockedPayload) []change {
	var out []change
	add := func(unasked bool, format string, args ...any) {
		out = append(out, change{payload: now.Name, text: fmt.Sprintf(format, args...), unasked: unasked})
	}
	each(old.Files, now.Files, func(path, was, is string) {
		switch {
		case was == "":
			add(false, ": %s is not in the lock", path)
		case is == "":
			add(false, ": %s is locked, but no longer part of it", path)
		default:
			add(true, ": %s was sha256 %.12s, now %.12s", filepath.Base(path), was, is)
		}
	})
	if len(old.Modules) == 0 && len(now.Modules) > 0 {
		add(false, ": its %d modules are not in the lock", len(now.Modules))
		return out
	}
	each(old.Modules, now.Modules, func(at, was, is string) {
		switch {
		case was == "":
			add(true, ": module %s is not in the lock", at)
		case is == "":
			add(true, ": module %s is locked, but no longer part of it", at)
		default:
			add(true, ": the checksum of module %s was %s, now %s", at, was, is)
		}
	})
	return out
}

// each calls f for every key whose values differ.
func each(old, now map[string]string, f func(key, was, is string)) {
	all := maps.Clone(now)
	if all == nil {
		all = map[string]string{}
	}
	for key := range old {
		all[key] = now[key]
	}
	for key, is := range all {
		if was := old[key]; was != is {
			f(key, was, is)
		}
	}
}

// texts are the changes for a person.
func texts(changes []change) []string {
	var out []string
	for _, c := range changes {
		out = append(out, c.String())
	}
	return out
}
