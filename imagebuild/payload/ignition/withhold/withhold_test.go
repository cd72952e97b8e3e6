package withhold

import (
	"strings"
	"testing"
)

func TestText(t *testing.T) {
	for in, want := range map[string]string{
		"files: op(1): [started]  writing file \"/etc/slipway/node.json\"": "",
		"mkfs failed: exit status 1":                                       "",
		"GET https://host/path: attempt #1":                                "",
		`parse "data:,top secret\n%zz": invalid URL escape`:                `parse "data:(withheld)`,
		"Unable to decode CA (DATA:;base64,c2VjcmV0)":                      "Unable to decode CA (DATA:(withheld)",
		"one: data:,first\nsecond line":                                    "one: data:(withheld)",
		"got -----BEGIN EC PRIVATE KEY-----\nMHc":                          "got (withheld)",
		"GET https://user:pass@host/x?token=t&a=b: attempt #1":             "GET https://(withheld)@host/x?(withheld) attempt #1",
		`Get "http://host/x?sig=s": dial tcp`:                              `Get "http://host/x?(withheld)": dial tcp`,
		"GET http://user:p@ss@host/x@y":                                    "GET http://(withheld)@host/x@y",
		`GET http://user:p"ss@host/`:                                       "GET http://(withheld)@host/",
		"http://one,http://user:p@ss@two/":                                 "http://one,http://(withheld)@two/",
		"http://token@host#frag":                                           "http://(withheld)@host?(withheld)",
		`usermod: invalid field '$6$salt$h/.sh'`:                           "usermod: invalid field '(withheld)'",
		"$y$j9T$abc$def:1000":                                              "(withheld):1000",
		"costs $5 and $10":                                                 "",
	} {
		if want == "" {
			want = in
		}
		if got := Text(in); got != want {
			t.Errorf("%q\n got %q\nwant %q", in, got, want)
		}
	}
}

func TestFinding(t *testing.T) {
	for _, c := range [][3]string{
		{"$.storage.files.0.path", "path not absolute", "path not absolute"},
		{"$.storage.files.0.contents.source", `parse "x y": bad`, Mark},
		{"$.systemd.units.3.contents", `found garbage after section name: "TOKEN=secret"`, Mark},
		{"$.passwd.users.0.passwordHash", "unknown", Mark},
		{"$.storage.filesystems.0.device", `no such "data:,x"`, `no such "data:(withheld)`},
		{"", "config is not valid json", "config is not valid json"},
	} {
		if got := Finding(c[0], c[1]); got != c[2] {
			t.Errorf("%s: %q", c[0], got)
		}
	}
}

func TestCommands(t *testing.T) {
	for _, c := range []struct{ args, said, wantArgs, wantSaid string }{
		{"/usr/sbin/useradd --root /sysroot --password secret core", "useradd: invalid field 'secret'",
			`"/usr/sbin/useradd" "--root" "/sysroot" "--password" "(withheld)" "core"`, "useradd: invalid field '(withheld)'"},
		{"usermod --password * core", "usermod: *", `"usermod" "--password" "*" "core"`, "usermod: *"},
		{"groupadd -p secret g", "secret", `"groupadd" "-p" "(withheld)" "g"`, "(withheld)"},
		{"mkfs.ext4 -F /dev/sda1", "bad superblock", `"mkfs.ext4" "-F" "/dev/sda1"`, "bad superblock"},
		{"clevis luks bind secret", "secret", `"clevis" (withheld)`, "(withheld)"},
		{"", "secret", "", "(withheld)"},
	} {
		args := strings.Fields(c.args)
		if got := Command(args); got != c.wantArgs {
			t.Errorf("%s: %s", c.args, got)
		}
		if got := Said(args, []byte(c.said)); got != c.wantSaid {
			t.Errorf("%s said %s", c.args, got)
		}
	}
}
