package kube

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"
)

func serve(t *testing.T, handler http.HandlerFunc) *Client {
	t.Helper()
	server := httptest.NewTLSServer(handler)
	t.Cleanup(server.Close)
	return &Client{Base: server.URL, HTTP: server.Client()}
}

// TestApply: the wire form of a server-side apply.
func TestApply(t *testing.T) {
	c := serve(t, func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		got := fmt.Sprint(r.Method, " ", r.URL, " ", r.Header.Get("Content-Type"), " ", string(body))
		want := `PATCH /api/v1/x/system:y?fieldManager=slipwayd&force=true application/apply-patch+yaml {"kind":"X"}`
		if got != want {
			t.Errorf("%s, want %s", got, want)
		}
		fmt.Fprintln(w, "{}")
	})
	if err := c.Apply(context.Background(), "/api/v1/x/system:y", []byte(`{"kind":"X"}`)); err != nil {
		t.Error(err)
	}
}

func TestErrors(t *testing.T) {
	for _, test := range []struct {
		code       int
		body, want string
	}{
		{404, `{"kind":"Status","message":"nodes \"n1\" not found"}`, `404 Not Found: nodes "n1" not found`},
		{500, "[+]ping ok\n[-]etcd failed: reason withheld\n[-]poststarthook/rbac failed: not finished\nreadyz check failed\n",
			"500 Internal Server Error: etcd failed; poststarthook/rbac failed: not finished"},
		{503, "apiserver is shutting down\nmore\n", "503 Service Unavailable: apiserver is shutting down"},
	} {
		c := serve(t, func(w http.ResponseWriter, _ *http.Request) { http.Error(w, test.body, test.code) })
		_, err := c.Text(context.Background(), "/readyz")
		if err == nil || err.Error() != test.want || NotFound(err) != (test.code == 404) {
			t.Errorf("error %v, want %s", err, test.want)
		}
	}
	gone := &Client{Base: "https://127.0.0.1:1", HTTP: http.DefaultClient}
	if _, err := gone.Text(context.Background(), "/"); err == nil || err.Error() != "dial tcp 127.0.0.1:1: connect: connection refused" {
		t.Errorf("error %v", err)
	}
}

// TestWatch: list, watch from there, approve what comes.
func TestWatch(t *testing.T) {
	var approved CSR
	c := serve(t, func(w http.ResponseWriter, r *http.Request) {
		query := r.URL.Query()
		if r.Method != http.MethodPut && query.Get("fieldSelector") != "spec.signerName=kubernetes.io/kubelet-serving" {
			t.Errorf("asked for %s", r.URL)
		}
		switch {
		case r.Method == http.MethodPut && r.URL.Path == csrPath+"/b/approval":
			json.NewDecoder(r.Body).Decode(&approved)
			fmt.Fprintln(w, "{}")
		case query.Get("watch") == "true" && query.Get("resourceVersion") == "7":
			fmt.Fprintln(w, `{"type":"BOOKMARK","object":{"metadata":{"resourceVersion":"8"}}}`)
			fmt.Fprintln(w, `{"type":"ADDED","object":{"metadata":{"name":"bad"},"spec":{"usages":7}}}`)
			fmt.Fprintln(w, `{"type":"ADDED","object":{"metadata":{"name":"b","uid":"2"},"spec":{"request":"YQ==","signerName":"s"}}}`)
			fmt.Fprintln(w, `{"type":"DELETED","object":{"metadata":{"name":"b","uid":"2"},"spec":{"request":"YQ=="}}}`)
			fmt.Fprintln(w, `{"type":"ERROR","object":{"code":410,"message":"too old"}}`)
		default:
			fmt.Fprintln(w, `{"metadata":{"resourceVersion":"7"},"items":[{"metadata":{"name":"a"},"spec":{"request":null,"signerName":"s"},"status":{"conditions":[{"type":"Approved","status":"True"}]}}]}`)
		}
	})
	ctx := context.Background()
	var all []CSR
	version, err := c.EachCSR(ctx, func(csr CSR, _ error) { all = append(all, csr) })
	if err != nil || version != "7" || len(all) != 1 || all[0].Pending() {
		t.Fatalf("listed %+v at %s, %v", all, version, err)
	}
	var gone []string
	err = c.WatchCSRs(ctx, version, func(csr CSR, unread error) {
		if unread != nil {
			if csr.Metadata.Name != "bad" {
				t.Errorf("unread: %+v, %v", csr, unread)
			}
			return
		}
		if err := c.Approve(ctx, csr, "because", time.Date(2026, 6, 1, 0, 0, 0, 0, time.UTC)); err != nil {
			t.Error(err)
		}
	}, func(uid string) { gone = append(gone, uid) })
	if !slices.Equal(gone, []string{"2"}) {
		t.Errorf("gone are %q", gone)
	}
	if err == nil || !strings.Contains(err.Error(), "too old") {
		t.Errorf("the watch ended with %v", err)
	}
	if approved.Metadata.UID != "2" || string(approved.Spec.Request) != "a" || approved.Kind != "CertificateSigningRequest" ||
		len(approved.Status.Conditions) != 1 || approved.Status.Conditions[0].Type != "Approved" {
		t.Errorf("approved %+v", approved)
	}
}

// TestLongList: a list of many megabytes comes page by page, with one bad request that stops none of the others, and
// takes no memory that grows with it.
func TestLongList(t *testing.T) {
	const pages, padding = 20, 1 << 20
	c := serve(t, func(w http.ResponseWriter, r *http.Request) {
		query := r.URL.Query()
		page, _ := strconv.Atoi(query.Get("continue"))
		if query.Get("limit") != "500" {
			t.Errorf("asked for %s", r.URL)
		}
		next := ""
		if page+1 < pages {
			next = strconv.Itoa(page + 1)
		}
		fmt.Fprintf(w, `{"kind":"CertificateSigningRequestList","items":[{"metadata":{"name":"a%d"},"spec":{"request":%q}},`, page, strings.Repeat("A", padding))
		fmt.Fprintf(w, `{"metadata":{"name":"bad%d"},"spec":{"request":"not base64!"}},{"metadata":{"name":"z%d"}}],"metadata":{"resourceVersion":"9","continue":%q}}`, page, page, next)
	})
	read, bad, most := 0, 0, uint64(0)
	version, err := c.EachCSR(context.Background(), func(csr CSR, err error) {
		if strings.HasPrefix(csr.Metadata.Name, "bad") != (err != nil) {
			t.Errorf("%s: %v", csr.Metadata.Name, err)
		}
		if err != nil {
			bad++
		}
		read++
		runtime.GC()
		var m runtime.MemStats
		runtime.ReadMemStats(&m)
		most = max(most, m.HeapAlloc)
	})
	if err != nil || version != "9" || read != 3*pages || bad != pages {
		t.Errorf("read %d, %d of them bad, at %q, %v", read, bad, version, err)
	}
	if most > 16*padding {
		t.Errorf("%d MiB in use for a list of %d MiB", most>>20, pages*padding>>20)
	}
}

// TestBrokenList: half a list is no list.
func TestBrokenList(t *testing.T) {
	for text, want := range map[string]string{
		``: "EOF", `[]`: "begins with [", `{"items":7}`: "items is 7", `{"items":[{}`: "EOF", `{"items":null,"metadata":{"resourceVersion":"3"}`: "EOF",
	} {
		c := serve(t, func(w http.ResponseWriter, _ *http.Request) { io.WriteString(w, text) })
		if _, err := c.EachCSR(context.Background(), func(CSR, error) {}); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %q", text, err, want)
		}
	}
	c := serve(t, func(w http.ResponseWriter, _ *http.Request) {
		io.WriteString(w, `{"items":null,"metadata":{"resourceVersion":"3"}}`)
	})
	if version, err := c.EachCSR(context.Background(), func(CSR, error) {}); err != nil || version != "3" {
		t.Errorf("an empty list: %q, %v", version, err)
	}
}
