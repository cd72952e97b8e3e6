package debian

import (
	"cmp"
	"crypto/sha256"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"

	"slipway/imagebuild/distro"
)

// licences reads a copyright file in the format that programs can read
// (https://www.debian.org/doc/packaging-manuals/copyright-format/1.0/): every licence that any part of the source has, as
// one SPDX expression, and the text of those that SPDX has no name for. A file in another format says nothing.
func licences(copyright string) (expression string, texts []distro.LicenceText) {
	if !machineReadable.MatchString(copyright) {
		return "", nil
	}
	said, bodies := licenceFields(copyright)
	refs := map[string]distro.LicenceText{}
	all := map[string]bool{}
	for name := range said {
		for _, part := range weakAnd.Split(name, -1) {
			text := translate(part, func(unknown string) string {
				t := licenceText(unknown, cmp.Or(bodies[unknown], bodies[name]))
				refs[t.ID] = t
				return t.ID
			})
			if strings.Contains(text, " OR ") {
				all["("+text+")"] = true
				continue
			}
			for _, one := range strings.Split(text, " AND ") {
				all[one] = true
			}
		}
	}
	for _, id := range slices.Sorted(maps.Keys(refs)) {
		texts = append(texts, refs[id])
	}
	if expression = strings.Join(slices.Sorted(maps.Keys(all)), " AND "); len(all) == 1 {
		expression = strings.TrimSuffix(strings.TrimPrefix(expression, "("), ")")
	}
	return expression, texts
}

// machineReadable is the first field, as drafts and the final format have it.
var machineReadable = regexp.MustCompile(`(?i)\A\s*Format(-Specification)?:`)

// licenceFields are the short names of all License fields, and the texts below them.
func licenceFields(copyright string) (said map[string]bool, bodies map[string]string) {
	said, bodies = map[string]bool{}, map[string]string{}
	name, in := "", false
	var body []string
	end := func() {
		if text := strings.TrimSpace(strings.Join(body, "\n")); in && name != "" && len(text) > len(bodies[name]) {
			bodies[name] = text
		}
		in, body = false, nil
	}
	for line := range strings.SplitSeq(copyright, "\n") {
		field, value, isField := strings.Cut(line, ":")
		switch {
		case strings.HasPrefix(line, " ") || strings.HasPrefix(line, "\t"):
			if line = strings.TrimRight(line[1:], " \t\r"); line == "." {
				line = ""
			}
			body = append(body, line)
		case isField && strings.EqualFold(field, "License"):
			end()
			name, in = strings.Join(strings.Fields(value), " "), true
			if name != "" && !strings.EqualFold(name, "none") {
				said[name] = true
			}
		default:
			end()
		}
	}
	end()
	return said, bodies
}

// licenceText names a licence by what Debian calls it and by its text: two packages mean the same only if they say the same.
func licenceText(name, text string) distro.LicenceText {
	sum := sha256.Sum256([]byte(name + "\x00" + text))
	id := strings.Trim(notInID.ReplaceAllString(name, "-"), "-.")
	return distro.LicenceText{
		ID: fmt.Sprintf("LicenseRef-%.60s-%x", id, sum[:4]), Name: name,
		Text: cmp.Or(text, "Debian's copyright file names this licence and has no text of it."),
	}
}

var notInID = regexp.MustCompile(`[^A-Za-z0-9.]+`)
