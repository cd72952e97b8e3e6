package distro

import (
	"fmt"
	"maps"
	"slices"
	"time"
)

// OldError: a mirror has metadata older than what a lock was made from: it hides what came since, security updates above all.
type OldError struct {
	Archive, Mirror string
	Locked, Now     time.Time
}

func (e *OldError) Error() string {
	return fmt.Sprintf("reading the package indexes of %s: those of %s are of %s, and older than those that slipway.lock was made from, of %s\n"+
		"hint: this mirror is behind, or somebody holds it back: take another one. Whoever wants the packages of that day removes slipway.lock",
		e.Mirror, e.Archive, e.Now.UTC().Format(time.RFC3339), e.Locked.UTC().Format(time.RFC3339))
}

// CheckAge refuses archives whose metadata was made before what was seen of them earlier. deliberate says of a mirror that it
// is of an earlier day and meant to be.
func CheckAge(seen, now map[string]time.Time, m Mirrors, deliberate func(mirror string) bool) error {
	for _, archive := range slices.Sorted(maps.Keys(now)) {
		if before, ok := seen[archive]; ok && now[archive].Before(before) && !deliberate(m[archive]) {
			return &OldError{Archive: archive, Mirror: m[archive], Locked: before, Now: now[archive]}
		}
	}
	return nil
}
