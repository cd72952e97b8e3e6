// Package withhold keeps what a node config holds out of what Ignition prints: contents of files, which travel as data
// URLs, keys, password hashes, tokens in URLs. Start with Text, which every line of the log passes through, and Command.
//
// It is compiled into Ignition and knows only what text looks like: better a reason too few than a secret on a console.
package withhold

import (
	"fmt"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
)

// Mark stands where something was left out.
const Mark = "(withheld)"

var (
	// A data URL may hold spaces and quotes, so nothing in the text shows where it ends: it is cut with all that follows.
	endless = regexp.MustCompile(`(?is)\bdata:.*|-----BEGIN .*`)
	// Of a URL with an authority, the user with its password, which may hold an unescaped @ or quote, and the query, where
	// tokens are.
	userinfo = regexp.MustCompile(`(\b[A-Za-z][A-Za-z0-9+.-]*://)[^\s/?#]*@`)
	query    = regexp.MustCompile(`(\b[A-Za-z][A-Za-z0-9+.-]*://[^\s?#"]*)[?#][^\s"]*`)
	// Hashes of crypt(5), from $1$ to $gy$.
	hash = regexp.MustCompile(`\$(?:[156]|2[abxy]|7|g?y|sha1|md5)\$[^\s"':]*`)
)

// Text is s without what may be secret.
func Text(s string) string {
	s = endless.ReplaceAllStringFunc(s, func(found string) string {
		if len(found) >= 5 && strings.EqualFold(found[:5], "data:") {
			return found[:5] + Mark
		}
		return Mark
	})
	s = userinfo.ReplaceAllString(s, "${1}"+Mark+"@")
	s = query.ReplaceAllString(s, "${1}?"+Mark)
	return hash.ReplaceAllString(s, Mark)
}

// Parts of a config whose value is content, by the last name of their path: a message about one may quote it.
var contents = []string{"config", "contents", "custom", "inline", "passwordHash", "pin", "source", "sshAuthorizedKeys", "thumbprint", "value"}

// Finding is what a report says of the part of a config at path, like $.systemd.units.0.contents.
func Finding(path, message string) string {
	for _, name := range strings.Split(path, ".") {
		if slices.Contains(contents, name) {
			return Mark
		}
	}
	return Text(message)
}

// Programs whose arguments and words may be shown. What is not named here is called with what it must not tell.
var open = []string{
	"cryptsetup", "groupadd", "groupdel", "groupmod", "mdadm", "mkfs.btrfs", "mkfs.ext4", "mkfs.fat", "mkfs.vfat", "mkfs.xfs", "mkswap", "modprobe", "mount",
	"partx", "sgdisk", "swapoff", "udevadm", "umount", "useradd", "userdel", "usermod", "wipefs",
}

// Command is a command line for the log, each word in quotes.
func Command(args []string) string {
	if len(args) == 0 {
		return ""
	}
	if !slices.Contains(open, filepath.Base(args[0])) {
		return fmt.Sprintf("%q %s", args[0], Mark)
	}
	var words []string
	for i, a := range args {
		if isSecret(args, i) {
			a = Mark
		}
		words = append(words, fmt.Sprintf("%q", a))
	}
	return strings.Join(words, " ")
}

// Said is what a command printed, for the log.
func Said(args []string, output []byte) string {
	if len(args) == 0 || !slices.Contains(open, filepath.Base(args[0])) {
		return Mark
	}
	said := string(output)
	for i, a := range args {
		if isSecret(args, i) && a != "" {
			said = strings.ReplaceAll(said, a, Mark)
		}
	}
	return said
}

func isSecret(args []string, i int) bool {
	return i > 0 && (args[i-1] == "--password" || args[i-1] == "-p") && args[i] != "*"
}
