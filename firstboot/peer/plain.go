package peer

import (
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"time"

	"slipway/firstboot/neterr"
)

var errTimeout = errors.New("it took too long")

// plain makes the same trouble read the same every time: no port of the caller's own, no URL, no present time.
func plain(err error) error {
	if n, ok := errors.AsType[net.Error](err); ok && n.Timeout() {
		return errTimeout
	}
	if invalid, ok := errors.AsType[x509.CertificateInvalidError](err); ok && invalid.Reason == x509.Expired {
		from, to := invalid.Cert.NotBefore.UTC(), invalid.Cert.NotAfter.UTC()
		return fmt.Errorf("its certificate is valid from %s to %s, and now is not", from.Format(time.RFC3339), to.Format(time.RFC3339))
	}
	err = neterr.Plain(err)
	if op, ok := errors.AsType[*net.OpError](err); ok && op.Op == "remote error" { // a TLS alert, which is all that the other side says at this point
		return fmt.Errorf("it turned this node away: %w", op.Err)
	}
	return err
}
