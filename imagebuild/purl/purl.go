// Package purl writes package URLs, by which scanners know a package whatever brought it here:
// https://github.com/package-url/purl-spec. Start with URL.Text. It reads none.
package purl

import (
	"fmt"
	"maps"
	"slices"
	"strings"
)

// URL is the parts of a package URL. Only Type and Name must be there.
type URL struct {
	Type, Namespace, Name, Version string
	Qualifiers                     map[string]string
}

// Text is the URL as text, its qualifiers sorted; those without a value are left out.
func (u URL) Text() string {
	var b strings.Builder
	b.WriteString("pkg:" + u.Type + "/")
	if u.Namespace != "" {
		b.WriteString(escape(u.Namespace, "/") + "/")
	}
	b.WriteString(escape(u.Name, ""))
	if u.Version != "" {
		b.WriteString("@" + escape(u.Version, ""))
	}
	mark := "?"
	for _, key := range slices.Sorted(maps.Keys(u.Qualifiers)) {
		if value := u.Qualifiers[key]; value != "" {
			b.WriteString(mark + key + "=" + escape(value, "/"))
			mark = "&"
		}
	}
	return b.String()
}

// escape writes all but what the specification lets stand, and the colon, which it asks to let stand.
func escape(text, more string) string {
	var b strings.Builder
	for _, c := range []byte(text) {
		if c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || strings.IndexByte(".-_~:"+more, c) >= 0 {
			b.WriteByte(c)
		} else {
			fmt.Fprintf(&b, "%%%02X", c)
		}
	}
	return b.String()
}
