package qemu

import (
	"encoding/json"
	"net"
	"os"
	"path/filepath"
	"testing"
)

// fakeQEMU is a program that behaves as QEMU would under a KVM of some sort.
func fakeQEMU(t *testing.T, script string) Host {
	t.Helper()
	h := testHost(KVM)
	h.QEMU = filepath.Join(t.TempDir(), "qemu")
	if err := os.WriteFile(h.QEMU, []byte("#!/bin/sh\necho x >>$0.ran\n"+script), 0o755); err != nil {
		t.Fatal(err)
	}
	return h
}

func TestProbe(t *testing.T) {
	for _, tc := range []struct {
		name, script string
		want         Accel
	}{
		{"runs", "echo BdsDxe: loading; exec sleep 60", KVM},
		{"cannot emulate", "echo KVM internal error. Suberror: 1 >&2; exec sleep 60", TCG},
		{"ends", "exit 1", TCG},
	} {
		t.Run(tc.name, func(t *testing.T) {
			h, file := fakeQEMU(t, tc.script), filepath.Join(t.TempDir(), "sub", "kvm.json")
			for range 2 {
				got, err := probeKVM(t.Context(), h, "/dev/null", file)
				if err != nil || got != tc.want {
					t.Fatalf("want %s, got %s, %v", tc.want, got, err)
				}
			}
			if ran, _ := os.ReadFile(h.QEMU + ".ran"); string(ran) != "x\n" {
				t.Errorf("the answer was not remembered: qemu ran %q", ran)
			}
		})
	}
}

// An answer counts for one boot of the computer and one QEMU.
func TestProbeForgets(t *testing.T) {
	file := filepath.Join(t.TempDir(), "kvm.json")
	a := probeAnswer{Boot: "b1", Version: "10.0.2", Works: true}
	data, _ := json.Marshal(a)
	if err := os.WriteFile(file, data, 0o600); err != nil {
		t.Fatal(err)
	}
	for _, tc := range []struct {
		boot, version string
		known         bool
	}{{"b1", "10.0.2", true}, {"b2", "10.0.2", false}, {"b1", "10.0.3", false}} {
		if _, known := recall(file, probeAnswer{Boot: tc.boot, Version: tc.version}); known != tc.known {
			t.Errorf("%+v", tc)
		}
	}
}

func listenAny() (net.Listener, error) { return net.Listen("tcp4", "127.0.0.1:0") }

func portOf(l net.Listener) int { return l.Addr().(*net.TCPAddr).Port }
