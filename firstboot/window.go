package firstboot

import (
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"io/fs"
	"path"
	"slices"
	"strings"
	"time"

	"slipway/node"
)

// ImagePath holds facts about the image, written when it was built.
const ImagePath = "/usr/lib/slipway/image.json"

// window is when the clock can be right: not before the image was built and the certificates began, and, for all that
// the node can do then, not after the first of its certificates has ended.
type window struct {
	from, until time.Time
	ends        string // the certificate that ends first, by its name under node.PKIDir
}

// endless are certificates whose end is none for the node: its programs get new ones from control planes, and other nodes know it by its key
// alone (ADR 32).
var endless = []string{node.CertKubelet, node.CertProxy, node.CertFlannel, node.CertPeer}

func clockWindow(files FS, cfg *node.Config) (window, error) {
	from, err := clockFloor(files, cfg)
	if err != nil {
		return window{}, err
	}
	w := window{from: from}
	bundles, err := files.Glob(node.PKIDir + "/*.crt")
	if err != nil {
		return window{}, fmt.Errorf("looking for certificates: %w", err)
	}
	for _, bundle := range bundles {
		name := strings.TrimSuffix(path.Base(bundle), ".crt")
		if slices.Contains(endless, name) {
			continue
		}
		end, err := firstEnd(files, bundle)
		if err != nil {
			return window{}, err
		}
		if w.until.IsZero() || end.Before(w.until) {
			w.until, w.ends = end, name
		}
	}
	return w, nil
}

// clockFloor is a moment that has certainly passed: the image was built, and the certificates were valid, before it.
func clockFloor(files FS, cfg *node.Config) (time.Time, error) {
	data, err := files.ReadFile(ImagePath)
	if errors.Is(err, fs.ErrNotExist) {
		return cfg.NotBefore, nil
	}
	if err != nil {
		return time.Time{}, fmt.Errorf("reading image facts: %w", err)
	}
	var image struct {
		BuildTime time.Time `json:"buildTime"`
	}
	if err := json.Unmarshal(data, &image); err != nil {
		return time.Time{}, fmt.Errorf("reading %s: %w", ImagePath, err)
	}
	if image.BuildTime.After(cfg.NotBefore) {
		return image.BuildTime, nil
	}
	return cfg.NotBefore, nil
}

// firstEnd is when the first certificate of a file ends.
func firstEnd(files FS, bundle string) (time.Time, error) {
	cert, err := certificateIn(files, bundle)
	if err != nil {
		return time.Time{}, err
	}
	return cert.NotAfter, nil
}

// errNoCertificate is for a file that should hold one.
var errNoCertificate = errors.New("no certificate can be read in it")

// certificateIn reads the certificate of a file that ends first. There may be keys in it as well.
func certificateIn(files FS, name string) (*x509.Certificate, error) {
	data, err := files.ReadFile(name)
	if err != nil {
		return nil, fmt.Errorf("reading certificate: %w", err)
	}
	var first *x509.Certificate
	for block, rest := pem.Decode(data); block != nil; block, rest = pem.Decode(rest) {
		if block.Type != "CERTIFICATE" {
			continue
		}
		cert, err := x509.ParseCertificate(block.Bytes)
		if err != nil {
			return nil, fmt.Errorf("reading certificate %s: %w: %w", name, errNoCertificate, err)
		}
		if first == nil || cert.NotAfter.Before(first.NotAfter) {
			first = cert
		}
	}
	if first == nil {
		return nil, fmt.Errorf("reading certificate %s: %w", name, errNoCertificate)
	}
	return first, nil
}

func encodeCertificate(cert *x509.Certificate) []byte {
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: cert.Raw})
}

// wrong says what is wrong with a clock that shows now; empty when nothing is.
func (w window) wrong(now time.Time) string {
	switch {
	case now.Before(w.from):
		return "the clock is before " + w.from.UTC().Format(time.RFC3339)
	case !w.until.IsZero() && now.After(w.until):
		return fmt.Sprintf("the clock is past %s, the end of certificate %q", w.until.UTC().Format(time.RFC3339), w.ends)
	}
	return ""
}
