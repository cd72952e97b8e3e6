// Package kube is the little of the Kubernetes API that formation needs: read an object, apply one server-side, list
// and watch certificate requests, approve one.
//
// Start with Client and Decide. Lists come in pages and are read one object at a time, so that their length costs no memory. It is written on net/http and not on client-go: client-go brings a generated client
// for every API, which would triple the size of the daemon for five calls whose wire format is stable (KEP 555 for
// apply; the JSON of /api and /apis is versioned).
package kube

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"

	"slipway/firstboot/neterr"
)

// FieldManager owns the fields that slipwayd applies.
const FieldManager = "slipwayd"

const maxBody = 16 << 20

// Doer does one HTTP exchange.
type Doer interface {
	Do(*http.Request) (*http.Response, error)
}

// Client talks to one API server.
type Client struct {
	Base string // https://127.0.0.1:6443
	HTTP Doer
}

// StatusError is an answer of the server that is not 2xx.
type StatusError struct {
	Code    int
	Message string
}

func (e *StatusError) Error() string {
	return fmt.Sprintf("%d %s: %s", e.Code, http.StatusText(e.Code), e.Message)
}

// NotFound says whether the server has no such object.
func NotFound(err error) bool {
	var s *StatusError
	return errors.As(err, &s) && s.Code == http.StatusNotFound
}

// Get reads an object into v.
func (c *Client) Get(ctx context.Context, path string, v any) error {
	return c.exchange(ctx, http.MethodGet, path, "", nil, v)
}

// Text reads a plain answer such as /readyz.
func (c *Client) Text(ctx context.Context, path string) (string, error) {
	resp, err := c.do(ctx, http.MethodGet, path, "", nil)
	if err != nil {
		return "", err
	}
	defer resp.Body.Close()
	data, err := io.ReadAll(io.LimitReader(resp.Body, maxBody))
	return string(data), neterr.Plain(err)
}

// Said is a plain answer whatever its code: a health check that fails says more than one that passes.
func (c *Client) Said(ctx context.Context, path string) (string, error) {
	resp, err := c.send(ctx, http.MethodGet, path, "", nil)
	if err != nil {
		return "", err
	}
	defer resp.Body.Close()
	data, err := io.ReadAll(io.LimitReader(resp.Body, maxBody))
	return string(data), neterr.Plain(err)
}

// Apply applies an object server-side; fields that another manager holds are taken over.
func (c *Client) Apply(ctx context.Context, path string, object []byte) error {
	query := url.Values{"fieldManager": {FieldManager}, "force": {"true"}}
	return c.exchange(ctx, http.MethodPatch, path+"?"+query.Encode(), "application/apply-patch+yaml", object, nil)
}

// Put replaces an object.
func (c *Client) Put(ctx context.Context, path string, v any) error {
	body, err := json.Marshal(v)
	if err != nil {
		return fmt.Errorf("encoding object: %w", err)
	}
	return c.exchange(ctx, http.MethodPut, path, "application/json", body, nil)
}

func (c *Client) exchange(ctx context.Context, method, path, contentType string, body []byte, v any) error {
	resp, err := c.do(ctx, method, path, contentType, body)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	data, err := io.ReadAll(io.LimitReader(resp.Body, maxBody))
	if err != nil {
		return neterr.Plain(err)
	}
	if v == nil {
		return nil
	}
	if err := json.Unmarshal(data, v); err != nil {
		return fmt.Errorf("parsing answer to %s %s: %w", method, path, err)
	}
	return nil
}

// do sends a request; the answer is 2xx and the caller closes it.
func (c *Client) do(ctx context.Context, method, path, contentType string, body []byte) (*http.Response, error) {
	resp, err := c.send(ctx, method, path, contentType, body)
	if err != nil {
		return nil, err
	}
	if resp.StatusCode/100 != 2 {
		defer resp.Body.Close()
		return nil, statusError(resp)
	}
	return resp, nil
}

// send is do for any answer.
func (c *Client) send(ctx context.Context, method, path, contentType string, body []byte) (*http.Response, error) {
	req, err := http.NewRequestWithContext(ctx, method, c.Base+path, bytes.NewReader(body))
	if err != nil {
		return nil, err
	}
	req.Header.Set("Accept", "application/json, text/plain")
	req.Header.Set("User-Agent", FieldManager)
	if contentType != "" {
		req.Header.Set("Content-Type", contentType)
	}
	resp, err := c.HTTP.Do(req)
	if err != nil {
		return nil, neterr.Plain(err)
	}
	return resp, nil
}

// statusError reads the message of a metav1.Status, or the first line of anything else.
func statusError(resp *http.Response) error {
	data, _ := io.ReadAll(io.LimitReader(resp.Body, 64<<10))
	var s struct {
		Message string `json:"message"`
	}
	if json.Unmarshal(data, &s) != nil || s.Message == "" {
		s.Message = failedChecks(string(data))
	}
	return &StatusError{Code: resp.StatusCode, Message: s.Message}
}

// failedChecks shortens a verbose health answer ("[+]ping ok", "[-]etcd failed: reason withheld") to what failed.
func failedChecks(text string) string {
	var failed []string
	for line := range strings.Lines(text) {
		if name, ok := strings.CutPrefix(strings.TrimSpace(line), "[-]"); ok {
			failed = append(failed, strings.TrimSuffix(name, ": reason withheld"))
		}
	}
	if len(failed) > 0 {
		return strings.Join(failed, "; ")
	}
	first, _, _ := strings.Cut(strings.TrimSpace(text), "\n")
	return first
}
