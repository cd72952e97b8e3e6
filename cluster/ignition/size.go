package ignition

import (
	"bytes"
	"compress/gzip"
	"encoding/base64"
)

// Encode packs a config as guestinfo takes it: gzip, then base64.
func Encode(ign []byte) []byte {
	var buf bytes.Buffer
	w, err := gzip.NewWriterLevel(&buf, gzip.BestCompression)
	if err != nil {
		panic(err) // the level is a constant
	}
	// A bytes.Buffer takes everything.
	w.Write(ign)
	w.Close()
	return base64.StdEncoding.AppendEncode(nil, buf.Bytes())
}

// EncodedSize is the length of Encode's result.
func EncodedSize(ign []byte) int { return len(Encode(ign)) }
