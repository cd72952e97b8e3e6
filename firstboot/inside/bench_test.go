package inside

import (
	"io"
	"strings"
	"testing"
)

// BenchmarkRedact is the cost of the filter for a line of etcd's.
func BenchmarkRedact(b *testing.B) {
	files := map[string]string{}
	for i := range 20 {
		files["/etc/slipway/pki/"+string(rune('a'+i))+".key"] = newKey(b)
	}
	n, _ := newNode(files, nil)
	text := []byte(strings.Repeat(`2026-06-01T12:00:00+0000 etcd[412]: {"level":"info","ts":"2026-06-01T12:00:00.000001Z","caller":"etcdserver/server.go:1","msg":"finished scheduled compaction","compact-revision":12345,"took":"1.2ms"}`+"\n", 100))
	b.SetBytes(int64(len(text)))
	r := n.redactor(io.Discard)
	for b.Loop() {
		r.Write(text)
	}
}
