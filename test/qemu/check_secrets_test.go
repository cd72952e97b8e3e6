//go:build qemu

package qemu_test

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// checkKeys: every private key on the node is root's alone, and those of the CAs are not there at all.
func checkKeys(t *testing.T, n *node) {
	keys := n.must(t, `find /etc /var /run /usr /root/ /home/ /opt /srv -xdev -type f -size -1025k \
  -exec grep -lE '^-----BEGIN ([A-Z]+ )*PRIVATE KEY-----' {} + 2>/dev/null | xargs -r stat -c '%a %U %n'`)
	if !strings.Contains(keys, "/etc/slipway/pki/slipwayd.key") {
		t.Fatalf("the search does not find the keys that must be there:\n%s", keys)
	}
	for _, line := range strings.Split(keys, "\n") {
		mode, rest, _ := strings.Cut(line, " ")
		owner, path, _ := strings.Cut(rest, " ")
		if !strings.HasSuffix(mode, "00") || owner != "root" {
			t.Errorf("%s is %s of %s", path, mode, owner)
		}
	}
	for _, ca := range []string{"ca", "etcd-ca", "etcd-peer-ca", "front-proxy-ca", "slipway-ca"} {
		body := keyBody(t, filepath.Join(n.lab.secretsDir(), ca+".key"))
		hits := n.must(t, "grep -rlsF --exclude-dir='slipway-check.*' -- '"+body+"' /etc /run /var/lib/slipway /var/lib/kubelet /var/lib/etcd || true")
		if hits != "" {
			t.Errorf("the key of %s is on the node: %s", ca, hits)
		}
	}
}

// keyBody is a piece of the private half of a key, so that it occurs nowhere else, and without what a URL would escape. In a
// SEC 1 key for P-256 (RFC 5915) that half is bytes 7 to 38, characters 10 to 51 of the first line of base64: what follows
// names the curve, the same in all keys, and then comes the public half.
func keyBody(t *testing.T, path string) string {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	lines := strings.Split(string(data), "\n")
	if len(lines) < 4 || lines[0] != "-----BEGIN EC PRIVATE KEY-----" || len(lines[1]) != 64 {
		t.Fatalf("%s does not look like a key for P-256", path)
	}
	body := regexp.MustCompile(`[A-Za-z0-9]{8,}`).FindString(lines[1][10:51])
	if body == "" {
		t.Fatalf("%s has no piece that could be looked for", path)
	}
	return body
}

// keyPiece is keyBody on the node, of the file $key.
const keyPiece = `sed -n 2p "$key" | cut -c 11-51 | grep -oE '[A-Za-z0-9]{8,}' | head -1`

// checkLogs: neither the journal nor a log file nor the console has ever seen a key of the node's.
func checkLogs(t *testing.T, n *node) {
	// The script prints where it found something, never what.
	found := n.must(t, `journalctl --no-pager -o cat -a > /run/slipway-check.journal
for key in /etc/slipway/pki/*.key; do
  body=$(`+keyPiece+`)
  [ -n "$body" ] || { echo "$key: unreadable"; continue; }
  grep -qF -- "$body" /run/slipway-check.journal && echo "$key is in the journal"
  grep -rqsF -- "$body" /var/log --exclude-dir=journal && echo "$key is in /var/log"
done
grep -qE 'BEGIN ([A-Z]+ )*PRIVATE KEY' /run/slipway-check.journal && echo "a key is in the journal"
grep -qE 'data:[a-z/;]*base64,[A-Za-z0-9+/]{40}' /run/slipway-check.journal && echo "a config is in the journal"
rm /run/slipway-check.journal; true`)
	if found != "" {
		t.Error(found)
	}
	console, err := os.ReadFile(filepath.Join(n.dir, "serial.log"))
	if err != nil {
		t.Fatal(err)
	}
	if strings.Contains(string(console), "PRIVATE KEY") {
		t.Error("a key is on the serial console")
	}
	bodies := strings.Fields(n.must(t, `for key in /etc/slipway/pki/*.key; do `+keyPiece+`; done`))
	for _, body := range bodies {
		if strings.Contains(string(console), body) {
			t.Error("a key's body is on the serial console")
		}
	}
}

// checkScrub: the config that brought the keys is gone, and nobody but root can still ask QEMU for it.
func checkScrub(t *testing.T, n *node) {
	if left := n.must(t, "ls /run/ignition.json /run/ignition/*.json /etc/ignition.json 2>/dev/null || true"); left != "" {
		t.Errorf("still there: %s", left)
	}
	n.mustFail(t, "setpriv --reuid=65534 --regid=65534 --clear-groups cat /sys/firmware/qemu_fw_cfg/by_name/opt/com.coreos/config/raw")
	n.mustFail(t, "setpriv --reuid=65534 --regid=65534 --clear-groups cat /etc/slipway/node.json")
	if mode := n.must(t, "stat -c %a:%U /etc/slipway/node.json"); mode != "600:root" {
		t.Errorf("node.json is %s", mode)
	}
}
