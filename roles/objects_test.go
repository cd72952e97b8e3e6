package roles_test

import (
	"crypto/sha256"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"slipway/internal/golden"
	"slipway/roles"
)

// TestRendering: templates of objects that changed are another rendering. If this fails, raise roles.Rendering (once between two
// releases is enough), then run with -update.
func TestRendering(t *testing.T) {
	files, err := filepath.Glob("controlplane/*.yaml.tmpl")
	if err != nil || len(files) == 0 {
		t.Fatal(err)
	}
	text := fmt.Sprintf("rendering %d\n", roles.Rendering)
	for _, name := range files {
		data, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		if strings.Contains(string(data), "\nmetadata:\n") {
			text += fmt.Sprintf("%x  %s\n", sha256.Sum256(data), filepath.Base(name))
		}
	}
	golden.Check(t, "testdata/objects.txt", []byte(text))
}
