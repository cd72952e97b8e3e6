package kube

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
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
			fmt.Fprintln(w, `{"type":"ADDED","object":{"metadata":{"name":"b","uid":"2"},"spec":{"request":"YQ==","signerName":"s"}}}`)
			fmt.Fprintln(w, `{"type":"ERROR","object":{"code":410,"message":"too old"}}`)
		default:
			fmt.Fprintln(w, `{"metadata":{"resourceVersion":"7"},"items":[{"metadata":{"name":"a"},"spec":{"request":null,"signerName":"s"},"status":{"conditions":[{"type":"Approved","status":"True"}]}}]}`)
		}
	})
	ctx := context.Background()
	all, version, err := c.ListCSRs(ctx)
	if err != nil || version != "7" || len(all) != 1 || all[0].Pending() {
		t.Fatalf("listed %+v at %s, %v", all, version, err)
	}
	err = c.WatchCSRs(ctx, version, func(csr CSR) error {
		return c.Approve(ctx, csr, "because", time.Date(2026, 6, 1, 0, 0, 0, 0, time.UTC))
	})
	if err == nil || !strings.Contains(err.Error(), "too old") {
		t.Errorf("the watch ended with %v", err)
	}
	if approved.Metadata.UID != "2" || string(approved.Spec.Request) != "a" || approved.Kind != "CertificateSigningRequest" ||
		len(approved.Status.Conditions) != 1 || approved.Status.Conditions[0].Type != "Approved" {
		t.Errorf("approved %+v", approved)
	}
	stop := errors.New("stop")
	if err := c.WatchCSRs(ctx, version, func(CSR) error { return stop }); !errors.Is(err, stop) {
		t.Errorf("the handler's error came out as %v", err)
	}
}
