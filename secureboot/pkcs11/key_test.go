package pkcs11

import (
	"crypto"
	"crypto/rsa"
	"crypto/sha256"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"slipway/internal/testtool"
)

// softHSM is where Debian has it.
const softHSM = "/usr/lib/softhsm/libsofthsm2.so"

// token makes a token with an RSA key called db.
func token(t *testing.T) (tool string) {
	t.Helper()
	tool, util := testtool.Find(t, Tool), testtool.Find(t, "softhsm2-util")
	if _, err := os.Stat(softHSM); err != nil {
		testtool.Missing(t, "there is no "+softHSM)
	}
	dir := t.TempDir()
	conf := filepath.Join(dir, "softhsm2.conf")
	if err := os.WriteFile(conf, fmt.Appendf(nil, "directories.tokendir = %s\nobjectstore.backend = file\n", dir), 0o600); err != nil {
		t.Fatal(err)
	}
	t.Setenv("SOFTHSM2_CONF", conf)
	for _, argv := range [][]string{
		{util, "--init-token", "--free", "--label", "slipway", "--pin", "1234", "--so-pin", "4321"},
		{tool, "--module", softHSM, "--token-label", "slipway", "--login", "--pin", "1234", "--keypairgen", "--key-type", "rsa:2048", "--label", "db", "--id", "01"},
		{tool, "--module", softHSM, "--token-label", "slipway", "--login", "--pin", "1234", "--keypairgen", "--key-type", "EC:prime256v1", "--label", "curve", "--id", "02"},
	} {
		if out, err := exec.Command(argv[0], argv[1:]...).CombinedOutput(); err != nil {
			t.Fatalf("%q: %v\n%s", argv, err, out)
		}
	}
	return tool
}

func TestToken(t *testing.T) {
	tool := token(t)
	digest := sha256.Sum256([]byte("program"))
	for _, text := range []string{"pkcs11:token=slipway;object=db?module-path=" + softHSM, "pkcs11:token=slipway;id=%01;type=private?module-path=" + softHSM} {
		uri, err := Parse(text)
		if err != nil {
			t.Fatal(err)
		}
		key, err := Open(t.Context(), tool, uri, "1234")
		if err != nil {
			t.Fatal(err)
		}
		signature, err := key.Sign(nil, digest[:], crypto.SHA256)
		if err != nil {
			t.Fatal(err)
		}
		if err := rsa.VerifyPKCS1v15(key.Public().(*rsa.PublicKey), crypto.SHA256, digest[:], signature); err != nil {
			t.Error(err)
		}
		if _, err := key.Sign(nil, digest[:], &rsa.PSSOptions{Hash: crypto.SHA256}); err == nil {
			t.Error("PSS was signed")
		}
		wrong, err := Open(t.Context(), tool, uri, "9999")
		if err != nil {
			t.Fatal(err)
		}
		if _, err := wrong.Sign(nil, digest[:], crypto.SHA256); err == nil || !strings.Contains(err.Error(), "hint: the PIN is wrong") {
			t.Errorf("got %v", err)
		}
	}
	for want, uri := range map[string]URI{
		"--list-slots":      {Token: "other", Object: "db", Module: softHSM},
		"--list-objects":    {Token: "slipway", Object: "kek", Module: softHSM},
		"takes RSA alone":   {Token: "slipway", Object: "curve", Module: softHSM},
		"pkcs11-tool: exit": {Token: "slipway", Object: "db", Module: "/no/such/module.so"},
	} {
		if _, err := Open(t.Context(), tool, uri, "1234"); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("got %v, want %q", err, want)
		}
	}
}

func TestParse(t *testing.T) {
	got, err := Parse("pkcs11:token=my%20token;object=db;id=%01%ff?module-path=/usr/lib/x.so")
	if want := (URI{Token: "my token", Object: "db", ID: "01ff", Module: "/usr/lib/x.so"}); err != nil || got != want {
		t.Errorf("got %+v %v", got, err)
	}
	for text, want := range map[string]string{
		"file:db.key":                               "no pkcs11 URI",
		"pkcs11:object=db?module-path=/x":           "names no token",
		"pkcs11:token=a?module-path=/x":             "names no object",
		"pkcs11:token=a;object=b":                   "no absolute path",
		"pkcs11:token=a;object=b?module-path=x.so":  "no absolute path",
		"pkcs11:token=a;token=b":                    "twice",
		"pkcs11:token=a;slot-id=3":                  `"slot-id" is not understood`,
		"pkcs11:token=%zz":                          "cannot be read",
		"pkcs11:token=a;object=b?pin-value=1234":    "a PIN does not belong",
		"pkcs11:token=a;object=b?pin-source=file:x": "a PIN does not belong",
	} {
		if _, err := Parse(text); err == nil || !strings.Contains(err.Error(), want) || !strings.Contains(err.Error(), "\nhint: like pkcs11:") {
			t.Errorf("%s: got %v, want %q", text, err, want)
		}
	}
}
