package initrd

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
)

// Where state and root have what the decision looks at.
const (
	stampPath   = "/var/lib/slipway/first-boot-complete"
	memberPath  = "/var/lib/etcd/member"
	journalGlob = "/var/lib/slipway/journal*"
	etcPath     = "/var/lib/slipway/etc"
	factoryPath = "/usr/share/slipway/factory/var"
	nodePath    = "/etc/slipway/node.json"
)

// Ignition's names of platforms.
const (
	qemu   = "qemu"
	vmware = "vmware"
	metal  = "metal"
)

// decide prepares state for a first boot, unless one is complete. No stamp means that there was none, or that it was cut off:
// then state begins anew. But a state that holds a member's data is never wiped for a stamp that went missing.
func (b *Boot) decide() error {
	b.platform = b.findPlatform()
	if b.exists(stampPath) {
		return nil
	}
	b.first = true
	if found := b.member(); len(found) > 0 {
		id := b.cluster()
		if b.wipe() != id {
			return fmt.Errorf("state has no stamp of a complete first boot, but holds %s, of cluster %s: it is not wiped. "+
				"If that data may go, set fw_cfg opt/slipway/wipe, guestinfo.slipway.wipe or the kernel argument slipway.wipe to %s",
				strings.Join(found, " and "), id, id)
		}
		b.say("the data of cluster %s goes, as this machine was told", id)
	}
	b.say("first boot: preparing the state partition")
	if err := b.empty(); err != nil {
		return fmt.Errorf("emptying state: %w", err)
	}
	if err := b.run("cp", "-a", factoryPath+"/.", statePath+"/"); err != nil {
		return fmt.Errorf("filling state: %w", err)
	}
	for dir, mode := range map[string]os.FileMode{"home": 0o755, "roothome": 0o700, "lib/slipway/etc/upper": 0o755, "lib/slipway/etc/work": 0o755} {
		if err := os.MkdirAll(b.path(filepath.Join(statePath, dir)), mode); err != nil {
			return fmt.Errorf("filling state: %w", err)
		}
	}
	return nil
}

func (b *Boot) findPlatform() string {
	switch {
	case b.exists("/sys/firmware/qemu_fw_cfg"):
		return qemu
	case strings.HasPrefix(b.read("/sys/class/dmi/id/sys_vendor"), "VMware, Inc."):
		return vmware
	}
	return metal
}

var (
	lostPattern      = regexp.MustCompile(`"lost": *true`)
	notFormedPattern = regexp.MustCompile(`"formed": *false`)
	tokenPattern     = regexp.MustCompile(`"token": *"([a-z0-9-]*)/`)
	clusterPattern   = regexp.MustCompile(`"cluster":\{"id":"([a-z0-9-]*)"`)
)

// member is what state holds of a cluster, in words; nothing if a first boot may empty it.
func (b *Boot) member() []string {
	var found []string
	if b.exists(memberPath + "/wal") {
		found = append(found, "etcd data in "+memberPath+"/wal")
	}
	for _, journal := range b.journals() {
		what := "a formed journal in /var/lib/slipway"
		switch {
		case lostPattern.Match(journal): // it says of itself that it knows nothing
			what = "the successor of a lost journal in /var/lib/slipway"
		case notFormedPattern.Match(journal):
			continue
		}
		// One that cannot be read must not count as one that has nothing to tell.
		if !slices.Contains(found, what) {
			found = append(found, what)
		}
	}
	return found
}

// journals are the contents of the journal and of those that were set aside. They are looked into and not parsed, as a
// damaged one may still say whose it was.
func (b *Boot) journals() [][]byte {
	files, _ := filepath.Glob(b.path(journalGlob))
	var out [][]byte
	for _, file := range files {
		data, _ := os.ReadFile(file)
		out = append(out, data)
	}
	return out
}

// cluster is the id of the cluster whose data state holds: by the journal's token, then by the node's contract.
func (b *Boot) cluster() string {
	if m := tokenPattern.FindSubmatch(bytes.Join(b.journals(), nil)); m != nil && len(m[1]) > 0 {
		return string(m[1])
	}
	contract, _ := os.ReadFile(b.path(etcPath + "/upper/slipway/node.json"))
	plain := strings.Join(strings.Fields(string(contract)), "")
	if m := clusterPattern.FindStringSubmatch(plain); m != nil && m[1] != "" {
		return m[1]
	}
	return "unknown"
}

// wipe is the cluster id that somebody gave this machine to say that its data may go.
func (b *Boot) wipe() string {
	id := ""
	switch b.platform {
	case qemu:
		id = b.read("/sys/firmware/qemu_fw_cfg/by_name/opt/slipway/wipe/raw")
	case vmware:
		var out bytes.Buffer
		if b.Machine.Run(&out, "vmware-rpctool", "info-get guestinfo.slipway.wipe") == nil {
			id = strings.TrimSpace(out.String())
		}
	}
	if id == "" {
		id = b.cmdline["slipway.wipe"]
	}
	return id
}

// empty removes what is on state. Cut off at any point, the next start must still find whose data it is: what tells the id
// goes after what asks for it.
func (b *Boot) empty() error {
	aside, _ := filepath.Glob(b.path(journalGlob))
	slices.SortFunc(aside, func(a, c string) int { return len(c) - len(a) }) // journal.json itself is the shortest, and last
	for _, path := range append([]string{b.path(memberPath)}, aside...) {
		if err := os.RemoveAll(path); err != nil {
			return err
		}
		if err := b.Machine.Sync(statePath); err != nil {
			return err
		}
	}
	entries, err := os.ReadDir(b.path(statePath))
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	for _, e := range entries {
		if e.Name() == "lost+found" {
			continue
		}
		if err := os.RemoveAll(b.path(filepath.Join(statePath, e.Name()))); err != nil {
			return err
		}
	}
	return nil
}

// mountEtc puts what state has of /etc over what the image has.
func (b *Boot) mountEtc() error {
	options := fmt.Sprintf("lowerdir=/etc,upperdir=%[1]s/upper,workdir=%[1]s/work", etcPath)
	if err := b.Machine.Mount("overlay", "/etc", "overlay", 0, options); err != nil {
		return fmt.Errorf("mounting /etc: %w", err)
	}
	return nil
}

// firstBoot runs Ignition, and stamps state when the node's contract is there.
func (b *Boot) firstBoot() error {
	if !b.first {
		return nil
	}
	if err := b.ignition(); err != nil {
		return err
	}
	if err := b.contract(); err != nil {
		return err
	}
	// The stamp must never reach the disk before what it vouches for.
	if err := b.Machine.Sync(statePath); err != nil {
		return fmt.Errorf("writing state: %w", err)
	}
	if err := os.WriteFile(b.path(stampPath), nil, 0o644); err != nil {
		return fmt.Errorf("writing state: %w", err)
	}
	if err := b.Machine.Sync(statePath); err != nil {
		return fmt.Errorf("writing state: %w", err)
	}
	b.say("first boot: complete")
	return nil
}

// contract demands the node's config. Ignition counts a config that is missing, or that says nothing, as done; without it no
// stamp is written, and the next start looks again.
func (b *Boot) contract() error {
	if st, err := os.Stat(b.path(nodePath)); err == nil && st.Size() > 0 {
		return nil
	}
	where := "a machine that is neither QEMU's nor VMware's has no place for a config yet"
	switch b.platform {
	case qemu:
		where = "fw_cfg opt/com.coreos/config is not set"
		// Not by size: the kernel gives every file of fw_cfg the size 0.
		if b.exists("/sys/firmware/qemu_fw_cfg/by_name/opt/com.coreos/config/raw") {
			where = "fw_cfg opt/com.coreos/config holds a config without it"
		}
	case vmware:
		where = "guestinfo.ignition.config.data, with guestinfo.ignition.config.data.encoding, is not set or holds a config without it"
	}
	return fmt.Errorf("no node config: %s is missing after Ignition. Platform %s: %s. Hand the machine the file that slipway ignition wrote for it; it looks again at every start",
		nodePath, b.platform, where)
}
