//go:build fleet && bench

package fleet_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"
)

// scaleLimit is for what is waited for here: a benchmark asserts no times.
const scaleLimit = 20 * time.Minute

// TestBenchScale joins workers without machines to a real control plane, a few hundred that come one after the other and live on, and then
// thousands that come as fast as they are taken, and prints what that costs slipwayd there.
func TestBenchScale(t *testing.T) {
	t.Run("500", func(t *testing.T) { benchScale(t, 500, 20) })
	t.Run("5000", func(t *testing.T) { benchScale(t, 5000, 0) })
}

// benchScale lets workers come, so many a second, and live. Without a number they come at once, and do no more.
func benchScale(t *testing.T, many, second int) {
	live := second > 0
	f := newFleet(t, "testdata/scale.yaml")
	f.Start()
	f.Wait(formLimit, "the control plane serves", f.formed)
	alone := f.slipwaydDuring("cp1", time.Minute)
	nodes, admin := f.simulate(many)

	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	began, before := time.Now(), f.slipwayd("cp1")
	approvals := watchApprovals(ctx, admin)
	waited := f.joinAll(ctx, nodes, approvals, second)
	approved := time.Since(began)
	f.Wait(scaleLimit, "all entries are kept", func() error { return admin.count("/api/v1/namespaces/slipway-nodes/configmaps", "", many) })
	f.Wait(scaleLimit, "all nodes are labelled", func() error {
		return admin.count("/api/v1/nodes", "node-role.kubernetes.io/worker", many+1)
	})
	settled, busy := time.Since(began), f.slipwayd("cp1").since(before)

	how := fmt.Sprintf("%d at a time", atATime)
	if live {
		how = fmt.Sprintf("%d a second", second)
	}
	fmt.Printf("\n| %d nodes, %s | | goal |\n|---|---|---|\n", many, how)
	row := func(what, value, goal string) { fmt.Printf("| %s | %s | %s |\n", what, value, goal) }
	row("all approved", seconds(approved), "")
	row("all entries kept, all nodes labelled", seconds(settled), "")
	row("from request to approval: median, 99 of 100, longest", fmt.Sprintf("%s, %s, %s", seconds(waited[len(waited)/2]), seconds(waited[len(waited)*99/100]), seconds(waited[len(waited)-1])), "2 s")
	row("slipwayd meanwhile, of a core; the programs that it ran", busy.shares(), "")
	if live {
		time.Sleep(2 * calm)
		asked := heard.Load()
		calls := f.slipwaydDuring("cp1", 2*time.Minute)
		row("slipwayd while they live and nothing happens; the programs that it ran", calls.shares(), "1 %")
		row("calls that it hears then", fmt.Sprintf("%.1f a second", float64(heard.Load()-asked)/calls.took.Seconds()), "")
	}
	row("slipwayd alone, while nothing happens; the programs that it ran", alone.shares(), "1 %")
	row("slipwayd's memory at most", fmt.Sprintf("%.0f MiB", f.slipwayd("cp1").peak), "64 MiB")
	row("its entries, nodes and requests in the API", fmt.Sprintf("%s, %s, %s", admin.size("/api/v1/namespaces/slipway-nodes/configmaps"), admin.size("/api/v1/nodes"), admin.size(requestsPath)), "")
}

func seconds(d time.Duration) string { return fmt.Sprintf("%.2f s", d.Seconds()) }

// simulate makes configs of workers beside the control plane's, whose own does not change, and the addresses from which they call.
func (f *fleet) simulate(many int) ([]*simulated, *apiClient) {
	f.t.Helper()
	text, err := os.ReadFile(f.spec)
	if err != nil {
		f.fatal(err)
	}
	for i := range many {
		text = fmt.Appendf(text, "    - {name: worker-%d, roles: [worker], address: 10.99.%d.%d/16}\n", i+1, 16+i/250, 1+i%250)
	}
	dir := filepath.Join(f.dir, "simulated")
	if err := os.WriteFile(f.spec, text, 0o644); err != nil {
		f.fatal(err)
	}
	began := time.Now()
	must(f.t, f.image.slipway(), "ignition", "-f", f.spec, "--secrets", filepath.Join(f.dir, "secrets"), "-o", dir)
	f.t.Logf("configs of %d nodes made in %v", many, time.Since(began).Round(time.Second/10))
	// Every address of theirs is this machine's, without a card that has it. The control plane is told so for good: how many neighbours
	// a kernel remembers is the host's here, and the image's on a node.
	must(f.t, "ip", "route", "add", "local", "10.99.16.0/20", "dev", "lo")
	must(f.t, "ip", "route", "add", "local", "10.99.32.0/20", "dev", "lo")
	f.t.Cleanup(func() {
		must(f.t, "ip", "route", "del", "local", "10.99.16.0/20", "dev", "lo")
		must(f.t, "ip", "route", "del", "local", "10.99.32.0/20", "dev", "lo")
	})
	card, err := exec.Command("ip", "-br", "link", "show", bridge).Output() // name, state, address ...
	if err != nil {
		f.fatal(err)
	}
	f.mustIn("cp1", fmt.Sprintf("for i in $(seq 0 %d); do echo neigh replace 10.99.$((16 + i / 250)).$((1 + i %% 250)) lladdr %s dev eth0 nud permanent; done | ip -batch -", many-1, strings.Fields(string(card))[2]))

	id := f.cluster()
	var nodes []*simulated
	for i := range many {
		s, err := simulate(filepath.Join(dir, fmt.Sprintf("%s.worker-%d.ign", id, i+1)))
		if err != nil {
			f.fatal(err)
		}
		nodes = append(nodes, s)
	}
	files, err := filesOf(filepath.Join(f.dir, id+".cp1.ign"))
	if err != nil {
		f.fatal(err)
	}
	by, err := (&simulated{name: "admin"}).client(files, "slipwayd-admin", "ca", nodes[0].plane.String(), false)
	if err != nil {
		f.fatal(err)
	}
	by.Timeout = 0 // it watches
	return nodes, &apiClient{t: f.t, by: by, url: "https://" + nodes[0].plane.String() + ":6443"}
}

// atATime is how many simulated nodes join at the same time, and joinLimit how long one may take.
const (
	atATime   = 500
	joinLimit = 5 * time.Minute
)

// joinAll lets all nodes join, so many a second, and go on until the context ends, or all at once, and no more. It gives how long each
// waited for its certificate to be approved, the shortest first.
func (f *fleet) joinAll(ctx context.Context, nodes []*simulated, approvals *approvals, second int) []time.Duration {
	f.t.Helper()
	live := second > 0
	places := make(chan struct{}, atATime)
	var mu sync.Mutex
	var errs []error
	var waited []time.Duration
	var wait sync.WaitGroup
	for _, s := range nodes {
		places <- struct{}{}
		if live {
			time.Sleep(time.Second / time.Duration(second))
		}
		wait.Go(func() {
			defer func() { <-places }()
			soon, cancel := context.WithTimeout(ctx, joinLimit)
			defer cancel()
			request, asked, err := s.join(soon)
			var at time.Time
			if err == nil {
				at, err = approvals.await(soon, request)
			}
			mu.Lock()
			defer mu.Unlock()
			if err != nil {
				errs = append(errs, fmt.Errorf("%s: %w", s.name, err))
				return
			}
			waited = append(waited, max(0, at.Sub(asked)))
			if live {
				go s.live(ctx)
			} else {
				s.api.CloseIdleConnections()
			}
		})
	}
	wait.Wait()
	if len(errs) > 0 {
		f.fatalf("%d nodes did not join, the first of them: %v", len(errs), errs[0])
	}
	slices.Sort(waited)
	return waited
}

// apiClient asks the API server as its administrator.
type apiClient struct {
	t   *testing.T
	by  *http.Client
	url string
}

const requestsPath = "/apis/certificates.k8s.io/v1/certificatesigningrequests"

// count demands so many objects with a label.
func (a *apiClient) count(path, label string, want int) error {
	var list struct {
		Metadata struct{ RemainingItemCount int }
		Items    []json.RawMessage
	}
	_, err := ask(a.t.Context(), a.by, http.MethodGet, a.url+path+"?labelSelector="+label, map[string]string{"Accept": "application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1"}, nil, &list)
	if got := len(list.Items); err == nil && got < want {
		err = fmt.Errorf("%d of %d in %s", got, want, path)
	}
	return err
}

// size is that of a list as JSON.
func (a *apiClient) size(path string) string {
	a.t.Helper()
	var list json.RawMessage
	if _, err := ask(a.t.Context(), a.by, http.MethodGet, a.url+path, nil, nil, &list); err != nil {
		a.t.Fatal(err)
	}
	return fmt.Sprintf("%.1f MB", float64(len(list))/1e6)
}

// approvals are the moments in which the API server told of approvals, by request.
type approvals struct {
	mu sync.Mutex
	at map[string]time.Time
	by map[string]chan struct{}
}

// watchApprovals takes them down until the context ends. The API server ends a watch that it finds too slow: the next one begins with all
// that there is.
func watchApprovals(ctx context.Context, a *apiClient) *approvals {
	all := &approvals{at: map[string]time.Time{}, by: map[string]chan struct{}{}}
	go func() {
		for ctx.Err() == nil {
			if err := a.follow(ctx, requestsPath, all.event); err != nil && ctx.Err() == nil {
				a.t.Logf("watching approvals: %v", err)
				time.Sleep(time.Second)
			}
		}
	}()
	return all
}

// follow calls handle with the events of a watch until the server ends it.
func (a *apiClient) follow(ctx context.Context, path string, handle func(*json.Decoder) error) error {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, a.url+path+"?watch=true", nil)
	if err != nil {
		return err
	}
	resp, err := a.by.Do(req)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	events := json.NewDecoder(resp.Body)
	for err == nil {
		err = handle(events)
	}
	if errors.Is(err, io.EOF) {
		return nil
	}
	return err
}

func (a *approvals) event(events *json.Decoder) error {
	var e struct {
		Object struct {
			Metadata struct{ Name string }
			Status   struct{ Conditions []struct{ Type string } }
		}
	}
	if err := events.Decode(&e); err != nil {
		return err
	}
	if c := e.Object.Status.Conditions; len(c) > 0 && c[0].Type == "Approved" {
		a.note(e.Object.Metadata.Name, time.Now())
	}
	return nil
}

func (a *approvals) note(name string, at time.Time) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if _, known := a.at[name]; known {
		return
	}
	a.at[name] = at
	if waits, ok := a.by[name]; ok {
		close(waits)
	}
}

// await is when a request was approved.
func (a *approvals) await(ctx context.Context, name string) (time.Time, error) {
	a.mu.Lock()
	if at, known := a.at[name]; known {
		a.mu.Unlock()
		return at, nil
	}
	waits := make(chan struct{})
	a.by[name] = waits
	a.mu.Unlock()
	select {
	case <-waits:
		a.mu.Lock()
		defer a.mu.Unlock()
		return a.at[name], nil
	case <-ctx.Done():
		return time.Time{}, fmt.Errorf("nobody has approved %s: %w", name, ctx.Err())
	}
}

// cost is what slipwayd has taken on a node.
type cost struct {
	at            time.Time
	own, programs float64       // seconds of a processor; those of programs that it has run
	now, peak     float64       // MiB
	took          time.Duration // of a difference
}

// slipwayd is what it has taken since it started: proc(5).
func (f *fleet) slipwayd(name string) cost {
	f.t.Helper()
	said := f.mustIn(name, "p=/proc/$(systemctl show -P MainPID slipwayd.service); cut -d' ' -f14-17 $p/stat; awk '/^Vm(RSS|HWM)/ { print $2 }' $p/status")
	var n []float64
	for _, field := range strings.Fields(said) {
		x, err := strconv.ParseFloat(field, 64)
		if err != nil {
			f.fatal(err)
		}
		n = append(n, x)
	}
	const hundredths, kib = 100, 1024
	return cost{at: time.Now(), own: (n[0] + n[1]) / hundredths, programs: (n[2] + n[3]) / hundredths, peak: n[4] / kib, now: n[5] / kib}
}

func (c cost) since(before cost) cost {
	c.own, c.programs, c.took = c.own-before.own, c.programs-before.programs, c.at.Sub(before.at)
	return c
}

// shares are percents of a core.
func (c cost) shares() string {
	return fmt.Sprintf("%.2f %%; %.2f %%", 100*c.own/c.took.Seconds(), 100*c.programs/c.took.Seconds())
}

// slipwaydDuring is what it takes in a time in which nothing happens, once what was to be done before is done.
func (f *fleet) slipwaydDuring(name string, d time.Duration) cost {
	f.t.Helper()
	time.Sleep(calm)
	before := f.slipwayd(name)
	time.Sleep(d)
	return f.slipwayd(name).since(before)
}
