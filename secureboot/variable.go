package secureboot

import (
	"bytes"
	"crypto/x509"
	"encoding/binary"
	"errors"
	"fmt"
	"time"
	"unicode/utf16"

	"github.com/foxboron/go-uefi/pkcs7"
)

// The variables of Secure Boot: who may change KEK, who may change db, and who may sign programs.
const (
	PK  = "PK"
	KEK = "KEK"
	DB  = "db"
)

// Names lists them, each after the one whose key signs it.
func Names() []string { return []string{PK, KEK, DB} }

// vendor is the namespace of a variable (UEFI 2.10, 3.3 and 32.4.1).
func vendor(name string) GUID {
	if name == DB {
		return parseGUID("d719b2cb-3d3a-4596-a3bc-dad00e67656f")
	}
	return parseGUID("8be4df61-93ca-11d2-aa0d-00e098032b8c")
}

// attributes of the variables: non-volatile, for boot services and for the system, authenticated with a time.
const attributes = uint32(0x27)

func typeX509() GUID  { return parseGUID("a5c059a1-94e4-4aa7-87b5-ab155c2bf072") }
func typePKCS7() GUID { return parseGUID("4aafd29d-68df-49ee-8aa9-347d375665a7") }

// List is the content of a variable that holds certificates: one EFI_SIGNATURE_LIST for each, as they differ in length.
func List(owner GUID, certs ...*x509.Certificate) []byte {
	var b bytes.Buffer
	for _, c := range certs {
		b.Write(binary.LittleEndian.AppendUint32(guidBytes(typeX509()), uint32(28+16+len(c.Raw))))
		b.Write(binary.LittleEndian.AppendUint32(make([]byte, 4), uint32(16+len(c.Raw)))) // no header of its own before
		b.Write(owner[:])
		b.Write(c.Raw)
	}
	return b.Bytes()
}

func guidBytes(g GUID) []byte { return g[:] }

// efiTime is EFI_TIME, of which authentication takes whole seconds in UTC.
type efiTime struct {
	Year                             uint16
	Month, Day, Hour, Minute, Second uint8
	_                                [9]byte
}

func newEFITime(t time.Time) efiTime {
	t = t.UTC()
	return efiTime{
		Year: uint16(t.Year()), Month: uint8(t.Month()), Day: uint8(t.Day()),
		Hour: uint8(t.Hour()), Minute: uint8(t.Minute()), Second: uint8(t.Second()),
	}
}

// authentication is EFI_VARIABLE_AUTHENTICATION_2 up to its signature.
type authentication struct {
	Time     efiTime
	Length   uint32 // of what follows and the signature
	Revision uint16
	Type     uint16
	Format   GUID
}

// Update is the content of a NAME.auth file: a variable's new content, signed by the key that may change it. Firmware takes it
// if at is later than that of the content it has, or if it has none.
func Update(name string, content []byte, by Key, at time.Time) ([]byte, error) {
	if err := by.Check(); err != nil {
		return nil, fmt.Errorf("signing the variable %s: %w", name, err)
	}
	stamp, space := newEFITime(at), vendor(name)
	var signed bytes.Buffer
	for _, part := range []any{utf16.Encode([]rune(name)), space, attributes, stamp, content} {
		if err := binary.Write(&signed, binary.LittleEndian, part); err != nil {
			return nil, fmt.Errorf("signing the variable %s: %w", name, err)
		}
	}
	signature, err := signedData{kind: pkcs7.OIDData, content: signed.Bytes(), bare: true}.sign(by)
	if err != nil {
		return nil, fmt.Errorf("signing the variable %s: %w", name, err)
	}
	out, err := binary.Append(nil, binary.LittleEndian, authentication{
		Time: stamp, Length: uint32(24 + len(signature)), Revision: 0x0200, Type: 0x0ef1, Format: typePKCS7(),
	})
	return append(append(out, signature...), content...), err
}

// Certificates are those in the content of a NAME.auth file. Its signature is not checked: firmware in setup mode does not
// either, and in any other it knows by whom.
func Certificates(update []byte) ([]*x509.Certificate, error) {
	var head authentication
	if !decode(update, 0, &head) || head.Length < 24 || int64(head.Length) > int64(len(update)-16) || head.Format != typePKCS7() {
		return nil, errors.New("it is no signed update of a variable")
	}
	var all []*x509.Certificate
	for rest := update[16+int64(head.Length):]; len(rest) > 0; {
		var list struct {
			Type               GUID
			Size, Header, Each uint32
		}
		if !decode(rest, 0, &list) || int64(list.Size) > int64(len(rest)) || list.Type != typeX509() || list.Header != 0 ||
			list.Each <= 16 || int64(list.Size) != 28+int64(list.Each) {
			return nil, errors.New("its content is no list of certificates")
		}
		cert, err := x509.ParseCertificate(rest[28+16 : list.Size])
		if err != nil {
			return nil, fmt.Errorf("reading a certificate in it: %w", err)
		}
		all, rest = append(all, cert), rest[list.Size:]
	}
	return all, nil
}
