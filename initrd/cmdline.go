package initrd

import (
	"fmt"
	"os"
	"strings"
)

// readCmdline takes the kernel's command line apart.
func (b *Boot) readCmdline() error {
	text, err := os.ReadFile(b.path("/proc/cmdline"))
	if err != nil {
		return err
	}
	b.words, b.cmdline = strings.Fields(string(text)), map[string]string{}
	for _, word := range b.words {
		name, value, _ := strings.Cut(word, "=")
		b.cmdline[name] = value
	}
	return nil
}

// secureBoot says whether the firmware started nothing that is not signed: UEFI 2.10, 3.3. A variable has four bytes before
// its content.
func (b *Boot) secureBoot() bool {
	data, err := os.ReadFile(b.path("/sys/firmware/efi/efivars/SecureBoot-8be4df61-93ca-11d2-aa0d-00e098032b8c"))
	return err == nil && len(data) == 5 && data[4] == 1
}

// checkCmdline refuses what was added to the signed command line, which is possible behind it: systemd's stub takes more words
// from SMBIOS, also with Secure Boot. The image's own last word is the root hash. Whose data may go is asked of the machine
// alone (ADR 15), and harms nobody who has a stamp.
func (b *Boot) checkCmdline() error {
	if !b.secureBoot() {
		return nil
	}
	signed := true
	for _, word := range b.words {
		if !signed && !strings.HasPrefix(word, "slipway.wipe=") {
			return fmt.Errorf("secure boot is on, and %q was added to the kernel's signed command line: take it out of the machine's settings", word)
		}
		signed = signed && !strings.HasPrefix(word, "roothash=")
	}
	return nil
}
