package drivers

import (
	"fmt"
	"strings"
	"testing"
)

// row is what `make check-mirrors` prints of a release's kernel stream: a line of a table in Markdown.
type row struct {
	Distro, Release, Stream     string
	Kernel, Systemd, Containerd string // versions, "-" where there is none
	Packages                    int
	Made                        string // day of the newest metadata
	Result                      string // ok, or the first line of the error
}

const reportHead = "| distro | release | stream | kernel | systemd | containerd | packages | made | result |\n|---|---|---|---|---|---|---|---|---|\n"

func (r row) String() string {
	cells := []string{r.Distro, r.Release, r.Stream, r.Kernel, r.Systemd, r.Containerd, fmt.Sprint(r.Packages), r.Made, r.Result}
	for i, c := range cells {
		if cells[i] = strings.ReplaceAll(c, "|", "/"); c == "" {
			cells[i] = "-"
		}
	}
	return "| " + strings.Join(cells, " | ") + " |\n"
}

// parseReport reads the table out of whatever was printed around it.
func parseReport(text string) (rows []row, err error) {
	_, table, ok := strings.Cut(text, reportHead)
	if !ok {
		return nil, fmt.Errorf("there is no table")
	}
	for line := range strings.Lines(table) {
		cells := strings.Split(strings.TrimSpace(line), " | ")
		if len(cells) != 9 || !strings.HasPrefix(line, "| ") {
			break
		}
		var n int
		if _, err := fmt.Sscan(cells[6], &n); err != nil {
			return nil, fmt.Errorf("%q: %w", line, err)
		}
		rows = append(rows, row{
			Distro: strings.TrimPrefix(cells[0], "| "), Release: cells[1], Stream: cells[2], Kernel: cells[3], Systemd: cells[4], Containerd: cells[5],
			Packages: n, Made: cells[7], Result: strings.TrimSuffix(cells[8], " |"),
		})
	}
	return rows, nil
}

// What is printed is read again, whatever an error says.
func TestReport(t *testing.T) {
	rows := []row{
		{"debian", "trixie", "stable", "6.12.9", "257.13-1~deb13u1", "1.7.24~ds1-6", 206, "2026-12-01", "ok"},
		{"ubuntu", "noble", "hwe", "-", "-", "-", 0, "-", "reading the package indexes of http://m / x: exit status 100"},
	}
	text := "=== RUN\n" + reportHead
	for _, r := range rows {
		text += r.String()
	}
	got, err := parseReport(text + "--- PASS: TestMirrors\n")
	if err != nil || len(got) != 2 || got[0] != rows[0] || got[1] != rows[1] {
		t.Errorf("got %+v, %v", got, err)
	}
	if r := (row{Result: "a | b"}).String(); r != "| - | - | - | - | - | - | 0 | - | a / b |\n" {
		t.Errorf("got %q", r)
	}
}
