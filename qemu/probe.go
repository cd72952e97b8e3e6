package qemu

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"slipway/internal/durable"
)

// probeLimit is how long the firmware may take under KVM: it takes one or two seconds where KVM works.
const probeLimit = 8 * time.Second

// kvmDevice is the door to KVM; that it opens proves nothing.
const kvmDevice = "/dev/kvm"

// probeWord is what OVMF prints when it starts to look for something to boot.
const probeWord = "BdsDxe"

// probeAnswer is remembered until the computer is started again or has another QEMU.
type probeAnswer struct {
	Boot    string `json:"boot"` // /proc/sys/kernel/random/boot_id
	Version string `json:"version"`
	Works   bool   `json:"works"`
	Reason  string `json:"reason"`
}

// probeKVM boots the firmware alone under KVM. /dev/kvm may open and still not run a guest, as on nested hosts, so
// only a boot proves it.
func probeKVM(ctx context.Context, h Host, device, file string) (Accel, error) {
	dev, err := os.OpenFile(device, os.O_RDWR, 0)
	if err != nil {
		return TCG, nil
	}
	dev.Close()
	boot, err := os.ReadFile("/proc/sys/kernel/random/boot_id")
	if err != nil {
		return "", fmt.Errorf("probing kvm: %w", err)
	}
	want := probeAnswer{Boot: strings.TrimSpace(string(boot)), Version: h.Version.String()}
	got, ok := recall(file, want)
	if !ok {
		got = want
		if got.Works, got.Reason, err = tryKVM(ctx, h); err != nil {
			return "", err
		}
		remember(file, got)
	}
	if got.Works {
		return KVM, nil
	}
	return TCG, nil
}

func recall(file string, want probeAnswer) (probeAnswer, bool) {
	var got probeAnswer
	data, err := os.ReadFile(file)
	if err != nil || json.Unmarshal(data, &got) != nil {
		return got, false
	}
	return got, got.Boot == want.Boot && got.Version == want.Version
}

// remember is only a cache: when it cannot be written, the next run probes again.
func remember(file string, a probeAnswer) {
	data, err := json.Marshal(a)
	if err != nil || os.MkdirAll(filepath.Dir(file), 0o700) != nil {
		return
	}
	_ = durable.Write(file, append(data, '\n'), 0o600)
}

func probeArgv(h Host) []string {
	argv := append([]string{h.QEMU}, "-name", "slipway.kvm-probe",
		"-no-user-config", "-nodefaults", "-display", "none", "-machine", "q35")
	argv = append(argv, accelArgs(KVM)...)
	return append(argv, "-m", "256M",
		"-drive", "if=pflash,unit=0,format=raw,readonly=on,file="+escape(h.Code),
		"-drive", "if=pflash,unit=1,format=raw,snapshot=on,file="+escape(h.Vars),
		"-serial", "stdio")
}

// tryKVM gives the answer and its reason; an error only when the caller gave up.
func tryKVM(ctx context.Context, h Host) (works bool, reason string, err error) {
	limited, cancel := context.WithTimeout(ctx, probeLimit)
	defer cancel()
	var seen watcher
	seen.stop = cancel
	argv := probeArgv(h)
	cmd := exec.CommandContext(limited, argv[0], argv[1:]...)
	cmd.Stdout, cmd.Stderr = &seen, &seen
	runErr := cmd.Run()
	switch {
	case seen.has(probeWord):
		return true, "the firmware runs", nil
	case ctx.Err() != nil:
		return false, "", ctx.Err()
	case seen.has(kvmBroken):
		return false, "KVM internal error", nil
	case errors.Is(limited.Err(), context.DeadlineExceeded):
		return false, fmt.Sprintf("the firmware said nothing for %v", probeLimit), nil
	}
	return false, fmt.Sprintf("qemu ended: %v", runErr), nil
}

// kvmBroken is how QEMU reports that the kernel could not run the guest; it then stands still.
const kvmBroken = "KVM internal error"

// watcher collects output and stops the probe as soon as the answer is in it.
type watcher struct {
	mu   sync.Mutex
	text bytes.Buffer
	stop func()
}

var _ io.Writer = (*watcher)(nil)

func (w *watcher) Write(p []byte) (int, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.text.Write(p)
	if s := w.text.String(); strings.Contains(s, probeWord) || strings.Contains(s, kvmBroken) {
		w.stop()
	}
	return len(p), nil
}

func (w *watcher) has(word string) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	return strings.Contains(w.text.String(), word)
}
