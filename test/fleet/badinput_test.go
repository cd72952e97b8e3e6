//go:build fleet && all

package fleet_test

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

// TestBadInput gives one of three control planes, which has its data, what it must not go by: configs that are not its own, and
// journals that cannot be read. It says what is wrong and where, destroys nothing, and disturbs nobody; given what is right, it is back.
func TestBadInput(t *testing.T) {
	f := newFleet(t, "testdata/dedicated.yaml")
	f.Start("lb1", "cp1", "cp2", "cp3")
	whole := func() error { return errors.Join(f.formed(), f.whole(3)) }
	f.Wait(formLimit, "all nodes formed", whole)
	f.write("before")
	others := []string{"lb1", "cp1", "cp2"}
	id, before, table := f.clusterID("cp1"), f.processes(others...), newReport(t)
	for _, c := range []struct {
		injected string
		change   func(*fleet)
		says     string // on the console, as the node's last error
		goesOn   bool   // with its data, and what it says is a notice
	}{
		{"the config of another cluster", func(f *fleet) {
			f.hand("cp3", "name: dedicated\n", "name: elsewhere\n")
		},
			`is of "dedicated/1", and the node config is of "elsewhere/1"`, false},
		{"the config of another epoch", func(f *fleet) {
			f.hand("cp3", "cluster:\n", "cluster:\n    epoch: 2\n")
		},
			`is of "dedicated/1", and the node config is of "dedicated/2"`, false},
		{"the certificate of another node", func(f *fleet) {
			for _, file := range []string{"slipwayd.crt", "slipwayd.key"} {
				f.setConfigFile("cp3", "pki/"+file, f.configFile("cp2", "pki/"+file))
			}
		}, `certificate "slipwayd": it is that of "cp2"`, false},
		{"a list of nodes without this one", func(f *fleet) {
			f.setConfigFile("cp3", "node.json", f.changed(f.configFile("cp3", "node.json"), func(c map[string]any) {
				c["nodes"] = slices.DeleteFunc(c["nodes"].([]any), func(n any) bool { return n.(map[string]any)["name"] == "cp3" })
			}))
		}, `"cp3" is not in nodes`, false},
		{"a journal that is cut off", func(f *fleet) {
			text := f.journal("cp3")
			f.setJournal("cp3", text[:len(text)/2])
		}, "journal.json", true},
		{"a journal of a newer version", func(f *fleet) {
			f.setJournal("cp3", strings.Replace(f.journal("cp3"), `"version": 1`, `"version": 2`, 1))
		}, "version 2 is not 1", true},
	} {
		t.Run(c.injected, func(t *testing.T) {
			f := f.under(t)
			f.PowerCut("cp3")
			putBack := f.keep("cp3")
			data := f.etcdFiles("cp3")
			c.change(f)
			f.Start("cp3")
			if c.goesOn {
				f.Wait(time.Minute, "cp3 says so", func() error { return f.noticed(f.spec, "cp3", "journal", "journal", c.says) })
			} else {
				f.Wait(time.Minute, "cp3 says so", func() error { return f.lastError("cp3", c.says) })
				time.Sleep(5 * time.Second)
				if said, _ := f.In("cp3", "systemctl is-active etcd kube-apiserver; true"); strings.Contains("\n"+said, "\nactiv") {
					t.Errorf("it runs etcd or an API server:\n%s", said)
				}
				if now := f.etcdFiles("cp3"); now != data {
					t.Errorf("its data was %s, and is %s", data, now)
				}
				if err := f.whole(3, "cp1", "cp2"); err != nil {
					t.Error(err)
				}
				f.PowerCut("cp3")
				putBack()
				f.Start("cp3")
			}
			took := f.Wait(backLimit, "the cluster is whole", whole)
			if now := f.processes(others...); now != before || f.clusterID("cp3") != id {
				t.Errorf("cluster %s, before %s; running nodes were touched:\n%s\nand before:\n%s", f.clusterID("cp3"), id, now, before)
			}
			f.mustRead("before")
			table.add("bad input", c.injected, took, fmt.Sprintf("status says %q; data, members and processes as before", c.says))
		})
		if t.Failed() {
			return
		}
	}
	if aside, err := filepath.Glob(filepath.Join(f.node("cp3").dir, "var/lib/slipway/journal.json.unreadable-*")); err != nil || len(aside) != 2 {
		t.Errorf("the journals that could not be read are kept as %v, %v", aside, err)
	}
}

// hand gives a machine the config that its node would have by a spec with another text in one place: with the same secrets if that is
// still the same cluster.
func (f *fleet) hand(name, old, other string) {
	f.t.Helper()
	dir := f.t.TempDir()
	spec, secrets := filepath.Join(dir, "cluster.yaml"), filepath.Join(dir, "secrets")
	text, err := os.ReadFile(f.spec)
	if err == nil {
		err = os.WriteFile(spec, []byte(strings.Replace(string(text), old, other, 1)), 0o644)
	}
	if err != nil {
		f.fatal(err)
	}
	if strings.HasPrefix(old, "name: ") {
		f.slipway("pki", "init", "-f", spec, "--secrets", secrets)
	} else {
		must(f.t, "cp", "-a", filepath.Join(f.dir, "secrets"), secrets)
	}
	f.slipway("ignition", "-f", spec, "--secrets", secrets, "-o", dir)
	configs, err := filepath.Glob(filepath.Join(dir, "*."+name+".ign"))
	if err != nil || len(configs) != 1 {
		f.fatalf("configs of %s: %v, %v", name, configs, err)
	}
	given := filepath.Join(dir, "root")
	must(f.t, "mkdir", given)
	must(f.t, f.image.ignition, "--root", given, configs[0])
	must(f.t, "cp", "-a", filepath.Join(given, "etc/slipway")+"/.", filepath.Join(f.node(name).etcUpper(), "slipway"))
}

// configFile is a file of a node's config, on its disk.
func (f *fleet) configFile(name, file string) string {
	f.t.Helper()
	data, err := os.ReadFile(filepath.Join(f.node(name).etcUpper(), "slipway", file))
	if err != nil {
		f.fatal(err)
	}
	return string(data)
}

func (f *fleet) setConfigFile(name, file, text string) {
	f.t.Helper()
	if err := os.WriteFile(filepath.Join(f.node(name).etcUpper(), "slipway", file), []byte(text), 0o600); err != nil {
		f.fatal(err)
	}
}

// keep gives what puts a node's config back as it is now.
func (f *fleet) keep(name string) (putBack func()) {
	f.t.Helper()
	now, kept := filepath.Join(f.node(name).etcUpper(), "slipway"), filepath.Join(f.t.TempDir(), "kept")
	must(f.t, "cp", "-a", now, kept)
	return func() {
		must(f.t, "rm", "-rf", now)
		must(f.t, "cp", "-a", kept, now)
	}
}

func (f *fleet) journalPath(name string) string {
	return filepath.Join(f.node(name).dir, "var/lib/slipway/journal.json")
}

func (f *fleet) journal(name string) string {
	f.t.Helper()
	data, err := os.ReadFile(f.journalPath(name))
	if err != nil {
		f.fatal(err)
	}
	return string(data)
}

func (f *fleet) setJournal(name, text string) {
	f.t.Helper()
	if err := os.WriteFile(f.journalPath(name), []byte(text), 0o600); err != nil {
		f.fatal(err)
	}
}

// etcdFiles are the files of a node's etcd data, by inode and size: one that was made anew is another.
func (f *fleet) etcdFiles(name string) string {
	f.t.Helper()
	out, err := f.image.run(f.dir, "find", filepath.Join(f.node(name).dir, "var/lib/etcd/member"), "-type", "f", "-printf", "%i %f %s\n")
	if err != nil {
		f.fatal(err)
	}
	return out
}

// lastError demands it of what a machine said last on its console.
func (f *fleet) lastError(name, want string) error {
	all := f.console(name)
	if len(all) == 0 || !strings.Contains(all[len(all)-1].LastError, want) {
		return fmt.Errorf("%s says %+v", name, all[max(0, len(all)-1):])
	}
	return nil
}
