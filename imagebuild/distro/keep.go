package distro

import (
	"slices"
	"strings"
)

// Keep picks the locked packages whose versions must stay when a lock for one request is made anew for another: all, but
// for those named in update and those of which something else is asked now. What was built from one source package is
// updated as one. Nothing of another release or architecture is kept.
func Keep(was, now Request, locked []Package, update []string) []Package {
	if was.Name != now.Name || was.Release != now.Release || was.Architecture != now.Architecture {
		return nil
	}
	free := map[string]bool{}
	for _, name := range update {
		free[name] = true
	}
	gone := changed(was.asked(), now.asked(), free)
	sources := map[string]bool{}
	for _, p := range locked {
		if free[p.Name] {
			sources[p.source()] = true
		}
	}
	return slices.DeleteFunc(slices.Clone(locked), func(p Package) bool {
		return free[p.Name] || sources[p.source()] || gone[p.Archive]
	})
}

// changed adds to free what is asked for in another way than before, and returns the archives that were named for it.
func changed(was, now map[string]string, free map[string]bool) (archives map[string]bool) {
	archives = map[string]bool{}
	for name, archive := range was {
		if to, ok := now[name]; ok && to == archive {
			continue
		} else if ok {
			free[name] = true
		}
		if archive != "" {
			archives[archive] = true
		}
	}
	return archives
}

// asked are the packages asked for by name, and the archive that is named with each.
func (r Request) asked() map[string]string {
	out := map[string]string{}
	for _, text := range append(slices.Clone(r.Packages), r.Kernel) {
		name, archive, _ := strings.Cut(text, "/")
		out[name] = archive
	}
	return out
}

func (p Package) source() string {
	if p.Source != "" {
		return p.Source
	}
	return p.Name
}

// Changes says how two requests differ, a line each for a person.
func Changes(was, now Request) []string {
	if was.Name != now.Name {
		return []string{"distribution: locked " + orNone(was.Name) + ", now " + now.Name}
	}
	var out []string
	for _, f := range []struct{ what, was, now string }{
		{"release", was.Release, now.Release},
		{"architecture", was.Architecture, now.Architecture}, {"kernel", was.Kernel, now.Kernel},
	} {
		if f.was != f.now {
			out = append(out, f.what+": locked "+f.was+", now "+f.now)
		}
	}
	for _, name := range now.Packages {
		if !slices.Contains(was.Packages, name) {
			out = append(out, "package "+name+": not in the lock")
		}
	}
	for _, name := range was.Packages {
		if !slices.Contains(now.Packages, name) {
			out = append(out, "package "+name+": locked, but no longer asked for")
		}
	}
	return out
}

func orNone(text string) string {
	if text == "" {
		return "none"
	}
	return text
}
