package initrd

import (
	"bytes"
	"encoding/json"
	"os"
	"time"
)

const (
	retryAfter   = 15 * time.Second // for a person to read why
	restartLimit = 10 * time.Second
)

// Fail is the emergency policy: say what failed where a person or a hypervisor can read it, wait, and start again. Never a
// shell. It returns when the machine should long be off.
func (b *Boot) Fail(why error) {
	now := b.Machine.Now().Add(retryAfter).UTC().Format(time.RFC3339)
	b.say("%v", why)
	b.out().say("slipway-status: " + report(why, now))
	b.say("this machine starts again in %d s", int(retryAfter/time.Second))
	// A disk that hangs must not keep the machine: neither what is written back nor the restart may be waited for.
	go b.Machine.Sync("/")
	go b.Machine.Sync(statePath)
	b.Machine.Sleep(retryAfter)
	go b.Machine.Restart()
	b.Machine.Sleep(restartLimit)
	os.WriteFile(b.path("/proc/sysrq-trigger"), []byte("b\n"), 0o200) // https://docs.kernel.org/admin-guide/sysrq.html: at once
}

// report is the status of a boot that failed, as slipwayd's is of a node that forms.
func report(why error, retry string) string {
	var out bytes.Buffer
	enc := json.NewEncoder(&out)
	enc.SetEscapeHTML(false)
	err := enc.Encode(struct {
		Step      string `json:"step"`
		State     string `json:"state"`
		LastError string `json:"lastError"`
		NextRetry string `json:"nextRetry"`
	}{"initrd", "failed", printable(why.Error()), retry})
	if err != nil {
		return err.Error() // strings always encode
	}
	return string(bytes.TrimSpace(out.Bytes()))
}
