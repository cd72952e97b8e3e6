package firstboot

import (
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
)

// TestTogether: all is done, as much of it side by side as there are places and no more, and what goes wrong with one is no reason to
// leave out others.
func TestTogether(t *testing.T) {
	var mu sync.Mutex
	now, most, done := 0, 0, 0
	full := make(chan struct{})
	err := together([]int{0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19}, func(i int) error {
		mu.Lock()
		if now++; now > most {
			most = now
		}
		if now == sideBySide && done == 0 {
			close(full) // the first of them wait for the others
		}
		mu.Unlock()
		<-full
		mu.Lock()
		defer mu.Unlock()
		now--
		done++
		if i%10 == 0 {
			return fmt.Errorf("number %d", i)
		}
		return nil
	})
	if most != sideBySide || done != 20 || err == nil || strings.Join(strings.Split(err.Error(), "\n"), ", ") != "number 0, number 10" {
		t.Errorf("%d side by side, %d done, %v", most, done, err)
	}
	broken := errors.New("broken")
	if err := together([]int{1}, func(int) error { return broken }); err != broken {
		t.Errorf("of one: %v", err)
	}
	if err := together(nil, func(int) error { return broken }); err != nil {
		t.Errorf("of none: %v", err)
	}
}
