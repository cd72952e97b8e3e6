package verify

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io/fs"
	"path"
	"slices"
	"strings"

	"slipway/imagebuild/kmod"
)

// Tree checks what a root file system holds and must not hold, and returns the number of its files and what is wrong.
func Tree(tree fs.FS) (files int, wrong []string) {
	for _, check := range []func(fs.FS) []string{checkKernel, checkIdentity, checkPasswords, checkImageFacts} {
		wrong = append(wrong, check(tree)...)
	}
	err := fs.WalkDir(tree, ".", func(name string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if files++; files > maxFiles {
			return fmt.Errorf("there are more than %d files", maxFiles)
		}
		wrong = append(wrong, checkFile(tree, name, d)...)
		return nil
	})
	if err != nil {
		wrong = append(wrong, fmt.Sprintf("walking the tree: %v", err))
	}
	return files, wrong
}

// checkKernel demands one kernel, and every module that the image loads at boot.
func checkKernel(tree fs.FS) []string {
	entries, err := fs.ReadDir(tree, "usr/lib/modules")
	if err != nil || len(entries) != 1 {
		return []string{fmt.Sprintf("%d kernels in /usr/lib/modules, want 1", len(entries))}
	}
	sub, err := fs.Sub(tree, "usr/lib/modules/"+entries[0].Name())
	if err != nil {
		return []string{err.Error()}
	}
	kernel, err := kmod.Index(sub)
	if err != nil {
		return []string{fmt.Sprintf("kernel %s: %v", entries[0].Name(), err)}
	}
	var wrong []string
	for _, name := range kernel.MissingModules(bootModules(tree)) {
		wrong = append(wrong, fmt.Sprintf("module %q is loaded at boot, and kernel %s does not have it", name, entries[0].Name()))
	}
	return wrong
}

// bootModules returns the modules that modules-load.d(5) names.
func bootModules(tree fs.FS) (names []string) {
	confs, _ := fs.Glob(tree, "usr/lib/modules-load.d/*.conf")
	for _, conf := range confs {
		b, err := fs.ReadFile(tree, conf)
		if err != nil {
			continue // a dangling link, such as a masked file's
		}
		for line := range strings.Lines(string(b)) {
			if line = strings.TrimSpace(line); line != "" && line[0] != '#' && line[0] != ';' {
				names = append(names, line)
			}
		}
	}
	return names
}

// checkIdentity refuses what would make nodes of one image the same machine.
func checkIdentity(tree fs.FS) []string {
	var wrong []string
	if b, err := fs.ReadFile(tree, "etc/machine-id"); err != nil || string(b) != "uninitialized\n" {
		wrong = append(wrong, fmt.Sprintf(`/etc/machine-id is %q, want "uninitialized\n"`, b))
	}
	for _, top := range []string{"", factory} {
		for _, pattern := range []string{
			"etc/ssh/ssh_host_*", "usr/sbin/sshd", "usr/bin/sshd", "etc/slipway/node.json", "etc/kubernetes/pki",
			"var/lib/systemd/random-seed", "var/lib/systemd/credential.secret", "var/lib/urandom/random-seed",
			"var/lib/slipway/journal.json", "var/lib/etcd/member",
		} {
			found, _ := fs.Glob(tree, top+pattern)
			for _, name := range found {
				wrong = append(wrong, fmt.Sprintf("/%s must not be in an image", name))
			}
		}
	}
	return wrong
}

// checkPasswords refuses accounts that a password, or none at all, opens.
func checkPasswords(tree fs.FS) []string {
	b, err := fs.ReadFile(tree, "etc/shadow")
	if err != nil {
		return []string{fmt.Sprintf("/etc/shadow cannot be read: %v", err)}
	}
	var wrong []string
	for line := range strings.Lines(string(b)) {
		f := strings.Split(line, ":")
		if len(f) > 1 && !strings.HasPrefix(f[1], "!") && !strings.HasPrefix(f[1], "*") {
			wrong = append(wrong, fmt.Sprintf("/etc/shadow: account %q is not locked", f[0]))
		}
	}
	return wrong
}

// checkImageFacts reads what the image says of itself: a login on a console is for an image that is called a debug image.
func checkImageFacts(tree fs.FS) []string {
	b, err := fs.ReadFile(tree, facts)
	if err != nil {
		return []string{fmt.Sprintf("/%s cannot be read: %v", facts, err)}
	}
	if !json.Valid(b) {
		return []string{fmt.Sprintf("/%s is no JSON", facts)}
	}
	if logins := logins(tree); len(logins) > 0 && !isDebug(tree) {
		return []string{fmt.Sprintf("/%s opens a login, and the image does not call itself a debug image", logins[0])}
	}
	return nil
}

const facts = "usr/lib/slipway/image.json"

// isDebug says whether an image calls itself one that a person can log in to.
func isDebug(tree fs.FS) bool {
	var image struct{ Debug bool }
	b, err := fs.ReadFile(tree, facts)
	return err == nil && json.Unmarshal(b, &image) == nil && image.Debug
}

// logins are the units that would open a console, as a debug image has them. What is masked opens nothing.
func logins(tree fs.FS) (found []string) {
	for _, pattern := range []string{
		"usr/lib/systemd/system/getty.target.wants/*", "etc/systemd/system/getty.target.wants/*", "etc/systemd/system/*getty@*.service.d/*",
	} {
		names, _ := fs.Glob(tree, pattern)
		for _, name := range names {
			if !masked(tree, strings.TrimSuffix(path.Base(name), ".d")) {
				found = append(found, name)
			}
		}
	}
	return found
}

// masked says whether a unit, or the template that it is made of, is masked in /etc.
func masked(tree fs.FS, unit string) bool {
	names := []string{unit}
	if template, instance, ok := strings.Cut(unit, "@"); ok {
		names = append(names, template+"@"+path.Ext(instance))
	}
	return slices.ContainsFunc(names, func(name string) bool {
		target, err := fs.ReadLink(tree, "etc/systemd/system/"+name)
		return err == nil && target == "/dev/null"
	})
}

const largestKey = 64 << 10

// factory is the copy of /var that a first boot begins with: whatever lies there is on every node.
const factory = "usr/share/slipway/factory/"

// checkFile refuses private keys outside /usr, whatever their names, and what tells one machine from another.
func checkFile(tree fs.FS, name string, d fs.DirEntry) []string {
	top, _, _ := strings.Cut(strings.TrimPrefix(name, factory), "/")
	if !d.Type().IsRegular() || !slices.Contains([]string{"etc", "root", "home", "var", "srv", "opt", "boot"}, top) {
		return nil
	}
	switch base := path.Base(name); {
	case base == "machine-id" && name != "etc/machine-id":
		return []string{fmt.Sprintf("/%s must not be in an image", name)}
	case strings.HasPrefix(base, "ssh_host_") && path.Dir(name) != "etc/ssh": // those in etc/ssh are named already
		return []string{fmt.Sprintf("/%s must not be in an image", name)}
	}
	if info, err := d.Info(); err != nil || info.Size() > largestKey || info.Size() == 0 {
		return nil
	}
	b, err := fs.ReadFile(tree, name)
	if err != nil {
		return []string{fmt.Sprintf("/%s cannot be read: %v", name, err)}
	}
	if bytes.Contains(b, []byte("PRIVATE KEY-----")) {
		return []string{fmt.Sprintf("/%s is a private key", name)}
	}
	return nil
}
