//go:build fleet

package fleet_test

import (
	"bufio"
	"context"
	"crypto/tls"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// TestLookingInside: the operator sees a node's logs, units and kernel messages before it has formed, after, and without a
// quorum; nobody else does; and no key of the cluster is in what comes out.
func TestLookingInside(t *testing.T) {
	f := newFleet(t, "testdata/dedicated.yaml")
	f.Start("cp1")
	f.Wait(time.Minute, "a node alone shows its journal", func() error {
		return f.shows("cp1 begins", "listening|Started|Starting|time-gate|slipwayd", "logs", "cp1", "slipwayd", "--file", f.spec)
	})
	f.Wait(time.Minute, "a node alone shows its units", func() error {
		return f.shows("units", "slipwayd.service", "services", "cp1", "-f", f.spec)
	})
	f.Start("lb1", "cp2", "cp3", "w1")
	f.Wait(formLimit, "all nodes formed", f.formed)

	f.Wait(time.Minute, "status tells who leads, and who holds the address", f.statusIsWhole)
	f.slipway("wait", "-f", f.spec, "--for", "formed", "--timeout", "1m")
	f.mustShow("etcd's journal", `"msg":"`, "logs", "cp1", "etcd", "-n", "50", "--file", f.spec)
	f.mustShow("this boot's journal", "systemd", "logs", "w1", "--boot", "0", "--since", "1h", "--file", f.spec)
	f.mustShow("the kernel's messages", "Linux version|[0-9]", "dmesg", "cp1", "--file", f.spec)
	f.mustShow("a balancer's units", "slipway-keepalived.service +active", "services", "lb1", "-f", f.spec)
	f.servicesAre("cp1", "etcd.service", "kube-apiserver.service")
	f.followSees("cp1")
	f.othersAreRefused("cp2", "cp1")

	f.PowerCut("cp2", "cp3")
	f.Wait(time.Minute, "etcd has no quorum", func() error {
		if _, err := f.etcdctl("cp1", "get x"); err == nil {
			return errors.New("it has one")
		}
		return nil
	})
	if _, err := f.image.run(f.dir, f.image.slipway(), "wait", "-f", f.spec, "--for", "etcd", "--timeout", "8s"); err == nil || !strings.Contains(err.Error(), "not so that etcd nodes answer\ncp2: no answer yet") {
		t.Errorf("waiting for etcd without a quorum: %v", err)
	}
	f.bundleIsWhole()
}

// statusIsWhole says what is missing from status --json: one leader among three members of one cluster, one holder of the VIP,
// and the end of every node's certificates.
func (f *fleet) statusIsWhole() error {
	out, err := f.image.run(f.dir, f.image.slipway(), "status", "-f", f.spec, "--json")
	if err != nil {
		return err
	}
	var nodes []struct {
		Node   string
		Roles  []string
		Health struct {
			Etcd *struct {
				Role, Cluster     string
				Healthy           bool
				DBSize, RaftIndex int64
				Members           []struct{ Name string }
			}
			API          *struct{ Ready bool }
			VIP          *struct{ Held bool }
			Certificates []struct{ Ends time.Time }
		}
	}
	if err := json.Unmarshal([]byte(out), &nodes); err != nil {
		return err
	}
	count, clusters := map[string]int{}, map[string]bool{}
	for _, n := range nodes {
		h := n.Health
		if len(n.Roles) == 0 || len(h.Certificates) == 0 || time.Until(h.Certificates[0].Ends) < 24*time.Hour {
			return fmt.Errorf("%s: %+v", n.Node, n)
		}
		if e := h.Etcd; e != nil {
			count[e.Role]++
			clusters[e.Cluster] = true
			if !e.Healthy || e.DBSize < 1000 || e.RaftIndex < 10 || len(e.Members) != 3 {
				return fmt.Errorf("%s: %+v", n.Node, *e)
			}
		}
		if h.API != nil && h.API.Ready {
			count["ready"]++
		}
		if h.VIP != nil && h.VIP.Held {
			count["held"]++
		}
	}
	if count["leader"] != 1 || count["voter"] != 2 || count["ready"] != 3 || count["held"] != 1 || len(clusters) != 1 {
		return fmt.Errorf("counted %v in clusters %v", count, clusters)
	}
	return nil
}

// shows says what is wrong with what slipway prints: it must match a regular expression (grep -E).
func (f *fleet) shows(what, want string, args ...string) error {
	out, err := f.image.run(f.dir, f.image.slipway(), args...)
	if err != nil {
		return err
	}
	grep := exec.Command("grep", "-qE", want)
	grep.Stdin = strings.NewReader(out)
	if grep.Run() != nil {
		return fmt.Errorf("%s: no %q in\n%s", what, want, tail(out, 20))
	}
	return nil
}

func (f *fleet) mustShow(what, want string, args ...string) {
	f.t.Helper()
	if err := f.shows(what, want, args...); err != nil {
		f.t.Error(err)
	}
}

// servicesAre demands that units run, since a moment that can be, with memory of their own.
func (f *fleet) servicesAre(name string, units ...string) {
	f.t.Helper()
	var doc struct {
		Services []struct {
			Unit, Active string
			Since        time.Time
			Ours         bool
		}
	}
	if err := json.Unmarshal([]byte(f.slipway("services", name, "-f", f.spec, "--json")), &doc); err != nil {
		f.fatal(err)
	}
	active := map[string]bool{}
	for _, s := range doc.Services {
		active[s.Unit] = s.Active == "active" && s.Ours && time.Since(s.Since) < time.Hour
	}
	for _, u := range units {
		if !active[u] {
			f.t.Errorf("%s of %s is not running: %+v", u, name, doc.Services)
		}
	}
}

// followSees: a line that comes after the question comes out; a key that a program prints before it does not.
func (f *fleet) followSees(name string) {
	f.t.Helper()
	if _, err := f.In(name, `systemd-run --quiet --unit=telltale /bin/sh -c 'cat /etc/slipway/pki/sa.key; while sleep 1; do echo a new line; done'`); err != nil {
		f.fatal(err)
	}
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	cmd := exec.CommandContext(ctx, f.image.slipway(), "logs", name, "telltale", "-f", "--file", f.spec)
	out, err := cmd.StdoutPipe()
	if err == nil {
		err = cmd.Start()
	}
	if err != nil {
		f.fatal(err)
	}
	said, lines := "", 0
	for s := bufio.NewScanner(out); lines < 3 && s.Scan(); {
		said += s.Text() + "\n"
		if strings.HasSuffix(s.Text(), "a new line") {
			lines++
		}
	}
	cancel()
	cmd.Wait() // it was killed
	if lines < 3 || !strings.Contains(said, "left out: key material") {
		f.t.Errorf("followed:\n%s", said)
	}
	f.hasNoSecret("what was followed", said)
	if left, err := f.In(name, "systemctl stop telltale; for i in $(seq 50); do pgrep -x journalctl || exit 0; sleep 0.1; done; exit 1"); err != nil {
		f.t.Errorf("journalctl goes on: %s, %v", left, err)
	}
}

// othersAreRefused: a node asks another as what it is.
func (f *fleet) othersAreRefused(from, to string) {
	f.t.Helper()
	pki := filepath.Join(f.node(from).etcUpper(), "slipway/pki")
	pair, err := tls.LoadX509KeyPair(filepath.Join(pki, "slipwayd.crt"), filepath.Join(pki, "slipwayd.key"))
	if err != nil {
		f.fatal(err)
	}
	client := &http.Client{Timeout: 10 * time.Second, Transport: &http.Transport{TLSClientConfig: &tls.Config{Certificates: []tls.Certificate{pair}, InsecureSkipVerify: true}}}
	for path, want := range map[string]int{"status": http.StatusOK, "logs": http.StatusForbidden, "dmesg": http.StatusForbidden, "services": http.StatusForbidden, "health": http.StatusForbidden, "support": http.StatusForbidden} {
		req, err := http.NewRequest(http.MethodGet, fmt.Sprintf("https://%s:7400/v1/%s", f.node(to).address, path), nil)
		if err != nil {
			f.fatal(err)
		}
		req.Header.Set("Slipway-Cluster", f.cluster()+"/1")
		resp, err := client.Do(req)
		if err != nil {
			f.fatal(err)
		}
		resp.Body.Close()
		if resp.StatusCode != want {
			f.t.Errorf("%s asks %s for %s: %s", from, to, path, resp.Status)
		}
	}
}

// bundleIsWhole makes a support bundle while two control planes are off, and looks into it.
func (f *fleet) bundleIsWhole() {
	f.t.Helper()
	out := filepath.Join(f.dir, "bundle.tar.zst")
	var report struct {
		Nodes []struct {
			Node, Error string
			Files       int
		}
	}
	if err := json.Unmarshal([]byte(f.slipway("support", "-f", f.spec, "-o", out, "--json")), &report); err != nil {
		f.fatal(err)
	}
	for _, n := range report.Nodes {
		off := n.Node == "cp2" || n.Node == "cp3"
		if off != (n.Error != "") || off != (n.Files == 0) {
			f.t.Errorf("%+v", n)
		}
	}
	dir := filepath.Join(f.dir, "bundle")
	must(f.t, "mkdir", dir)
	must(f.t, "tar", "-C", dir, "--zstd", "-xf", out)
	for name, want := range map[string]string{
		"summary.json": `"cluster"`, "cp2/unanswered.txt": "cp2", "cp1/status.json": `"node": "cp1"`, "cp1/health.json": `"healthy": false`, "cp1/readyz.txt": "[-]etcd failed",
		"cp1/services.json": "etcd.service", "cp1/journal/etcd.service.txt": "msg", "cp1/journal/slipwayd.service.txt": "etcd", "cp1/files/etc/slipway/node.json": `"cp1"`,
		"cp1/files/run/systemd/system/etcd.service": "ExecStart", "cp1/network/addresses.txt": "10.99.0.11", "cp1/boots.txt": "0", "lb1/health.json": `"held": true`,
		"lb1/journal/slipway-keepalived.service.txt": "MASTER", "w1/journal/kubelet.service.txt": "kubelet", "w1/files/etc/kubernetes/kubelet.yaml": "kind",
	} {
		text, err := os.ReadFile(filepath.Join(dir, name))
		if err != nil || !strings.Contains(string(text), want) {
			f.t.Errorf("%s: no %q in it, %v\n%.400s", name, want, err, text)
		}
	}
	err := filepath.WalkDir(dir, func(name string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		text, err := os.ReadFile(name)
		f.hasNoSecret(strings.TrimPrefix(name, dir), string(text))
		if strings.HasSuffix(name, "errors.txt") {
			f.t.Logf("%s:\n%s", strings.TrimPrefix(name, dir), text)
		}
		return err
	})
	if err != nil {
		f.fatal(err)
	}
}

// hasNoSecret greps for the body of every key of the cluster, and for what looks like one.
func (f *fleet) hasNoSecret(what, text string) {
	f.t.Helper()
	for _, line := range append(f.secrets(), "PRIVATE KEY", "LS0tLS1CRUdJTi", "eyJhbGciOi") {
		if strings.Contains(text, line) {
			f.t.Errorf("%s has %q", what, line)
		}
	}
}

// secrets are the lines of base64 of all keys that the operator has.
func (f *fleet) secrets() []string {
	f.t.Helper()
	var lines []string
	err := filepath.WalkDir(filepath.Join(f.dir, "secrets"), func(name string, _ fs.DirEntry, err error) error {
		if err != nil || !strings.HasSuffix(name, ".key") {
			return err
		}
		text, err := os.ReadFile(name)
		for line := range strings.Lines(string(text)) {
			if line = strings.TrimSpace(line); !strings.HasPrefix(line, "-----") && len(line) > 16 {
				lines = append(lines, line)
			}
		}
		return err
	})
	if err != nil || len(lines) < 20 {
		f.fatalf("%d lines of keys, %v", len(lines), err)
	}
	return lines
}
