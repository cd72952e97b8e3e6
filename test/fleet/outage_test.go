//go:build fleet

package fleet_test

import (
	"context"
	"crypto/tls"
	"fmt"
	"io"
	"net"
	"net/http"
	"sync"
	"time"
)

// answers asks for /readyz at the VIP over a connection of its own, as a new client does.
func (f *fleet) answers() error { return ready(net.JoinHostPort(f.vip, "8443")) }

// ready asks whoever listens at an address whether it is ready.
func ready(address string) error {
	client := http.Client{Timeout: 400 * time.Millisecond, Transport: &http.Transport{
		DisableKeepAlives: true, TLSClientConfig: &tls.Config{InsecureSkipVerify: true}, // kubectl looks at certificates elsewhere
	}}
	r, err := client.Get("https://" + address + "/readyz")
	if err != nil {
		return err
	}
	defer r.Body.Close()
	if _, err := io.Copy(io.Discard, r.Body); err != nil {
		return err
	}
	if r.StatusCode != http.StatusOK {
		return fmt.Errorf("the API server says %s", r.Status)
	}
	return nil
}

// outage is the longest time without an answer at the VIP from the beginning of what happens until 5 s of answers after it.
func (f *fleet) outage(happens func()) time.Duration {
	f.t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	var watch sync.WaitGroup
	var mu sync.Mutex
	good, worst := time.Now(), time.Duration(0) // the last answer, and the longest time until the next
	var why error
	watch.Go(func() {
		for ctx.Err() == nil {
			began, err := time.Now(), f.answers()
			mu.Lock()
			if err != nil {
				why = err
			} else {
				worst, good = max(worst, time.Since(good)), began
			}
			mu.Unlock()
			time.Sleep(20 * time.Millisecond)
		}
	})
	defer watch.Wait()
	defer cancel()
	happens()
	for since := time.Now(); ; time.Sleep(100 * time.Millisecond) {
		mu.Lock()
		last, longest, err := good, worst, why
		mu.Unlock()
		if time.Since(last) > time.Minute {
			f.fatalf("no answer at the VIP any more: %v", err)
		}
		if time.Since(since) > 5*time.Second && time.Since(last) < time.Second {
			return longest
		}
		if time.Since(last) > time.Second {
			since = time.Now()
		}
	}
}
