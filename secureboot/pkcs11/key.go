package pkcs11

import (
	"bytes"
	"context"
	"crypto"
	"crypto/rsa"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"os/exec"
	"strings"
	"time"
)

// Tool is the program that talks to tokens, from OpenSC.
const Tool = "pkcs11-tool"

// limit is how long a token may take for one signature; a person may have to touch it.
const limit = time.Minute

// pinVariable is how the PIN gets to the program: a command line is seen by everybody.
const pinVariable = "SLIPWAY_TOKEN_PIN"

// Key is a private key in a token.
type Key struct {
	ctx    context.Context
	tool   string
	uri    URI
	pin    string
	public *rsa.PublicKey
}

var _ crypto.Signer = &Key{}

// Open finds the key that a URI names. tool is the path of pkcs11-tool; ctx ends whatever the key is asked for. The PIN is not
// tried before the first signature, because a token counts wrong ones.
func Open(ctx context.Context, tool string, uri URI, pin string) (*Key, error) {
	k := &Key{ctx: ctx, tool: tool, uri: uri, pin: pin}
	der, err := k.run(nil, "--read-object", "--type", "pubkey")
	if err != nil {
		return nil, fmt.Errorf("reading the public key of %q in the token %q: %w", uri.name(), uri.Token, err)
	}
	public, err := x509.ParsePKIXPublicKey(der)
	if err != nil {
		return nil, fmt.Errorf("reading the public key of %q in the token %q: %w", uri.name(), uri.Token, err)
	}
	var ok bool
	if k.public, ok = public.(*rsa.PublicKey); !ok {
		return nil, fmt.Errorf("reading the public key of %q in the token %q: it is a %T, and firmware takes RSA alone", uri.name(), uri.Token, public)
	}
	return k, nil
}

func (u URI) name() string {
	if u.Object != "" {
		return u.Object
	}
	return "id " + u.ID
}

// Public is the key's public half.
func (k *Key) Public() crypto.PublicKey { return k.public }

// digestInfo is the DER before a digest of SHA-256, RFC 8017, section 9.2, note 1.
const digestInfo = "\x30\x31\x30\x0d\x06\x09\x60\x86\x48\x01\x65\x03\x04\x02\x01\x05\x00\x04\x20"

// Sign signs a digest of SHA-256 by PKCS #1 v1.5, and checks what comes back. The source of randomness is not used.
func (k *Key) Sign(_ io.Reader, digest []byte, opts crypto.SignerOpts) ([]byte, error) {
	if _, pss := opts.(*rsa.PSSOptions); pss || opts.HashFunc() != crypto.SHA256 || len(digest) != crypto.SHA256.Size() {
		return nil, errors.New("signing in a token: only digests of SHA-256 are signed, by PKCS #1 v1.5")
	}
	signature, err := k.run(append([]byte(digestInfo), digest...), "--login", "--pin", "env:"+pinVariable, "--sign", "--mechanism", "RSA-PKCS")
	if err == nil {
		err = rsa.VerifyPKCS1v15(k.public, crypto.SHA256, digest, signature)
	}
	if err != nil {
		return nil, fmt.Errorf("signing with %q in the token %q: %w", k.uri.name(), k.uri.Token, err)
	}
	return signature, nil
}

// run calls the tool and returns what it prints.
func (k *Key) run(in []byte, args ...string) ([]byte, error) {
	ctx, cancel := context.WithTimeout(k.ctx, limit)
	defer cancel()
	args = append([]string{"--module", k.uri.Module, "--token-label", k.uri.Token}, append(args, k.uri.selects()...)...)
	cmd := exec.CommandContext(ctx, k.tool, args...)
	cmd.Env = append(cmd.Environ(), pinVariable+"="+k.pin)
	cmd.Stdin = bytes.NewReader(in)
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		return nil, fmt.Errorf("%s: %w%s", Tool, err, said(stderr.String()))
	}
	return out, nil
}

// said is what the tool printed, a line each, with what to do about the common ones.
func said(text string) string {
	text = strings.TrimSpace(strings.ReplaceAll(text, "Aborting.", ""))
	if text != "" {
		text = "\n" + text
	}
	for sign, hint := range map[string]string{
		"CKR_PIN_INCORRECT":    "the PIN is wrong; tokens lock after a few of those",
		"CKR_PIN_LOCKED":       "too many wrong PINs: its officer must unlock the token",
		"CKR_PIN_LEN_RANGE":    "the PIN is missing or of the wrong length",
		"No slot with token":   "see `pkcs11-tool --module MODULE --list-slots` for the tokens that there are",
		"object not found":     "see `pkcs11-tool --module MODULE --list-objects` for the keys that there are; the public key must be in the token, too",
		"sc_pkcs11_module_loa": "is the module installed, and for this computer's processor?",
	} {
		if strings.Contains(text, sign) {
			return text + "\nhint: " + hint
		}
	}
	return text
}
