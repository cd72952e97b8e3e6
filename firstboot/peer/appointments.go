package peer

import (
	"net/http"
	"strconv"
	"sync"
	"time"
)

// Nodes that no config names are many, and call for as long as they live. Each is told when it is expected again, so that all of them
// together call a node at a bounded rate, one after the other, however many they are.
const (
	apart   = 50 * time.Millisecond // between two of them
	longest = 10 * time.Minute      // until the next call of anybody
)

// appointments are for one kind of calls. What is past costs nobody a wait, so those of nodes that are gone are used up in time.
type appointments struct {
	mu   sync.Mutex
	last time.Time
}

// next gives the next one that is free, as the time until then.
func (a *appointments) next(now time.Time) time.Duration {
	a.mu.Lock()
	defer a.mu.Unlock()
	next := a.last.Add(apart)
	if next.Before(now) {
		next = now
	}
	if end := now.Add(longest); next.After(end) {
		next = end
	}
	a.last = next
	return next.Sub(now)
}

// againHeader is HTTP's own (RFC 9110, section 10.2.3), in whole seconds.
const againHeader = "Retry-After"

func sayAgain(w http.ResponseWriter, again time.Duration) {
	if again > 0 {
		w.Header().Set(againHeader, strconv.Itoa(int((again+time.Second-1)/time.Second)))
	}
}

// againOf is what an answer says; nonsense is nothing.
func againOf(resp *http.Response) time.Duration {
	seconds, err := strconv.Atoi(resp.Header.Get(againHeader))
	if err != nil || seconds < 0 {
		return 0
	}
	return min(time.Duration(min(seconds, 3600))*time.Second, longest)
}
