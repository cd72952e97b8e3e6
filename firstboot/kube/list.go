package kube

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/url"
	"strconv"

	"slipway/firstboot/neterr"
)

// pageSize is how many objects are asked for at once.
const pageSize = 500

// Each calls handle for every object of a list, as JSON, and gives the version from which to watch.
func (c *Client) Each(ctx context.Context, path string, query url.Values, handle func(object []byte)) (version string, err error) {
	query = maps.Clone(query)
	if query == nil {
		query = url.Values{}
	}
	query.Set("limit", strconv.Itoa(pageSize))
	for {
		page, err := c.page(ctx, path+"?"+query.Encode(), handle)
		if err != nil {
			return "", err
		}
		if page.Continue == "" {
			return page.ResourceVersion, nil
		}
		query.Set("continue", page.Continue)
	}
}

// EachCSR calls handle for every request to the kubelet-serving signer and gives the version from which to watch. One
// that cannot be read comes with its name, as far as there is one, and an error: it is no reason to pass over the others.
func (c *Client) EachCSR(ctx context.Context, handle func(CSR, error)) (version string, err error) {
	query := url.Values{"fieldSelector": {"spec.signerName=" + SignerKubeletServing}}
	version, err = c.Each(ctx, csrPath, query, func(object []byte) { handle(parseCSR(object)) })
	if err != nil {
		return "", fmt.Errorf("listing certificate requests: %w", err)
	}
	return version, nil
}

// listMeta is a list's own metadata.
type listMeta struct {
	ResourceVersion string `json:"resourceVersion"`
	Continue        string `json:"continue"`
}

func (c *Client) page(ctx context.Context, path string, handle func([]byte)) (listMeta, error) {
	resp, err := c.do(ctx, "GET", path, "", nil)
	if err != nil {
		return listMeta{}, err
	}
	defer resp.Body.Close()
	m, err := readList(resp.Body, handle)
	if err != nil {
		return m, fmt.Errorf("reading the list: %w", neterr.Plain(err))
	}
	return m, nil
}

// readList reads a list object by object, whatever the order of its keys.
func readList(r io.Reader, handle func([]byte)) (m listMeta, err error) {
	dec := json.NewDecoder(r)
	if token, err := dec.Token(); err != nil || token != json.Delim('{') {
		return m, errors.Join(err, fmt.Errorf("it begins with %v", token))
	}
	for dec.More() {
		key, err := dec.Token()
		if err != nil {
			return m, err
		}
		switch key {
		case "metadata":
			err = dec.Decode(&m)
		case "items":
			err = readItems(dec, handle)
		default:
			err = dec.Decode(&json.RawMessage{})
		}
		if err != nil {
			return m, err
		}
	}
	_, err = dec.Token()
	return m, err
}

func readItems(dec *json.Decoder, handle func([]byte)) error {
	token, err := dec.Token()
	if err != nil || token == nil { // null
		return err
	}
	if token != json.Delim('[') {
		return fmt.Errorf("items is %v", token)
	}
	for dec.More() {
		var item json.RawMessage
		if err := dec.Decode(&item); err != nil {
			return err
		}
		handle(item)
	}
	_, err = dec.Token()
	return err
}

// parseCSR reads one request, or at least its name.
func parseCSR(data []byte) (CSR, error) {
	var csr CSR
	err := json.Unmarshal(data, &csr)
	if err == nil {
		return csr, nil
	}
	var named struct{ Metadata Metadata }
	json.Unmarshal(data, &named) // then it stays without a name
	return CSR{Metadata: named.Metadata}, fmt.Errorf("parsing certificate request: %w", err)
}

// WatchCSRs calls handle for every new or changed request, and gone for those that are there no more, until the server ends the
// watch (nil) or something fails; see EachCSR for those that cannot be read.
func (c *Client) WatchCSRs(ctx context.Context, version string, handle func(CSR, error), gone func(uid string)) error {
	query := url.Values{"fieldSelector": {"spec.signerName=" + SignerKubeletServing}}
	err := c.Watch(ctx, csrPath, query, version, func(kind string, object []byte) {
		csr, err := parseCSR(object)
		if kind == Deleted {
			gone(csr.Metadata.UID)
			return
		}
		handle(csr, err)
	})
	if err != nil {
		return fmt.Errorf("watching certificate requests: %w", err)
	}
	return nil
}

// Deleted is the kind of a change after which the object is there no more.
const Deleted = "DELETED"

// Watch calls handle for every change of a list since a version, with its kind; without a version all that there is comes first. It
// does so until the server ends the watch (nil) or
// something fails: mostly that the version is too old, and the list has to be read again.
func (c *Client) Watch(ctx context.Context, path string, query url.Values, version string, handle func(kind string, object []byte)) error {
	query = maps.Clone(query)
	if query == nil {
		query = url.Values{}
	}
	query.Set("watch", "true")
	query.Set("resourceVersion", version)
	query.Set("timeoutSeconds", "300")
	resp, err := c.do(ctx, "GET", path+"?"+query.Encode(), "", nil)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	for dec := json.NewDecoder(resp.Body); ; {
		var event struct {
			Type   string          `json:"type"`
			Object json.RawMessage `json:"object"`
		}
		if err := dec.Decode(&event); err != nil {
			if errors.Is(err, io.EOF) {
				return nil
			}
			return neterr.Plain(err)
		}
		switch event.Type {
		case "ADDED", "MODIFIED", Deleted:
			handle(event.Type, event.Object)
		case "ERROR": // mostly 410
			return errors.New(string(event.Object))
		}
	}
}
