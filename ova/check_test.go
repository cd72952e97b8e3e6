package ova

import (
	"archive/tar"
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"crypto/x509/pkix"
	"errors"
	"fmt"
	"io"
	"math/big"
	"strings"
	"testing"
)

// TestEveryByteOutsideTheFiles changes each byte of headers, padding, manifest and end of archive, one at a time; those of
// headers also with the checksum made right again.
func TestEveryByteOutsideTheFiles(t *testing.T) {
	good := mustWrite(t, testPackage())
	a := mustOpen(t, good)
	for i := range good {
		if within(a.Members[0], i) || within(a.Members[2], i) {
			continue // TestDamagedFiles
		}
		b := bytes.Clone(good)
		b[i] ^= 0x01
		if quiet(t, b) {
			t.Errorf("byte %d: no finding", i)
		}
		for _, m := range a.Members {
			if at := int(m.Offset); i < at || i >= at+blockSize {
				continue
			}
			head := b[m.Offset:][:blockSize]
			copy(head[148:], fmt.Sprintf("%06o\x00 ", checksum(head)))
			if !bytes.Equal(b, good) && quiet(t, b) {
				t.Errorf("byte %d (%s), with the right checksum: no finding", i, fieldAt(i-int(m.Offset)))
			}
		}
	}
}

// quiet says whether an archive gives no finding outside its descriptor.
func quiet(t *testing.T, b []byte) bool {
	t.Helper()
	a, err := Open(bytes.NewReader(b), int64(len(b)))
	if err != nil {
		return false
	}
	c := newChecker(a)
	c.headers()
	c.end()
	c.order("node")
	c.manifest(t.Context(), "node")
	return c.found.Count() == 0
}

// within says whether byte i of the archive is content of m.
func within(m Member, i int) bool { return int64(i) >= m.Data && int64(i) < m.Data+m.Size }

func TestDamagedFiles(t *testing.T) {
	good := mustWrite(t, testPackage())
	for name, at := range map[string]int{"node.ovf": 600, "node.vmdk": int(mustOpen(t, good).Members[2].Data) + 999} {
		b := bytes.Clone(good)
		b[at] ^= 1
		if got := lines(mustCheck(t, b).Findings); !strings.Contains(got, fmt.Sprintf(": %q has SHA-256 ", name)) {
			t.Errorf("%s: %s", name, got)
		}
	}
}

// TestEveryLength cuts the archive off around every block.
func TestEveryLength(t *testing.T) {
	good := mustWrite(t, testPackage())
	for block := blockSize; block <= len(good); block += blockSize {
		for _, n := range []int{block - 1, block, block + 1} {
			if n >= len(good) {
				continue
			}
			a, err := Open(bytes.NewReader(good), int64(n))
			if err != nil {
				if n >= blockSize {
					t.Errorf("%d bytes: %v", n, err)
				}
				continue
			}
			if r, err := a.Check(t.Context()); err != nil || len(r.Findings) == 0 {
				t.Errorf("%d bytes: %v, no finding", n, err)
			}
		}
	}
}

func TestEndOfArchive(t *testing.T) {
	good := mustWrite(t, testPackage())
	end := len(good) - 2*blockSize
	for name, c := range map[string]struct {
		b    []byte
		want string
	}{
		"record":      {append(bytes.Clone(good), make([]byte, recordSize-len(good))...), ""},
		"one block":   {good[:end+blockSize], fmt.Sprintf("byte %d: the archive ends with 512 zeros, want 1024", end)},
		"none":        {good[:end], fmt.Sprintf("byte %d: the archive ends without an end-of-archive block", end)},
		"more zeros":  {append(bytes.Clone(good), make([]byte, recordSize+1-len(good))...), fmt.Sprintf("byte %d: 1 bytes follow the end of the archive", recordSize)},
		"more data":   {append(bytes.Clone(good), "tail"...), fmt.Sprintf("byte %d: data follows the end of the archive", len(good))},
		"second":      {append(bytes.Clone(good), good...), "data follows the end of the archive"},
		"no header":   {append(bytes.Clone(good[:end]), bytes.Repeat([]byte("x"), blockSize)...), fmt.Sprintf("byte %d: there is no tar header", end)},
		"cut in file": {good[:end-blockSize], `"node.vmdk" of 1000 bytes goes beyond the end of the archive`},
	} {
		if got := lines(mustCheck(t, c.b).Findings); !strings.Contains(got, c.want) || (c.want == "") != (got == "") {
			t.Errorf("%s: %s, want %s", name, got, c.want)
		}
	}
}

func TestOrderAndHeaders(t *testing.T) {
	all := entries(t, same)
	ovf, mf, disk := all[0], all[1], all[2]
	folder := func(h *tar.Header) { h.Typeflag, h.Size = tar.TypeDir, 0 }
	only := func(name string, change func(*tar.Header)) func(*tar.Header) {
		return func(h *tar.Header) {
			if h.Name == name {
				change(h)
			}
		}
	}
	for name, c := range map[string]struct {
		entries []entry
		change  func(*tar.Header)
		want    string
	}{
		"good":          {all, asIs, ""},
		"ovf last":      {[]entry{disk, mf, ovf}, asIs, `byte 2560: descriptor "node.ovf" is file 3 of the archive, want the first`},
		"manifest last": {[]entry{ovf, disk, mf}, asIs, `: "node.mf" is file 3 of the archive, want 2`},
		"no descriptor": {[]entry{mf, disk}, asIs, "byte 0: there is no descriptor"},
		"no manifest":   {[]entry{ovf, disk}, asIs, `byte 0: there is no manifest "node.mf"`},
		"no disk":       {[]entry{ovf, mf}, asIs, `file "node.vmdk" is not in the archive`},
		"twice":         {[]entry{ovf, mf, disk, disk}, asIs, `"node.vmdk" is in the archive twice`},
		"one more":      {[]entry{ovf, mf, disk, {"more.vmdk", "x"}}, asIs, `"more.vmdk" is not in the References`},
		"not listed":    {[]entry{ovf, mf, disk, {"more.vmdk", "x"}}, asIs, `"node.mf" does not list "more.vmdk"`},
		"folder":        {[]entry{{"dir/", ""}, ovf, mf, disk}, only("dir/", folder), `byte 156: "dir/" is a folder`},
		"dot":           {[]entry{{"./node.ovf", ovf.content}, mf, disk}, asIs, `byte 0: name "./node.ovf" is not plain`},
		"link":          {[]entry{ovf, mf, {"node.vmdk", ""}}, only("node.vmdk", func(h *tar.Header) { h.Typeflag, h.Linkname = tar.TypeSymlink, "/etc/shadow" }), `"node.vmdk" has type '2', want a file`},
		"PAX":           {all, only("node.ovf", func(h *tar.Header) { h.Format, h.PAXRecords = tar.FormatPAX, map[string]string{"a.b": "c"} }), `byte 156: "PaxHeaders.0/node.ovf" is a PAX header`},
		"GNU":           {all, only("node.mf", func(h *tar.Header) { h.Format = tar.FormatGNU }), `"node.mf" has magic "ustar  \x00", want "ustar\x0000"`},
		"long name":     {append(all[:3:3], entry{strings.Repeat("n", 101), "x"}), only(strings.Repeat("n", 101), func(h *tar.Header) { h.Format = tar.FormatGNU }), "is a long name of GNU tar"},
		"user":          {all, only("node.mf", func(h *tar.Header) { h.Uid = 1000 }), `"node.mf" has user 01750, want 0`},
		"group":         {all, only("node.mf", func(h *tar.Header) { h.Gid = 8 }), `"node.mf" has group 010, want 0`},
		"owner":         {all, only("node.mf", func(h *tar.Header) { h.Uname = "root" }), `"node.mf" has owner "root" and group ""`},
		"mode":          {all, only("node.mf", func(h *tar.Header) { h.Mode = 0o600 }), `"node.mf" has mode 0600, want 0644`},
		"time":          {all, only("node.mf", func(h *tar.Header) { h.ModTime = h.ModTime.AddDate(0, 0, 1) }), `"node.mf" has time 1780086400, the first file has 1780000000`},
	} {
		b := pack(t, c.entries, c.change)
		if got := lines(mustCheck(t, b).Findings); !strings.Contains(got, c.want) || (c.want == "") != (got == "") {
			t.Errorf("%s: %s, want %s", name, got, c.want)
		}
	}
}

func TestManifestFindings(t *testing.T) {
	all := entries(t, same)
	good := all[1].content
	first, second, _ := strings.Cut(good, "\n")
	at := int64(blockSize) + padded(int64(len(all[0].content))) + blockSize
	next := at + int64(len(first)) + 1
	for name, c := range map[string]struct {
		at      int64
		content string
		want    string
	}{
		"sha256sum":    {at, strings.ReplaceAll(strings.ReplaceAll(good, "SHA256(", "SHA256 ("), ")=", ") ="), `"node.mf": algorithm "SHA256 " is not "SHA256"`},
		"openssl":      {at, strings.ReplaceAll(good, "SHA256", "SHA2-256"), `"node.mf": algorithm "SHA2-256" is not`},
		"SHA1":         {at, strings.ReplaceAll(good, "SHA256", "SHA1"), `"node.mf": algorithm "SHA1" is not`},
		"no space":     {at, strings.ReplaceAll(good, "= ", "="), `has no ")= " after the name`},
		"upper case":   {next, first + "\n" + strings.ToUpper(second), "is not a number of lower-case"},
		"CRLF":         {at, strings.ReplaceAll(good, "\n", "\r\n"), "is not a number of lower-case"},
		"no last end":  {next, strings.TrimSuffix(good, "\n"), "the last line does not end"},
		"empty line":   {next, first + "\n\n" + second, `"" is not SHA256(name)= hex`},
		"short":        {next, first + "\n" + second[:len(second)-3] + "\n", `digest of "node.vmdk" has 31 bytes, want 32`},
		"twice":        {next, first + "\n" + good, `"node.mf" lists "node.ovf" twice`},
		"itself":       {at, strings.Replace(good, "node.ovf", "node.mf", 1), `"node.mf" lists "node.mf", which cannot be`},
		"unknown file": {at, strings.Replace(good, "node.ovf", "no.ovf", 1), `lists "no.ovf", which is not in the archive`},
		"incomplete":   {at, first + "\n", `"node.mf" does not list "node.vmdk"`},
		"empty":        {at, "", `"node.mf" does not list "node.ovf"`},
		"too large":    {at - blockSize, good + strings.Repeat("x", maxText), "it was not read"},
	} {
		got := lines(mustCheck(t, pack(t, []entry{all[0], {"node.mf", c.content}, all[2]}, asIs)).Findings)
		if !strings.Contains(got, c.want) || !strings.Contains(got, fmt.Sprintf("byte %d: ", c.at)) {
			t.Errorf("%s: %s, want %s at %d", name, got, c.want, c.at)
		}
	}
}

func TestSignatureFindings(t *testing.T) {
	all := entries(t, same)
	s := testSigner(t)
	sign := func(chain ...*x509.Certificate) string {
		b, err := (&Signer{s.Key, chain}).sign("node.mf", []byte(all[1].content))
		if err != nil {
			t.Fatal(err)
		}
		return string(b)
	}
	good := sign(s.Chain...)
	first, rest, _ := strings.Cut(good, "\n")
	for name, c := range map[string]struct{ content, want string }{
		"good":           {good, ""},
		"leaf only":      {sign(s.Chain[0]), ""},
		"one bit":        {flip(good, 20), `: "node.cert": the signature is not one of "CN=packages" over the manifest`},
		"short":          {first[:len(first)-2] + "\n" + rest, "the signature is not one of"},
		"other file":     {strings.Replace(good, "node.mf", "node.ovf", 1), `it signs "node.ovf", not "node.mf"`},
		"openssl":        {strings.Replace(good, "SHA256", "RSA-SHA256", 1), `algorithm "RSA-SHA256" is not "SHA256"`},
		"wrong order":    {first + "\n" + strings.Join(reversed(rest), ""), `the signature is not one of "CN=authority"`},
		"no cert":        {first + "\n", "there is no certificate"},
		"text between":   {first + "\n# leaf\n" + rest, `"# leaf`},
		"private key":    {first + "\n" + strings.ReplaceAll(rest, "CERTIFICATE", "RSA PRIVATE KEY"), "is no PEM certificate"},
		"damaged PEM":    {first + "\n" + rest[:100], "a PEM certificate is damaged"},
		"damaged DER":    {first + "\n" + strings.Replace(rest, "MII", "MIJ", 1), "certificate 1: "},
		"leaf as issuer": {sign(s.Chain[0], s.Chain[0]), `the certificate of "CN=packages" is not signed by that of "CN=packages"`},
		"too many":       {sign(s.Chain[0], s.Chain[1], s.Chain[1], s.Chain[1], s.Chain[1], s.Chain[1], s.Chain[1], s.Chain[1], s.Chain[1]), "there are more than 8 certificates"},
		"empty":          {"", "is not SHA256(name)= hex"},
	} {
		got := lines(mustCheck(t, pack(t, []entry{all[0], all[1], {"node.cert", c.content}, all[2]}, asIs)).Findings)
		if !strings.Contains(got, c.want) || (c.want == "") != (got == "") {
			t.Errorf("%s: %s, want %s", name, got, c.want)
		}
	}
}

// TestOddKeys has certificates whose keys must not be used: of another kind, or so large that using them takes minutes.
func TestOddKeys(t *testing.T) {
	s := testSigner(t)
	curve, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	huge := new(big.Int).Lsh(big.NewInt(1), maxKeyBits)
	for want, key := range map[string]any{
		`the key of "CN=odd" is a *ecdsa.PublicKey, not RSA`:  curve.Public(),
		`the key of "CN=odd" has 16385 bits, more than 16384`: &rsa.PublicKey{N: huge.Add(huge, big.NewInt(1)), E: 65537},
	} {
		odd := &x509.Certificate{SerialNumber: big.NewInt(3), Subject: pkix.Name{CommonName: "odd"}}
		der, err := x509.CreateCertificate(rand.Reader, odd, s.Chain[0], key, s.Key)
		if err != nil {
			t.Fatal(err)
		}
		cert, err := x509.ParseCertificate(der)
		if err != nil {
			t.Fatal(err)
		}
		if err := verifySignature(cert, nil, nil); err == nil || err.Error() != want {
			t.Errorf("signature: %v, want %s", err, want)
		}
		if err := checkIssuers([]*x509.Certificate{s.Chain[0], cert}); err == nil {
			t.Errorf("issuer: accepted, want %s", want)
		}
	}
}

// flip changes one hexadecimal digit.
func flip(s string, at int) string {
	digit := "0"
	if s[at] == '0' {
		digit = "1"
	}
	return s[:at] + digit + s[at+1:]
}

// reversed is the PEM blocks of s from the last to the first.
func reversed(s string) []string {
	const end = "-----END CERTIFICATE-----\n"
	var out []string
	for _, block := range strings.SplitAfter(s, end) {
		out = append([]string{block}, out...)
	}
	return out
}

func TestNoPackage(t *testing.T) {
	for name, b := range map[string][]byte{"nothing": nil, "short": make([]byte, 511), "zeros": make([]byte, 1<<20), "text": bytes.Repeat([]byte("<OVF/>"), 1000)} {
		if _, err := Open(bytes.NewReader(b), int64(len(b))); err == nil || err.Error() != "opening package: it is not a tar archive" {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestFindingsAreBounded(t *testing.T) {
	all := entries(t, func(s string) string {
		return strings.Replace(s, "</References>", strings.Repeat("<File/>", 5000)+"</References>", 1)
	})
	got := mustCheck(t, pack(t, all, asIs)).Findings
	if len(got) != mostFindings+1 || !strings.Contains(got[mostFindings].Text, "only the first 100 findings") {
		t.Errorf("%d findings, the last is %v", len(got), got[len(got)-1])
	}
	many := make([]entry, 1000)
	for i := range many {
		many[i].name = fmt.Sprintf("f%d", i)
	}
	a := mustOpen(t, pack(t, many, asIs))
	if len(a.Members) != maxMembers || !strings.Contains(a.broken, "more than 64 files") {
		t.Errorf("%d files, %q", len(a.Members), a.broken)
	}
}

// faulty fails to read from a byte on.
type faulty struct {
	r  io.ReaderAt
	at int64
}

var errFaulty = errors.New("input/output error")

func (f faulty) ReadAt(p []byte, off int64) (int, error) {
	if off+int64(len(p)) > f.at {
		return 0, errFaulty
	}
	return f.r.ReadAt(p, off)
}

func TestReadErrors(t *testing.T) {
	p := testPackage()
	p.Signer = testSigner(t)
	good := mustWrite(t, p)
	for at := int64(0); at < int64(len(good)); at += 256 {
		a, err := Open(faulty{bytes.NewReader(good), at}, int64(len(good)))
		if err == nil {
			_, err = a.Check(t.Context())
		}
		if !errors.Is(err, errFaulty) {
			t.Errorf("fault at %d: %v", at, err)
		}
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := mustOpen(t, good).Check(ctx); !errors.Is(err, context.Canceled) {
		t.Errorf("stopped: %v", err)
	}
}
