package inside

import (
	"archive/tar"
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/base64"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/url"
	"path"
	"slices"
	"strings"
	"testing"
	"time"

	"slipway/firstboot/status"
)

// fakeHost is files and programs: what a command line prints.
type fakeHost struct {
	files    map[string]string
	programs map[string]string
	ran      []string
}

func (h *fakeHost) ReadFile(name string) ([]byte, error) {
	if text, ok := h.files[name]; ok {
		return []byte(text), nil
	}
	return nil, fmt.Errorf("reading %s: gone", name)
}

func (h *fakeHost) Glob(pattern string) ([]string, error) {
	return slices.DeleteFunc(slices.Sorted(maps.Keys(h.files)), func(name string) bool {
		same, _ := path.Match(pattern, name)
		return !same
	}), nil
}

func (h *fakeHost) Run(_ context.Context, name string, args ...string) (string, error) {
	line := strings.Join(append([]string{name}, args...), " ")
	h.ran = append(h.ran, line)
	for _, prefix := range slices.Backward(slices.Sorted(maps.Keys(h.programs))) { // longer ones first
		if strings.HasPrefix(line, prefix) {
			return h.programs[prefix], nil
		}
	}
	return "", fmt.Errorf("running %s: not in this test", line)
}

func (h *fakeHost) Stream(ctx context.Context, to io.Writer, name string, args ...string) error {
	out, err := h.Run(ctx, name, args...)
	io.WriteString(to, out)
	return err
}

var noon = time.Date(2026, 6, 1, 12, 0, 0, 0, time.UTC)

func newNode(files, programs map[string]string) (*Node, *fakeHost) {
	h := &fakeHost{files: files, programs: programs}
	return &Node{
		Files: h, Run: h, Streams: h, Now: func() time.Time { return noon }, Units: []string{"etcd.service", "kubelet.service"},
		Status: func() status.Document { return status.Document{Node: "n1", Step: "etcd"} },
		Probe:  func(context.Context) Health { return Health{API: &API{Ready: true}} },
		Ready:  func(context.Context) (string, error) { return "[+]ping ok\n", nil },
	}, h
}

const loaded = "LoadState=loaded\n"

// TestLogs: a question becomes exactly these arguments.
func TestLogs(t *testing.T) {
	const common = "journalctl --no-pager --quiet --utc --no-hostname --output=short-iso"
	for want, q := range map[string]LogQuery{
		common: {},
		common + " --unit=etcd.service --lines=10":             {Unit: "etcd", Lines: 10},
		common + " --unit=getty@tty1.service":                  {Unit: "getty@tty1.service"},
		common + " --unit=dev-sda.device --boot=-1":            {Unit: "dev-sda.device", Boot: "-1"},
		common + " --since=@1780314600 --lines=all --follow":   {Since: "10m", Follow: true},
		common + " --since=@1780272000":                        {Since: "2026-06-01T00:00:00Z"},
		common + " --unit=kubelet.service --lines=5 --follow":  {Unit: "kubelet", Lines: 5, Follow: true},
		common + " --unit=a.b.service --boot=0 --since=@1.._":  {Unit: "a.b", Boot: "0", Since: "x"},
		common + " --dmesg --boot=-2 --lines=3":                {Kernel: true, Boot: "-2", Lines: 3},
		"dmesg --nopager --color=never --time-format=iso":      {Kernel: true},
		"dmesg --nopager --color=never --time-format=iso --fo": {Kernel: true, Follow: true},
	} {
		n, h := newNode(nil, map[string]string{"systemctl show": loaded, "journalctl": "line\n", "dmesg": "line\n"})
		open := n.Logs
		if q.Kernel {
			open = n.Kernel
		}
		s, err := open(t.Context(), q)
		if q.Since == "x" {
			if !errors.Is(err, ErrQuery) {
				t.Errorf("%+v: %v", q, err)
			}
			continue
		}
		var out strings.Builder
		if err == nil {
			err = s(t.Context(), &out)
		}
		if err != nil || out.String() != "line\n" || !strings.HasPrefix(h.ran[len(h.ran)-1], want) {
			t.Errorf("%+v: %v, ran %q, want %q", q, err, h.ran, want)
		}
	}
}

// TestNoSuchUnit: systemd is asked before anything is read.
func TestNoSuchUnit(t *testing.T) {
	n, h := newNode(nil, map[string]string{"systemctl show": "LoadState=not-found\n"})
	if _, err := n.Logs(t.Context(), LogQuery{Unit: "etcdd"}); !errors.Is(err, ErrMissing) || !strings.Contains(err.Error(), "etcdd.service\nhint: ") || len(h.ran) != 1 {
		t.Errorf("%v, ran %q", err, h.ran)
	}
}

var badQueries = []string{
	"unit=--all", "unit=-u", "unit=*", "unit=etcd*.service", "unit=a b", "unit=a;b", "unit=a/b", "unit=$(x)", "unit=a%0Ab", "unit=" + strings.Repeat("a", 300),
	"lines=-1", "lines=x", "lines=1e9", "lines=99999999", "boot=1", "boot=x", "boot=-0", "boot=--help", "since=-10m", "since=yesterday", "since=@0", "since=2026",
}

// TestBadQueries: nothing that could be an option or a pattern of journalctl's gets through.
func TestBadQueries(t *testing.T) {
	for _, text := range badQueries {
		v, err := url.ParseQuery(text)
		if err != nil {
			continue // refused before it is looked at
		}
		if q, err := ParseLogQuery(v); !errors.Is(err, ErrQuery) {
			t.Errorf("%s: %+v, %v", text, q, err)
		}
	}
}

// FuzzLogQuery: what is accepted is read back as the same, and each argument is what it was meant as.
func FuzzLogQuery(f *testing.F) {
	for _, text := range badQueries {
		f.Add(text)
	}
	f.Add("unit=etcd&since=10m&boot=-1&lines=5&follow=1")
	f.Fuzz(func(t *testing.T, text string) {
		v, _ := url.ParseQuery(text)
		q, err := ParseLogQuery(v)
		if err != nil {
			return
		}
		if again, err := ParseLogQuery(q.Values()); err != nil || again != q {
			t.Errorf("%+v read back as %+v, %v", q, again, err)
		}
		for _, a := range q.args(noon) {
			if !strings.HasPrefix(a, "--") || strings.ContainsAny(strings.TrimPrefix(a, "--since=@"), " *?[\n") {
				t.Errorf("%+v makes the argument %q", q, a)
			}
		}
	})
}

// newKey makes a private key as PEM.
func newKey(t testing.TB) string {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	return string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der}))
}

// leaks are the lines of a key that are in a text.
func leaks(text, key string) []string {
	var found []string
	for line := range strings.Lines(key) {
		line = strings.TrimSpace(line)
		if !strings.HasPrefix(line, "-----") && len(line) >= fragment && strings.Contains(text, line) {
			found = append(found, line)
		}
	}
	return found
}

// TestRedact: keys do not leave in any of the ways in which a program might print them, and other text is as it was.
func TestRedact(t *testing.T) {
	own, other := newKey(t), newKey(t)
	n, _ := newNode(map[string]string{"/etc/slipway/pki/sa.key": own}, nil)
	body := strings.Split(own, "\n")[1]
	jwt := "eyJhbGciOiJSUzI1NiJ9.eyJpc3MiOiJrdWJlcm5ldGVzIn0.c2lnbmF0dXJl"
	for name, c := range map[string]struct{ in, want string }{
		"plain text":        {"etcd: serving\nready to serve client requests\n", "etcd: serving\nready to serve client requests\n"},
		"no end":            {"half a line", "half a line"},
		"another's block":   {"before\n" + other + "after\n", "before\n" + leftOut + "\nafter\n"},
		"in a journal":      {"12:00 x[1]: " + strings.ReplaceAll(other, "\n", "\n             ") + "\nafter\n", leftOut + "\n             \nafter\n"},
		"one line":          {`{"key":"` + strings.ReplaceAll(other, "\n", `\n`) + "\"}\nafter\n", leftOut + "\nafter\n"},
		"own, a line of it": {"x " + body + " y\n", leftOut + "\n"},
		"in base64":         {"client-key-data: " + base64.StdEncoding.EncodeToString([]byte(other)) + "\n", "client-key-data: " + leftOut + "\n"},
		"token":             {"token " + jwt + " refused\n", "token " + leftOut + " refused\n"},
		"header":            {"Authorization: Bearer abcdefghijklmnopqrstuvwxyz\n", "Authorization: B" + leftOut + "\n"},
		"age":               {"AGE-SECRET-KEY-1QQQQQQQQQQ\n", leftOut + "\n"},
		"url":               {"get https://me:secret@mirror/x\n", "get https://me:" + leftOut + "@mirror/x\n"},
		"a long line":       {"a\n" + strings.Repeat("x", longestLine+1) + "\nb\n", "a\n" + tooLong + "b\n"},
		"a long end":        {strings.Repeat("x", longestLine+1), tooLong},
		"certificate":       {"-----BEGIN CERTIFICATE-----\nabc\n", "-----BEGIN CERTIFICATE-----\nabc\n"},
	} {
		for _, chunk := range []int{1, 7, 1 << 20} {
			var out strings.Builder
			r := n.redactor(&out)
			for piece := range slices.Chunk([]byte(c.in), chunk) {
				r.Write(piece)
			}
			r.Close()
			if out.String() != c.want || len(leaks(out.String(), own)) > 0 {
				t.Errorf("%s, %d bytes at a time: %q, want %q", name, chunk, out.String(), c.want)
			}
		}
	}
}

// FuzzRedact: whatever is around it, a key that stands in lines of its own does not come through.
func FuzzRedact(f *testing.F) {
	f.Add("before", "after", 3)
	f.Add("-----BEGIN PRIVATE KEY-----", "-----END PRIVATE KEY-----", 1)
	key := newKey(f)
	n, _ := newNode(map[string]string{"/etc/slipway/pki/x.key": key}, nil)
	f.Fuzz(func(t *testing.T, before, after string, chunk int) {
		var out strings.Builder
		r := n.redactor(&out)
		for piece := range slices.Chunk([]byte(before+"\n"+key+after), max(1, chunk)) {
			r.Write(piece)
		}
		r.Close()
		if found := leaks(out.String(), key); len(found) > 0 && len(leaks(before+after, key)) == 0 {
			t.Errorf("%q came through", found)
		}
	})
}

// TestServices: ours as far as the image has them, and what failed.
func TestServices(t *testing.T) {
	n, h := newNode(nil, map[string]string{
		"systemctl list-units": "broken.service loaded failed failed A broken one\n",
		"systemctl show": "Id=etcd.service\nLoadState=loaded\nActiveState=active\nSubState=running\nResult=success\nStateChangeTimestamp=@1780315200\nNRestarts=2\nMemoryCurrent=1048576\n\n" +
			"Id=broken.service\nLoadState=loaded\nActiveState=failed\nSubState=failed\nResult=exit-code\nStateChangeTimestamp=@1780315200\nNRestarts=0\nMemoryCurrent=[not set]\n\n" +
			"Id=docker.socket\nLoadState=not-found\nActiveState=inactive\nSubState=dead\nResult=success\n\n" +
			"Id=kubelet.service\nLoadState=not-found\nActiveState=inactive\nSubState=dead\nStateChangeTimestamp=\nMemoryCurrent=18446744073709551615\n",
	})
	got, err := n.Services(t.Context())
	want := []Service{
		{Unit: "broken.service", Load: "loaded", Active: "failed", Sub: "failed", Result: "exit-code", Since: noon},
		{Unit: "etcd.service", Load: "loaded", Active: "active", Sub: "running", Result: "success", Since: noon, Restarts: 2, Memory: 1 << 20, Ours: true},
		{Unit: "kubelet.service", Load: "not-found", Active: "inactive", Sub: "dead", Ours: true},
	}
	if err != nil || !slices.Equal(got, want) {
		t.Errorf("%v\n%+v\nwant\n%+v", err, got, want)
	}
	if ran := h.ran[1]; !strings.Contains(ran, " -- broken.service chrony.service ") || !strings.Contains(ran, "--timestamp=unix") {
		t.Errorf("ran %s", ran)
	}
}

// untar reads an archive.
func untar(t *testing.T, data []byte) map[string]string {
	t.Helper()
	found := map[string]string{}
	for r := tar.NewReader(bytes.NewReader(data)); ; {
		h, err := r.Next()
		if err == io.EOF {
			return found
		}
		text, err2 := io.ReadAll(r)
		if err := errors.Join(err, err2); err != nil {
			t.Fatal(err)
		}
		found[h.Name] = string(text)
	}
}

// TestSupport: what a bundle holds of a node, what it never does, and that what fails is named.
func TestSupport(t *testing.T) {
	key := newKey(t)
	n, h := newNode(map[string]string{
		"/etc/slipway/node.json": `{"node":"n1"}`, "/etc/slipway/pki/sa.key": key, "/etc/slipway/pki/ca.crt": "cert", "/etc/kubernetes/kubelet.yaml": "kind: X\n",
		"/etc/kubernetes/kubelet.conf": "client-key: /x", "/etc/containerd/certs.d/x/hosts.toml": "password", "/etc/shadow": "root:*", "/home/user/secret": "mine",
		"/etc/slipway/lb.cfg": "leaked:\n" + key, "/run/systemd/system/etcd.service": "[Unit]\n", "/etc/slipway/lb.token": "x",
	}, map[string]string{
		"systemctl list-units": "", "systemctl show --timestamp": "Id=etcd.service\nLoadState=loaded\n", "systemctl show": loaded,
		"journalctl": "a line\n" + key, "dmesg": "kernel\n", "ip": "eth0\n", "df": "/\n", "timedatectl": "x\n",
	})
	var out bytes.Buffer
	if err := n.Support()(t.Context(), &out); err != nil {
		t.Fatal(err)
	}
	files := untar(t, out.Bytes())
	for name, want := range map[string]string{
		"status.json": `"node": "n1"`, "health.json": `"ready": true`, "services.json": "etcd.service", "readyz.txt": "[+]ping ok", "dmesg.txt": "kernel",
		"files/etc/slipway/node.json": "n1", "files/etc/kubernetes/kubelet.yaml": "kind", "files/etc/slipway/lb.cfg": leftOut, "files/run/systemd/system/etcd.service": "[Unit]",
		"journal/etcd.service.txt": "a line\n" + leftOut, "network/addresses.txt": "eth0", "errors.txt": "jobs.txt: running systemctl list-jobs",
	} {
		if !strings.Contains(files[name], want) {
			t.Errorf("%s: %q, want %q in it", name, files[name], want)
		}
	}
	for _, name := range slices.Sorted(maps.Keys(files)) {
		if strings.Contains(name, "pki") || strings.HasSuffix(name, ".conf") || strings.Contains(name, "certs.d") || strings.Contains(name, "shadow") || strings.Contains(name, "home") || strings.Contains(name, "token") {
			t.Errorf("%s is in the bundle", name)
		}
		if found := leaks(files[name], key); len(found) > 0 {
			t.Errorf("%s has %q", name, found)
		}
	}
	for _, line := range h.ran {
		if strings.HasPrefix(line, "journalctl") && !strings.Contains(line, "--unit=") && !strings.Contains(line, "--list-boots") {
			t.Errorf("the whole journal was read: %s", line)
		}
	}
}

// TestSupportIsBounded: of something long the end is kept, from the beginning of a line.
func TestSupportIsBounded(t *testing.T) {
	n, _ := newNode(nil, map[string]string{"systemctl show": loaded,
		"journalctl": "x\n", "journalctl --no-pager --quiet --utc --no-hostname --output=short-iso --unit=etcd": strings.Repeat("0123456789\n", mostOfFile/8) + "the end\n"})
	var out bytes.Buffer
	if err := n.Support()(t.Context(), &out); err != nil {
		t.Fatal(err)
	}
	text := untar(t, out.Bytes())["journal/etcd.service.txt"]
	if len(text) > mostOfFile+100 || !strings.HasPrefix(text, "[what came before is left out]\n0123456789\n") || !strings.HasSuffix(text, "the end\n") {
		t.Errorf("%d bytes, %.60q", len(text), text)
	}
}

// gone is a caller that hangs up.
type gone struct{}

func (gone) Write([]byte) (int, error) { return 0, io.ErrClosedPipe }

// TestSupportEnds: with the caller.
func TestSupportEnds(t *testing.T) {
	n, _ := newNode(nil, nil)
	if err := n.Support()(t.Context(), gone{}); !errors.Is(err, io.ErrClosedPipe) {
		t.Error(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := n.Support()(ctx, io.Discard); !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
}
