package payload

import (
	"bytes"
	"debug/elf"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"slipway/cluster"
)

// What a config holds and nobody may read on a console or in a journal.
const (
	secretText = "-----BEGIN EC PRIVATE KEY-----\nMHcCAQEEIAnotherNodesSecret\n-----END EC PRIVATE KEY-----\n"
	secretLine = "node token = do not tell"
	secretUnit = "TOKEN=of-the-unit"
	secretHash = "$6$saltsalt$thehashofapasswordthehashofapassword"
	secretKey  = "the-key-of-a-disk"
)

// secretMarks are pieces of them, as they are and as a data URL writes them.
func secretMarks() []string {
	marks := []string{"do not tell", "do%20not", "AnotherNodesSecret", "of-the-unit", "thehashofapassword", "of-a-disk"}
	for _, s := range []string{secretText, secretLine, secretUnit, secretHash, secretKey} {
		for shift := range 3 { // wherever it stands in what was encoded
			text := base64.StdEncoding.EncodeToString([]byte("xxx"[:shift] + s))
			marks = append(marks, text[4:len(text)-4])
		}
	}
	return marks
}

type object = map[string]any

// secretConfig is a config that holds all of it and can be set up, apart from what broken adds.
func secretConfig(broken func(config, storage object)) object {
	data := func(s string) object {
		return object{"source": "data:;base64," + base64.StdEncoding.EncodeToString([]byte(s))}
	}
	storage := object{"files": []object{
		{"path": "/etc/key", "contents": data(secretText)},
		{"path": "/etc/plain", "contents": object{"source": "data:," + strings.ReplaceAll(secretLine, " ", "%20")}},
	}}
	config := object{"ignition": object{"version": "3.4.0"}, "storage": storage,
		"systemd": object{"units": []object{{"name": "a.service", "contents": "[Service]\nEnvironment=" + secretUnit + "\n"}}},
	}
	broken(config, storage)
	return config
}

// more adds to the files of a config.
func more(storage object, file object) {
	storage["files"] = append(storage["files"].([]object), file)
}

// TestIgnitionTellsNoSecrets fails every stage of the Ignition that images get, and reads all that it prints.
func TestIgnitionTellsNoSecrets(t *testing.T) {
	program := builtIgnition(t)
	for name, c := range map[string]struct {
		stage  string
		broken func(config, storage object)
		want   string // why it failed, without which the test would test another failure
	}{
		"fetch: a URL that is none": {"fetch", func(_, s object) {
			more(s, object{"path": "/x", "contents": object{"source": "data:," + secretLine + "%zz"}})
		}, "$.storage.files.2.contents.source"},
		"fetch: bad base64": {"fetch", func(_, s object) {
			more(s, object{"path": "/x", "contents": object{"source": "data:;base64," + secretLine}})
		}, "$.storage.files.2.contents.source"},
		"fetch: a unit that is none": {"fetch", func(c, _ object) {
			c["systemd"] = object{"units": []object{{"name": "b.service", "contents": "[Service] " + secretUnit + "\n"}}}
		}, "$.systemd.units.0.contents"},
		"fetch: a broken config inside": {"fetch", func(c, _ object) {
			c["ignition"] = object{"version": "3.4.0", "config": object{"merge": []object{{"source": "data:,{%22x%22:%22" + strings.ReplaceAll(secretLine, " ", "%20")}}}}
		}, "failed to fetch config"},
		"fetch: an address with a password": {"fetch", func(c, _ object) {
			c["ignition"] = object{"version": "3.4.0", "timeouts": object{"httpTotal": 1},
				"config": object{"merge": []object{{"source": "http://core:of-the-unit@127.0.0.1:1/x?token=of-a-disk"}}}}
		}, "http://(withheld)@127.0.0.1:1/x?(withheld)"},
		"disks: no disk": {"disks", func(_, s object) {
			s["disks"] = []object{{"device": "/dev/null", "partitions": []object{}}}
			s["luks"] = []object{{"name": "l", "device": "/dev/null", "keyFile": object{"source": "data:," + secretKey}}}
		}, "disks failed"},
		"mount: no such device": {"mount", func(_, s object) {
			s["filesystems"] = []object{{"device": "/dev/nonexistent", "path": "/data", "format": "ext4"}}
		}, "mount failed"},
		"kargs: no helper": {"kargs", func(c, _ object) {
			c["kernelArguments"] = object{"shouldExist": []string{"quiet"}}
		}, "kargs failed"},
		"files: the last cannot be written": {"files", func(_, s object) {
			more(s, object{"path": "/etc/key/below", "contents": object{"source": "data:," + secretKey}})
		}, "/etc/key/below"},
		"files: a wrong digest": {"files", func(_, s object) {
			more(s, object{"path": "/x", "contents": object{"source": "data:," + secretKey,
				"verification": object{"hash": "sha256-" + strings.Repeat("0", 64)}}})
		}, "hash verification failed"},
		"files: a user that cannot be made": {"files", func(c, _ object) {
			c["passwd"] = object{"users": []object{{"name": "core", "passwordHash": secretHash, "uid": 1}}}
		}, `"--password" "(withheld)"`},
	} {
		t.Run(name, func(t *testing.T) {
			out := runIgnition(t, program, c.stage, secretConfig(c.broken))
			if !strings.Contains(out, c.want) {
				t.Errorf("it failed for another reason than %q:\n%s", c.want, out)
			}
			for _, mark := range secretMarks() {
				if strings.Contains(out, mark) {
					t.Errorf("it tells %q:\n%s", mark, out)
				}
			}
		})
	}
}

// runIgnition runs one stage, which must fail, in an empty root and returns both streams. A stage after fetch takes its
// config from fetch, or else from the cache as fetch writes it.
func runIgnition(t *testing.T, program, stage string, config object) string {
	t.Helper()
	dir := t.TempDir()
	raw, err := json.Marshal(config)
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(dir, "config.ign")
	if err := os.WriteFile(file, raw, 0o600); err != nil {
		t.Fatal(err)
	}
	run := func(stage string) (string, error) {
		cmd := exec.Command(program, "--platform=file", "--stage="+stage, "--root="+filepath.Join(dir, "root"), "--log-to-stdout", "--fetch-timeout=2s",
			"--config-cache="+filepath.Join(dir, "cache.json"), "--state-file="+filepath.Join(dir, "state"), "--neednet="+filepath.Join(dir, "neednet"))
		cmd.Env = append(os.Environ(), "IGNITION_CONFIG_FILE="+file)
		var out bytes.Buffer
		cmd.Stdout, cmd.Stderr = &out, &out
		err := cmd.Run()
		return out.String(), err
	}
	if err := os.Mkdir(filepath.Join(dir, "root"), 0o755); err != nil {
		t.Fatal(err)
	}
	var before string
	if stage != "fetch" {
		if before, err = run("fetch"); err != nil {
			t.Fatalf("the config is no test of %s: %v\n%s", stage, err, before)
		}
	}
	out, err := run(stage)
	if err == nil {
		t.Fatalf("it did not fail:\n%s", out)
	}
	return before + out
}

// builtIgnition is the payload, built for real.
func builtIgnition(t *testing.T) string {
	t.Helper()
	env := realEnv(t)
	for _, item := range realPlan(t) {
		if item.Name == cluster.PayloadIgnition {
			res, err := Build(t.Context(), item, env)
			if err != nil {
				t.Fatal(err)
			}
			return res.Files[0].HostPath
		}
	}
	t.Fatal("no Ignition in the plan")
	return ""
}

// TestIgnitionIsStatic: it fits every tree, whatever C library that has.
func TestIgnitionIsStatic(t *testing.T) {
	f, err := elf.Open(builtIgnition(t))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	for _, p := range f.Progs {
		if p.Type == elf.PT_INTERP || p.Type == elf.PT_DYNAMIC {
			t.Errorf("it has a %v", p.Type)
		}
	}
	if libs, err := f.ImportedLibraries(); err == nil && len(libs) > 0 {
		t.Error(fmt.Sprint("it needs ", libs))
	}
}
