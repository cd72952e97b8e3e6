package ignition

import (
	"errors"
	"testing"
)

// FuzzSnippet: whatever a snippet holds, the config is rendered and readable, or refused as the user's mistake.
func FuzzSnippet(f *testing.F) {
	f.Add([]byte(`{"ignition":{"version":"3.4.0"},"storage":{"files":[{"path":"/etc/motd","contents":{"source":"data:,a"}}]}}`))
	f.Add([]byte(`{"ignition":{"version":"3.6.0"},"systemd":{"units":[{"name":"a.service","dropins":[{"name":"b.conf"}]}]}}`))
	f.Add([]byte(`{"ignition":{"version":"3.0.0"},"storage":{"links":[{"path":"/a","target":"/b"}]}}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		in := single()
		in.Snippets = []Snippet{{Name: "x.bu", Ignition: data}}
		out, err := Render(in)
		var coded interface{ ExitCode() int }
		if err != nil && (!errors.As(err, &coded) || coded.ExitCode() != 2) {
			t.Fatalf("refused without exit code 2: %v", err)
		}
		if err != nil {
			return
		}
		if _, err := Decode(out); err != nil {
			t.Errorf("not readable: %v", err)
		}
	})
}
