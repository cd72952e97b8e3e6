package inside

import (
	"bytes"
	"io"
	"regexp"
	"strings"

	"slipway/node"
)

// leftOut takes the place of what may not leave.
const leftOut = "[left out: key material]"

var (
	keyBegin = []byte("PRIVATE KEY-----")
	keyEnd   = regexp.MustCompile(`-----END [A-Z ]*PRIVATE KEY-----`)
	// shapes are what credentials look like in a line: a PEM block in base64 ("-----BEGIN "), a JSON web token as service accounts
	// have it, an age identity, what a Bearer header carries. All begin with fixed letters, which is what makes looking for them quick.
	shapes = []*regexp.Regexp{
		regexp.MustCompile(`LS0tLS1CRUdJTi[A-Za-z0-9+/=]*`),
		regexp.MustCompile(`eyJ[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]*`),
		regexp.MustCompile(`AGE-SECRET-KEY-1[A-Z0-9]+`),
		regexp.MustCompile(`earer [A-Za-z0-9._~+/=-]{16,}`),
	}
	passwordInURL = regexp.MustCompile(`(://[^/\s:@]*:)[^/\s@]+@`)
)

// mostKeyLines is how long a PEM block is left out if its end does not come: longer than an RSA key of 8192 bits.
const mostKeyLines = 128

// longestLine bounds what is held back until its end is seen, bytes: journald itself cuts lines at 48 KiB. A longer one is left out,
// since a key might lie across any cut.
const longestLine = 64 << 10

const tooLong = "[left out: a line of more than 64 KiB]\n"

// fragment is how much of a key's base64 gives it away, bytes.
const fragment = 24

// redactor passes lines on, without key material: blocks and shapes of it, and the very keys of this node.
type redactor struct {
	to    io.Writer
	own   [][]byte // pieces of this node's keys
	line  []byte
	long  bool // the line is longer than longestLine
	block int  // lines of a PEM block still to be left out
}

func (n *Node) redactor(to io.Writer) *redactor { return &redactor{to: to, own: n.ownKeys()} }

// ownKeys are the lines of base64 in this node's private keys. What cannot be read is not among them: shapes remain.
func (n *Node) ownKeys() [][]byte {
	var found [][]byte
	for _, pattern := range []string{node.PKIDir + "/*.key", "/var/lib/kubelet/pki/*.pem"} {
		names, _ := n.Files.Glob(pattern)
		for _, name := range names {
			data, _ := n.Files.ReadFile(name)
			found = append(found, keyPieces(data)...)
		}
	}
	return found
}

// keyPieces cuts the private keys of a PEM file into pieces that no other text has. The first line of a key is the same for all of
// a kind at its beginning, so pieces are the ends of lines.
func keyPieces(data []byte) [][]byte {
	var found [][]byte
	inside := false
	for line := range strings.Lines(string(data)) {
		line = strings.TrimSpace(line)
		if strings.HasPrefix(line, "-----") {
			inside = strings.Contains(line, "BEGIN") && strings.Contains(line, string(keyBegin))
			continue
		}
		if inside && len(line) >= fragment {
			found = append(found, []byte(line[len(line)-fragment:]))
		}
	}
	return found
}

// Write passes on the lines that are whole.
func (r *redactor) Write(p []byte) (int, error) {
	var out bytes.Buffer
	for part := range bytes.Lines(p) {
		if r.long = r.long || len(r.line)+len(part) > longestLine; r.long {
			r.line = r.line[:0]
		} else {
			r.line = append(r.line, part...)
		}
		if bytes.HasSuffix(part, []byte("\n")) {
			out.Write(r.clean())
		}
	}
	if out.Len() == 0 {
		return len(p), nil
	}
	if _, err := r.to.Write(out.Bytes()); err != nil {
		return 0, err
	}
	return len(p), nil
}

// Close passes on a last line without an end.
func (r *redactor) Close() error {
	if len(r.line) == 0 && !r.long {
		return nil
	}
	_, err := r.to.Write(r.clean())
	return err
}

// clean gives the line as it may leave, and begins a new one.
func (r *redactor) clean() []byte {
	line, long := r.line, r.long
	r.line, r.long = nil, false
	if long {
		return []byte(tooLong)
	}
	if r.block > 0 || bytes.Contains(line, keyBegin) {
		return r.skip(line)
	}
	for _, piece := range r.own {
		if bytes.Contains(line, piece) {
			return []byte(leftOut + "\n")
		}
	}
	for _, s := range shapes {
		line = s.ReplaceAll(line, []byte(leftOut))
	}
	return passwordInURL.ReplaceAll(line, []byte("${1}"+leftOut+"@"))
}

// skip leaves out a line of a PEM block, of which the first one is told.
func (r *redactor) skip(line []byte) []byte {
	first := r.block == 0
	r.block--
	if first {
		r.block = mostKeyLines
	}
	if keyEnd.Match(line) {
		r.block = 0
	}
	if first {
		return []byte(leftOut + "\n")
	}
	return nil
}

// redact is text without key material.
func (n *Node) redact(text []byte) []byte {
	var out bytes.Buffer
	r := n.redactor(&out)
	r.Write(text) // a buffer takes everything
	r.Close()
	return out.Bytes()
}
