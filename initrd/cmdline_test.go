package initrd

import (
	"strings"
	"testing"
)

func TestAddedArguments(t *testing.T) {
	const (
		on     = "\x06\x00\x00\x00\x01"
		off    = "\x06\x00\x00\x00\x00"
		signed = "rootfstype=squashfs ro roothash=" + hash
	)
	for name, c := range map[string]struct {
		secureBoot, cmdline string
		want                string // "" if the boot goes on
	}{
		"signed alone":          {on, signed, ""},
		"something added":       {on, signed + " init=/bin/sh", `"init=/bin/sh" was added`},
		"another root":          {on, signed + " roothash=" + strings.Repeat("0", 64), `"roothash=0000`},
		"whose data may go":     {on, signed + " slipway.wipe=demo", ""},
		"and more":              {on, signed + " slipway.wipe=demo quiet", `"quiet" was added`},
		"without Secure Boot":   {off, signed + " init=/bin/sh", ""},
		"firmware without it":   {"", signed + " init=/bin/sh", ""},
		"a variable of nothing": {"\x06\x00\x00\x00", signed + " quiet", ""},
	} {
		w := newWorld(t)
		w.put("proc/cmdline", c.cmdline+"\n")
		if c.secureBoot != "" {
			w.put("sys/firmware/efi/efivars/SecureBoot-8be4df61-93ca-11d2-aa0d-00e098032b8c", c.secureBoot)
		}
		b := w.boot()
		if err := b.readCmdline(); err != nil {
			t.Fatal(err)
		}
		if err := b.checkCmdline(); (err == nil) != (c.want == "") || err != nil && !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: got %v, want %q", name, err, c.want)
		}
	}
}
