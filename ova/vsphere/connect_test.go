package vsphere

import (
	"encoding/json"
	"encoding/pem"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// TestTrust: vCenter's certificate is verified, unless that is switched off; and no error holds the password.
func TestTrust(t *testing.T) {
	l := newLab(t)
	ca := filepath.Join(t.TempDir(), "ca.pem")
	if err := os.WriteFile(ca, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: l.cert}), 0o600); err != nil {
		t.Fatal(err)
	}
	colons := strings.ToUpper(l.pin[:2])
	for i := 2; i < len(l.pin); i += 2 {
		colons += ":" + strings.ToUpper(l.pin[i:i+2])
	}
	for name, tc := range map[string]struct {
		change func(*Endpoint)
		want   string // "" for success
	}{
		"pinned":                  {func(*Endpoint) {}, ""},
		"pin with colons":         {func(e *Endpoint) { e.Thumbprint = colons }, ""},
		"by CA":                   {func(e *Endpoint) { e.Thumbprint, e.CAFiles = "", ca }, ""},
		"insecure":                {func(e *Endpoint) { e.Thumbprint, e.Insecure = "", true }, ""},
		"unknown":                 {func(e *Endpoint) { e.Thumbprint = "" }, "hint: name the CA's certificate in GOVC_TLS_CA_CERTS, or vCenter's own by --thumbprint"},
		"another pin":             {func(e *Endpoint) { e.Thumbprint = strings.Repeat("00", 32) }, "has the thumbprint " + l.pin},
		"another pin, but the CA": {func(e *Endpoint) { e.Thumbprint, e.CAFiles = strings.Repeat("00", 32), ca }, "has the thumbprint " + l.pin},
		"SHA-1":                   {func(e *Endpoint) { e.Thumbprint = strings.Repeat("00", 20) }, "is not the SHA-256 of a certificate"},
		"no CA file":              {func(e *Endpoint) { e.Thumbprint, e.CAFiles = "", ca+".not" }, "reading certificates of CAs"},
		"wrong password":          {func(e *Endpoint) { e.Password = "wrong-secret" }, `as "operator": `},
	} {
		t.Run(name, func(t *testing.T) {
			e := l.endpoint()
			tc.change(&e)
			c, err := Connect(t.Context(), e, Options{Pause: time.Millisecond})
			if tc.want == "" && err == nil {
				if err := c.Close(t.Context()); err != nil {
					t.Error(err)
				}
				return
			}
			if err == nil || tc.want == "" || !strings.Contains(err.Error(), tc.want) || strings.Contains(err.Error(), "secret") || strings.Contains(err.Error(), password) {
				t.Errorf("got %v, want %q", err, tc.want)
			}
		})
	}
}

// TestPasswordIsNotPrinted, however an Endpoint is printed and however it was given.
func TestPasswordIsNotPrinted(t *testing.T) {
	for _, address := range []string{"vcenter.example.org", "https://vcenter.example.org/sdk", "operator:hush%21@vcenter.example.org", "https://operator:hush%21@vcenter.example.org"} {
		e, err := NewEndpoint(address, "operator", "")
		if err != nil || e.URL.String() != "https://vcenter.example.org/sdk" || e.User != "operator" {
			t.Errorf("%s: %v, %v", address, e, err)
		}
		if strings.Contains(address, "hush") != (string(e.Password) == "hush!") {
			t.Errorf("%s: the password is %d characters", address, len(e.Password))
		}
		if text, err := json.Marshal(e); err != nil || strings.Contains(string(text), "hush") {
			t.Errorf("%s, %v", text, err)
		}
		for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q"} {
			if text := fmt.Sprintf(verb+verb, e, e.Password); strings.Contains(text, "hush") {
				t.Errorf("%s prints %s", verb, text)
			}
		}
	}
	for _, address := range []string{"", "https://op:hush@[::1", "https://op:hush@host:port/sdk", "ftp://op:hush@host", "https://op:hu%zzsh@host", "https:///sdk"} {
		_, err := NewEndpoint(address, "", "")
		if err == nil || strings.Contains(err.Error(), "hush") || strings.Contains(err.Error(), "hu%") {
			t.Errorf("%q: %v", address, err)
		}
	}
	if e, err := NewEndpoint("https://a:b@host", "operator", "mine"); err != nil || e.User != "operator" || e.Password != "mine" {
		t.Errorf("%v, %v", e, err)
	}
}
