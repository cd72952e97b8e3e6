package firstboot

import (
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"io/fs"
	"path"
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
		if name == node.CertKubelet { // only the first of a row that the kubelet renews by itself
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

// firstEnd is when the first certificate of a file ends. There may be keys in it as well.
func firstEnd(files FS, bundle string) (time.Time, error) {
	data, err := files.ReadFile(bundle)
	if err != nil {
		return time.Time{}, fmt.Errorf("reading certificate: %w", err)
	}
	var first time.Time
	for block, rest := pem.Decode(data); block != nil; block, rest = pem.Decode(rest) {
		if block.Type != "CERTIFICATE" {
			continue
		}
		cert, err := x509.ParseCertificate(block.Bytes)
		if err != nil {
			return time.Time{}, fmt.Errorf("reading certificate %s: %w", bundle, err)
		}
		if first.IsZero() || cert.NotAfter.Before(first) {
			first = cert.NotAfter
		}
	}
	if first.IsZero() {
		return time.Time{}, fmt.Errorf("reading certificate %s: there is none in it", bundle)
	}
	return first, nil
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
