package neterr

import (
	"errors"
	"net"
	"net/url"
	"testing"
)

// TestPlain: two attempts of one caller differ in its port alone, and must read the same.
func TestPlain(t *testing.T) {
	attempt := func(port int) error {
		return &url.Error{Op: "Get", URL: "https://10.0.0.1/readyz", Err: &net.OpError{Op: "read", Net: "tcp",
			Source: &net.TCPAddr{IP: net.IPv4(10, 0, 0, 2), Port: port}, Addr: &net.TCPAddr{IP: net.IPv4(10, 0, 0, 1), Port: 6443}, Err: errors.New("reset")}}
	}
	first, second := Plain(attempt(40000)).Error(), Plain(attempt(40001)).Error()
	if first != second || first != "read tcp 10.0.0.1:6443: reset" {
		t.Errorf("%q and %q", first, second)
	}
	if err := errors.New("other"); Plain(err) != err {
		t.Error("another error changed")
	}
}
