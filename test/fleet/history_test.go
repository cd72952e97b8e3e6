//go:build fleet && chaos

package fleet_test

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"math"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/anishathalye/porcupine"
	clientv3 "go.etcd.io/etcd/client/v3"
	"go.uber.org/zap"
)

// history is what clients did to keys, and what they saw. Each key is a register; a new one is taken up every few seconds, so that
// calls whose outcome nobody knows do not pile up.
type history struct {
	t     *testing.T
	begin time.Time
	quit  context.CancelFunc
	wait  sync.WaitGroup

	mu  sync.Mutex
	ops []porcupine.Operation
}

// call is one operation on a register: a write if there is a value.
type call struct{ key, value string }

const (
	clientsEach = 2 // at each member
	keysAtOnce  = 3
	keyLasts    = 10 * time.Second
	callLimit   = 3 * time.Second
)

// newHistory begins one: clients at every member, each of which asks that member alone.
func newHistory(t *testing.T, f *fleet) *history {
	t.Helper()
	ctx, quit := context.WithCancel(context.Background())
	h := &history{t: t, begin: time.Now(), quit: quit}
	t.Cleanup(h.stop)
	id := 0
	for _, n := range f.with("etcd") {
		for range clientsEach {
			client, err := clientv3.New(clientv3.Config{
				Endpoints: []string{"https://" + net.JoinHostPort(n.address, "2379")}, TLS: f.etcdIdentity(n),
				DialKeepAliveTime: 2 * time.Second, DialKeepAliveTimeout: 2 * time.Second, Logger: zap.NewNop(),
			})
			if err != nil {
				t.Fatal(err)
			}
			h.wait.Go(func() {
				defer client.Close()
				h.work(ctx, id, client)
			})
			id++
		}
	}
	return h
}

// etcdIdentity is a member's own client certificate, as the operator has it.
func (f *fleet) etcdIdentity(n *node) *tls.Config {
	f.t.Helper()
	secrets := filepath.Join(f.dir, "secrets")
	pair, err := tls.LoadX509KeyPair(filepath.Join(secrets, "nodes", n.name, "etcd-client.crt"), filepath.Join(secrets, "nodes", n.name, "etcd-client.key"))
	if err != nil {
		f.fatal(err)
	}
	ca, err := os.ReadFile(filepath.Join(secrets, "etcd-ca.crt"))
	if err != nil {
		f.fatal(err)
	}
	pool := x509.NewCertPool()
	pool.AppendCertsFromPEM(ca)
	return &tls.Config{Certificates: []tls.Certificate{pair}, RootCAs: pool}
}

func (h *history) now() time.Duration { return time.Since(h.begin) }

// stop ends the clients.
func (h *history) stop() {
	h.quit()
	h.wait.Wait()
}

// work writes and reads in turn until the end.
func (h *history) work(ctx context.Context, id int, client *clientv3.Client) {
	for i := 0; ctx.Err() == nil; i++ {
		c := call{key: fmt.Sprintf("chaos/%d/%d", h.now()/keyLasts, (i/2+id)%keysAtOnce)}
		if i%2 == 0 {
			c.value = fmt.Sprintf("%d-%d", id, i)
		}
		h.do(ctx, id, client, c)
		select {
		case <-ctx.Done():
		case <-time.After(100 * time.Millisecond):
		}
	}
}

// do makes one call. A read that failed saw nothing; a write that failed may take effect at any time.
func (h *history) do(ctx context.Context, id int, client *clientv3.Client, c call) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), callLimit)
	defer cancel()
	op := porcupine.Operation{ClientId: id, Input: c, Call: int64(h.now())}
	var err error
	if c.value != "" {
		_, err = client.Put(ctx, c.key, c.value)
	} else {
		var got *clientv3.GetResponse
		if got, err = client.Get(ctx, c.key); err == nil {
			saw := ""
			if len(got.Kvs) > 0 {
				saw = string(got.Kvs[0].Value)
			}
			op.Output = saw
		}
	}
	op.Return = int64(h.now())
	if err != nil {
		if c.value == "" {
			return
		}
		op.Return = math.MaxInt64
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	h.ops = append(h.ops, op)
}

// register is what one key ought to be (porcupine's model: https://github.com/anishathalye/porcupine).
var register = porcupine.Model{
	Partition: func(all []porcupine.Operation) [][]porcupine.Operation {
		byKey := map[string][]porcupine.Operation{}
		for _, op := range all {
			key := op.Input.(call).key
			byKey[key] = append(byKey[key], op)
		}
		var parts [][]porcupine.Operation
		for _, part := range byKey {
			parts = append(parts, part)
		}
		return parts
	},
	Init: func() any { return "" },
	Step: func(state, input, output any) (bool, any) {
		if c := input.(call); c.value != "" {
			return true, c.value
		}
		return state == output, state
	},
	DescribeOperation: func(input, output any) string {
		if c := input.(call); c.value != "" {
			return "put " + c.key + " " + c.value
		}
		return "get " + input.(call).key + " = " + strconv.Quote(output.(string))
	},
}

// check judges the history, and leaves a picture of one that cannot be.
func (h *history) check() {
	h.t.Helper()
	done := 0
	for _, op := range h.ops {
		if op.Return != math.MaxInt64 {
			done++
		}
	}
	h.t.Logf("%d calls, %d of them with an unknown outcome", len(h.ops), len(h.ops)-done)
	if done < 100 {
		h.t.Errorf("only %d calls were answered", done)
	}
	switch result, info := porcupine.CheckOperationsVerbose(register, h.ops, 2*time.Minute); result {
	case porcupine.Illegal:
		picture := filepath.Join(h.t.TempDir(), "history.html")
		h.t.Errorf("the history is not linearizable; picture: %s, %v", picture, porcupine.VisualizePath(register, info, picture))
	case porcupine.Unknown:
		h.t.Error("the history could not be judged within two minutes")
	}
}

// TestHistoryCanFail: a read of what was overwritten before it began is no history of a register; one beside the write is.
func TestHistoryCanFail(t *testing.T) {
	for want, read := range map[porcupine.CheckResult][2]int64{porcupine.Illegal: {5, 6}, porcupine.Ok: {3, 6}} {
		ops := []porcupine.Operation{
			{ClientId: 0, Input: call{"k", "old"}, Call: 0, Return: 1},
			{ClientId: 0, Input: call{"k", "new"}, Call: 2, Return: 4},
			{ClientId: 1, Input: call{"k", ""}, Output: "old", Call: read[0], Return: read[1]},
		}
		if got := porcupine.CheckOperationsTimeout(register, ops, time.Minute); got != want {
			t.Errorf("reading at %v is %s, want %s", read, got, want)
		}
	}
}
