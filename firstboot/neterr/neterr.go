// Package neterr makes network errors fit to be compared and shown: start with Plain.
package neterr

import (
	"errors"
	"net"
	"net/url"
)

// Plain drops the URL and the caller's own port from a network error, so that the same trouble reads the same.
func Plain(err error) error {
	if u, ok := errors.AsType[*url.Error](err); ok {
		err = u.Err
	}
	if op, ok := errors.AsType[*net.OpError](err); ok {
		op.Source = nil
	}
	return err
}
