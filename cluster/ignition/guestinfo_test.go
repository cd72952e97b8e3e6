package ignition

import (
	"bytes"
	"crypto/sha256"
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/coreos/ignition/v2/config/v3_6"
)

// noise is n bytes that do not shrink.
func noise(n int) []byte {
	b, r := make([]byte, n), rand.New(rand.NewPCG(1, 2))
	for i := range b {
		b[i] = byte(r.Uint32())
	}
	return b
}

func TestGuestinfo(t *testing.T) {
	ign := []byte(`{"ignition":{"version":"3.6.0"}}` + "\n")
	g, err := NewGuestinfo("n1", ign)
	if err != nil {
		t.Fatal(err)
	}
	if g.Encoding != "gzip+base64" || strings.ContainsAny(g.Data, "\n \r") {
		t.Errorf("got %+v", g)
	}
	back, err := g.Decode()
	if err != nil || !bytes.Equal(back, ign) {
		t.Errorf("got %q, %v", back, err)
	}
}

// TestLimit: exactly the limit passes, and what is above is refused with the count.
func TestGuestinfoLimit(t *testing.T) {
	fits := 0
	for n := 36700; n < 36900; n++ { // 36864 bytes are 49152 of base64
		size := EncodedSize(noise(n))
		_, err := NewGuestinfo("n1", noise(n))
		if (err == nil) != (size <= Limit) {
			t.Fatalf("%d bytes, encoded %d: %v", n, size, err)
		}
		if err == nil {
			fits++
			continue
		}
		if !errors.Is(err, errTooLarge) || !strings.Contains(err.Error(), fmt.Sprintf("%d bytes as gzip+base64, allowed are 49152", size)) || !strings.Contains(err.Error(), "--config-url") {
			t.Fatalf("got %v", err)
		}
		break
	}
	if fits == 0 || fits == 200 {
		t.Errorf("the limit was not met: %d fitted", fits)
	}
}

func TestPointer(t *testing.T) {
	ign := noise(100_000)
	out, err := Pointer("https://configs.example.org/demo/", FileName("demo", "n1"), ign)
	if err != nil {
		t.Fatal(err)
	}
	want := fmt.Sprintf(`{"ignition":{"config":{"replace":{"source":"https://configs.example.org/demo/demo.n1.ign","verification":{"hash":"sha256-%x"}}},"proxy":{},"security":{"tls":{}},"timeouts":{},"version":"3.6.0"}`, sha256.Sum256(ign))
	if !strings.HasPrefix(string(out), want) {
		t.Errorf("got  %s\nwant %s", out, want)
	}
	cfg, _, err := v3_6.Parse(out)
	if err != nil || *cfg.Ignition.Config.Replace.Source != "https://configs.example.org/demo/demo.n1.ign" {
		t.Errorf("Ignition reads %+v, %v", cfg.Ignition, err)
	}
	for _, base := range []string{"", "demo", "ftp://a/b", "https://", "https://user:secret@a/b", "https://a/b?c", "https://a/b#c", "://"} {
		_, err := Pointer(base, "demo.n1.ign", ign)
		var coded interface{ ExitCode() int }
		if !errors.As(err, &coded) || coded.ExitCode() != 2 || strings.Contains(err.Error(), "secret") {
			t.Errorf("%q: got %v", base, err)
		}
	}
	if !IsPlain("HTTP://a") || IsPlain("https://a") {
		t.Error("plain HTTP is not told from HTTPS")
	}
}

// FuzzGuestinfoDecode: whatever a vCenter holds, Decode returns.
func FuzzGuestinfoDecode(f *testing.F) {
	g, err := NewGuestinfo("n1", []byte("{}"))
	if err != nil {
		f.Fatal(err)
	}
	f.Add(g.Data, g.Encoding)
	f.Add("e30K", "base64")
	f.Add(g.Data[:8], g.Encoding)
	f.Fuzz(func(t *testing.T, data, encoding string) {
		ign, err := Guestinfo{data, encoding}.Decode()
		if err == nil && len(ign) > maxDecoded {
			t.Errorf("%d bytes", len(ign))
		}
	})
}
