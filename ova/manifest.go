package ova

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"strings"
)

// manifest has one line a file: the descriptor and every disk.
func (p Package) manifest(descriptor []byte) []byte {
	var out bytes.Buffer
	sum := sha256.Sum256(descriptor)
	out.WriteString(digestLine(p.descriptorName(), sum[:]))
	for _, d := range p.Disks {
		out.WriteString(digestLine(d.File, d.SHA256[:]))
	}
	return out.Bytes()
}

// digestLine has no space before the parenthesis and one after the equals sign: importers take nothing else.
func digestLine(name string, value []byte) string {
	return fmt.Sprintf("SHA256(%s)= %x\n", name, value)
}

// line is one line of a manifest or the first one of a signature.
type line struct {
	name  string
	value []byte // of the hexadecimal number
}

// parseLine reads "SHA256(name)= hex" without its line break.
func parseLine(text string) (line, error) {
	algorithm, rest, ok := strings.Cut(text, "(")
	if !ok {
		return line{}, fmt.Errorf("%q is not SHA256(name)= hex", short(text))
	}
	if algorithm != "SHA256" {
		return line{}, fmt.Errorf("algorithm %q is not \"SHA256\"", short(algorithm))
	}
	name, number, ok := strings.Cut(rest, ")= ")
	if !ok {
		return line{}, fmt.Errorf("%q has no \")= \" after the name", short(text))
	}
	value, err := hex.DecodeString(number)
	if err != nil || number != strings.ToLower(number) {
		return line{}, fmt.Errorf("%q is not a number of lower-case hexadecimal digits", short(number))
	}
	return line{name, value}, nil
}

// short cuts a text of unknown length for a message.
func short(s string) string {
	if len(s) > 80 {
		return s[:77] + "..."
	}
	return s
}
