package pkcs11

import (
	"encoding/hex"
	"errors"
	"fmt"
	"net/url"
	"path/filepath"
	"strings"
)

// URI names a key in a token: pkcs11:token=slipway;object=db?module-path=/usr/lib/softhsm/libsofthsm2.so
type URI struct {
	Token, Object string
	ID            string // hexadecimal digits; of the object, instead of its name or beside it
	Module        string // the shared library, an absolute path
}

const example = "like pkcs11:token=slipway;object=db?module-path=/usr/lib/softhsm/libsofthsm2.so"

// Parse reads a URI. What it cannot do, a PIN above all, is refused: the URI is no secret.
func Parse(text string) (URI, error) {
	u, err := parse(text)
	if err != nil {
		return URI{}, fmt.Errorf("reading the name of a key %q: %w\nhint: %s", text, err, example)
	}
	return u, nil
}

func parse(text string) (u URI, err error) {
	rest, ok := strings.CutPrefix(text, "pkcs11:")
	if !ok {
		return u, errors.New("it is no pkcs11 URI")
	}
	path, query, _ := strings.Cut(rest, "?")
	for attributes, part := range map[string]string{";": path, "&": query} {
		for attribute := range strings.SplitSeq(part, attributes) {
			if attribute == "" {
				continue
			}
			if err := u.set(attribute); err != nil {
				return u, err
			}
		}
	}
	switch {
	case u.Token == "":
		return u, errors.New("it names no token")
	case u.Object == "" && u.ID == "":
		return u, errors.New("it names no object and no id")
	case !filepath.IsAbs(u.Module):
		return u, errors.New("its module-path is no absolute path")
	}
	return u, nil
}

func (u *URI) set(attribute string) error {
	name, escaped, _ := strings.Cut(attribute, "=")
	value, err := url.PathUnescape(escaped)
	if err != nil || value == "" || strings.ContainsRune(value, 0) && name != "id" {
		return fmt.Errorf("the value of %q cannot be read", name)
	}
	field := map[string]*string{"token": &u.Token, "object": &u.Object, "id": &u.ID, "module-path": &u.Module}[name]
	switch {
	case name == "type" && value == "private":
		return nil
	case name == "pin-value" || name == "pin-source":
		return errors.New("a PIN does not belong into it, as it is kept in a file that is no secret")
	case field == nil:
		return fmt.Errorf("%q is not understood", name)
	case *field != "":
		return fmt.Errorf("%q is there twice", name)
	case name == "id":
		value = hex.EncodeToString([]byte(value))
	}
	*field = value
	return nil
}

// selects is the object for pkcs11-tool.
func (u URI) selects() []string {
	var args []string
	if u.Object != "" {
		args = append(args, "--label", u.Object)
	}
	if u.ID != "" {
		args = append(args, "--id", u.ID)
	}
	return args
}
