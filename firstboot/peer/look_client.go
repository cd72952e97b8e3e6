package peer

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"time"

	"slipway/firstboot/inside"
)

// Health asks how the node's part of the cluster does.
func (c *Client) Health(ctx context.Context) (inside.Health, error) {
	var h inside.Health
	return h, c.ask(ctx, "its health", healthPath, &h)
}

// Services asks for the node's units.
func (c *Client) Services(ctx context.Context) ([]inside.Service, error) {
	var all []inside.Service
	err := c.ask(ctx, "its services", servicesPath, &all)
	return all, err
}

func (c *Client) ask(ctx context.Context, what, path string, into any) error {
	data, err := c.do(ctx, http.MethodGet, path, nil)
	if err == nil {
		err = json.Unmarshal(data, into)
	}
	if err != nil {
		return fmt.Errorf("asking %q for %s: %w", c.node.Name, what, err)
	}
	return nil
}

// Logs writes lines of the node's journal as they come.
func (c *Client) Logs(ctx context.Context, q inside.LogQuery, to io.Writer) error {
	return c.stream(ctx, "its journal", logsPath+"?"+q.Values().Encode(), to)
}

// Kernel writes the node's kernel messages as they come.
func (c *Client) Kernel(ctx context.Context, q inside.LogQuery, to io.Writer) error {
	return c.stream(ctx, "the kernel's messages", kernelPath+"?"+q.Values().Encode(), to)
}

// Support writes what a support bundle has of the node, a tar archive.
func (c *Client) Support(ctx context.Context, to io.Writer) error {
	return c.stream(ctx, "its part of a support bundle", supportPath, to)
}

// stream asks for an answer that may be long. Its beginning is waited for as for any other; without the whole of it there is an
// error, whatever was written until then.
func (c *Client) stream(parent context.Context, what, path string, to io.Writer) error {
	ctx, cancel := context.WithCancelCause(parent)
	defer cancel(nil)
	late := time.AfterFunc(Timeout, func() { cancel(errTimeout) })
	long := &http.Client{Transport: c.http.Transport}
	resp, err := c.send(ctx, long, http.MethodGet, path, nil, nil)
	if err == nil {
		late.Stop()
		err = c.receive(resp, to)
	}
	if err == nil {
		return nil
	}
	if cause := context.Cause(ctx); cause != nil {
		err = cause
	}
	return fmt.Errorf("asking %q for %s: %w", c.node.Name, what, err)
}

func (c *Client) receive(resp *http.Response, to io.Writer) error {
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		data, err := io.ReadAll(io.LimitReader(resp.Body, maxAnswer))
		return errors.Join(err, &Refusal{resp.StatusCode, resp.Status, strings.TrimSpace(string(data))})
	}
	if _, err := io.Copy(to, resp.Body); err != nil {
		return plain(err)
	}
	switch end := resp.Trailer.Get(endTrailer); end {
	case endWhole:
		return nil
	case "":
		return errors.New("the answer was cut off")
	default:
		return errors.New("the answer is not whole: " + end)
	}
}
