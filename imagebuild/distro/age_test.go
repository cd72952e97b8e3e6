package distro

import (
	"strings"
	"testing"
	"time"
)

func TestCheckAge(t *testing.T) {
	day := func(n int) time.Time { return time.Date(2026, 10, n, 0, 0, 0, 0, time.UTC) }
	mirrors := Mirrors{"noble": "http://m/ubuntu", "noble-updates": "http://m/20261001"}
	deliberate := func(mirror string) bool { return strings.HasSuffix(mirror, "20261001") }
	seen := map[string]time.Time{"noble": day(5), "noble-updates": day(5), "gone": day(5)}
	for want, now := range map[string]map[string]time.Time{
		"": {"noble": day(5), "noble-updates": day(1), "new": day(1)},
		"those of noble are of 2026-10-04T00:00:00Z, and older": {"noble": day(4)},
	} {
		err := CheckAge(seen, now, mirrors, deliberate)
		if (err == nil) != (want == "") || err != nil && !strings.Contains(err.Error(), want) {
			t.Errorf("%v: got %v", now, err)
		}
	}
}
