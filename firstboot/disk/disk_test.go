package disk

import (
	"cmp"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

const state = "/var/lib/slipway"

// ledger is a program with what it has reported as done, and what it was about to do when it died.
type ledger struct {
	disk *lossy
	done map[string]string // by path; missing: the file is not there
	next map[string]string // path -> what it becomes; "" for gone
	errs []error
}

func (l *ledger) do(err error, path, becomes string) {
	if err != nil {
		l.errs = append(l.errs, err)
	}
	if becomes == "" {
		delete(l.done, path)
	} else {
		l.done[path] = becomes
	}
	delete(l.next, path)
}

func (l *ledger) write(name, text string) {
	path := filepath.Join(state, name)
	l.next[path] = text + " 600"
	if err := MakeAll(l.disk, filepath.Dir(path), 0o755); err != nil {
		l.errs = append(l.errs, err)
	}
	l.do(Write(l.disk, path, []byte(text), 0o600), path, text+" 600")
}

func (l *ledger) remove(name string) {
	path := filepath.Join(state, name)
	l.next[path] = ""
	l.do(Remove(l.disk, path), path, "")
}

func (l *ledger) rename(from, to string) {
	from, to = filepath.Join(state, from), filepath.Join(state, to)
	text := l.done[from]
	l.next[from], l.next[to] = "", text
	err := Rename(l.disk, from, to)
	l.do(err, from, "")
	l.do(err, to, text)
}

// start is how every process begins: what it then reads, it believes.
func (l *ledger) start() {
	if err := Settle(l.disk, state, state+"/units"); err != nil {
		l.errs = append(l.errs, err)
	}
	l.done, l.next = l.disk.files(), map[string]string{}
}

// work is a bit of everything that formation does to its files.
func (l *ledger) work() {
	l.start()
	l.write("journal", "1")
	l.write("journal", "2")
	l.write("units/etcd", "unit")
	l.write("manifest", "etcd") // between two changes of one file, so that a cut finds the first one reported
	l.remove("units/etcd")
	l.rename("journal", "journal.unreadable")
	l.write("journal", "3")
}

// lies compares what is on the disk with what was reported: a file that was reported is there, one that was being changed
// is as before or as after, and there is nothing else but half-written files under their hidden names.
func (l *ledger) lies() string {
	found := l.disk.files()
	for path, want := range l.done {
		next, changing := l.next[path]
		got, there := found[path]
		if there && got == want || changing && (there && got == next || !there && next == "") {
			continue
		}
		return fmt.Sprintf("%s was reported as %q, and is %q (there: %v)", path, want, got, there)
	}
	for path, got := range found {
		if _, known := l.done[path]; known || strings.HasPrefix(filepath.Base(path), ".slipway-") || got == l.next[path] {
			continue
		}
		return fmt.Sprintf("%s is %q, and nobody reported it", path, got)
	}
	return ""
}

// powerCuts cuts the power at every operation of the work, on a disk that drops one sync, and gives the first lie.
func powerCuts(drop int) (lie string, syncs int) {
	for _, eager := range []bool{false, true} {
		for at := 1; ; at++ {
			l := &ledger{disk: &lossy{root: newFolder(), eager: eager, crashAt: at, drop: drop}}
			died := l.disk.dies(l.work)
			l.disk.powerCut()
			if lie := l.lies(); lie != "" {
				return fmt.Sprintf("power cut at operation %d, eager %v: %s", at, eager, lie), l.disk.syncs
			}
			if len(l.errs) > 0 {
				return fmt.Sprint(l.errs), l.disk.syncs
			}
			if syncs = l.disk.syncs; !died {
				break
			}
		}
	}
	return "", syncs
}

// TestPowerCut: at no operation does a power cut make a lie of what was reported.
func TestPowerCut(t *testing.T) {
	if lie, _ := powerCuts(0); lie != "" {
		t.Error(lie)
	}
}

// TestEverySyncCounts takes out one sync of the work after the other: TestPowerCut would notice each. The first ones are
// Settle's, which finds nothing to do here; see TestKilled.
func TestEverySyncCounts(t *testing.T) {
	_, all := powerCuts(0)
	settle := &ledger{disk: &lossy{root: newFolder()}}
	settle.start()
	first := settle.disk.syncs + 1
	if all-first < 10 {
		t.Fatalf("the work has only %d syncs", all-first+1)
	}
	for drop := first; drop <= all; drop++ {
		if lie, _ := powerCuts(drop); lie == "" {
			t.Errorf("nobody noticed that sync %d of %d was left out", drop, all)
		}
	}
}

// killed kills the process at every operation; the next one starts, believes what it reads, writes a file, and then power
// fails.
func killed(drop int, writes string) (lie string) {
	for at := 1; ; at++ {
		l := &ledger{disk: &lossy{root: newFolder(), crashAt: at}}
		died := l.disk.dies(l.work)
		l.disk.crashAt, l.disk.syncs, l.disk.drop = 0, 0, drop
		l.start()
		l.write(writes, "9")
		l.disk.powerCut()
		if lie := l.lies(); lie != "" {
			return fmt.Sprintf("killed at operation %d: %s", at, lie)
		}
		for path := range l.disk.files() {
			if strings.HasPrefix(filepath.Base(path), ".slipway-") {
				return fmt.Sprintf("killed at operation %d: %s is left over", at, path)
			}
		}
		if !died {
			return ""
		}
	}
}

// TestKilled: what a new process reads is on the disk, even if the one before it died between a change and its sync; and
// half-written files are gone for good. Each sync of Settle counts.
func TestKilled(t *testing.T) {
	either := func(drop int) string { return cmp.Or(killed(drop, "journal"), killed(drop, "units/etcd")) }
	if lie := either(0); lie != "" {
		t.Error(lie)
	}
	syncs := len([]string{state, "/var/lib", "/var", "/", state + "/units"})
	for drop := 1; drop <= syncs; drop++ {
		if lie := either(drop); lie == "" {
			t.Errorf("nobody noticed that sync %d of Settle was left out", drop)
		}
	}
}

// TestSystem: the real calls do the same, and a folder that cannot be synced is no error.
func TestSystem(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "a", "b")
	if err := MakeAll(System{}, dir, 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, ".slipway-123"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := Settle(System{}, dir, filepath.Join(dir, "missing"), "/proc"); err != nil {
		t.Fatal(err)
	}
	for _, text := range []string{"one", "two"} {
		if err := Write(System{}, filepath.Join(dir, "f"), []byte(text), 0o640); err != nil {
			t.Fatal(err)
		}
	}
	if err := Rename(System{}, filepath.Join(dir, "f"), filepath.Join(dir, "g")); err != nil {
		t.Fatal(err)
	}
	entries, err := os.ReadDir(dir)
	if err != nil || len(entries) != 1 || entries[0].Name() != "g" {
		t.Errorf("there is %v, %v", entries, err)
	}
	data, err := os.ReadFile(filepath.Join(dir, "g"))
	info, err2 := os.Stat(filepath.Join(dir, "g"))
	if err != nil || err2 != nil || string(data) != "two" || info.Mode().Perm() != 0o640 {
		t.Errorf("%q, %v, %v, %v", data, info, err, err2)
	}
	for range 2 {
		if err := Remove(System{}, filepath.Join(dir, "g")); err != nil {
			t.Error(err)
		}
	}
	if err := Write(System{}, filepath.Join(dir, "missing", "f"), nil, 0o600); err == nil {
		t.Error("writing into a folder that is not there went well")
	}
}
