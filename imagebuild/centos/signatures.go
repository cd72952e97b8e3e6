package centos

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"regexp"
	"slices"
	"strings"

	"slipway/imagebuild/distro"
	"slipway/imagebuild/keyring"
)

// verify fetches the packages and has rpm check them, those of each repository by its keys alone, and says who signed each.
// What the lock has was checked when it was locked.
func (d dnf) verify(ctx context.Context, pkgs []distro.Package, from []source, in distro.ResolveInput) ([]distro.Package, error) {
	if err := in.Fetcher.Fetch(ctx, pkgs); err != nil {
		return nil, err
	}
	out := slices.Clone(pkgs)
	var wrong []error
	for _, s := range from {
		var files []string
		at := map[string]int{} // by file
		for i, p := range out {
			if p.Archive == s.name && p.Signer == "" {
				file := in.Fetcher.PoolFile(p)
				files, at[file] = append(files, file), i
			}
		}
		if len(files) == 0 {
			continue
		}
		signers, err := d.signers(ctx, s, files)
		if err != nil {
			return nil, err
		}
		for _, file := range files {
			p := &out[at[file]]
			if p.Signer = signers[file].fingerprint; p.Signer == "" {
				wrong = append(wrong, &SignatureError{Package: p.Name + "-" + p.Version, Repository: s.name, Said: signers[file].said, Want: s.signers})
			}
		}
	}
	return out, errors.Join(wrong...)
}

// signature is what rpm says of a file's.
type signature struct {
	fingerprint string // of the key that made it; empty if none of ours did
	said        string
}

// signers asks rpm about packages, with the keys of one repository.
func (d dnf) signers(ctx context.Context, s source, files []string) (map[string]signature, error) {
	db := d.path("home/keys-" + s.name)
	if err := os.RemoveAll(db); err != nil {
		return nil, err
	}
	if out, err := d.rpmkeys(ctx, db, "--import", d.keyFile(s.name)); err != nil {
		return nil, fmt.Errorf("telling rpm the keys of %s: %w\n%s", s.name, err, out)
	}
	data, err := os.ReadFile(d.keyFile(s.name))
	if err != nil {
		return nil, err
	}
	keys, err := keyring.Parse(data)
	if err != nil {
		return nil, err
	}
	out, err := d.rpmkeys(ctx, db, append([]string{"--checksig", "--verbose"}, files...)...)
	if err != nil && ctx.Err() != nil {
		return nil, ctx.Err()
	}
	return parseSignatures(out, keys), nil // rpm fails when one is wrong, and says of each what it is
}

func (d dnf) rpmkeys(ctx context.Context, db string, args ...string) (string, error) {
	cmd := exec.CommandContext(ctx, "rpmkeys", append([]string{"--dbpath", db, "--define", "_pkgverify_level all"}, args...)...)
	cmd.Env = []string{"PATH=/usr/sbin:/usr/bin:/sbin:/bin", "LC_ALL=C.UTF-8", "HOME=" + d.path("home")}
	out, err := cmd.CombinedOutput()
	return string(out), err
}

// headerLine is rpm's word on the signature of a header, which has the digest of the payload.
var headerLine = regexp.MustCompile(`^ +Header .*Signature, key ID ([0-9a-f]+): (\S+)`)

// parseSignatures reads what rpmkeys --checksig --verbose says: of each file its name, then a line for each thing it checked.
// A file whose header is signed by none of keys, or of which anything else is not OK, has no fingerprint.
func parseSignatures(out string, keys []keyring.Key) map[string]signature {
	all := map[string]signature{}
	var file string
	for line := range strings.Lines(out) {
		line = strings.TrimRight(line, "\n")
		if name, ok := strings.CutSuffix(line, ":"); ok && !strings.HasPrefix(line, " ") {
			file = name
			all[file] = signature{}
			continue
		}
		s := all[file]
		switch m := headerLine.FindStringSubmatch(line); {
		case m != nil && m[2] == "OK" && s.said == "":
			s.fingerprint = signerOf(m[1], keys)
		case strings.HasPrefix(line, " ") && !strings.HasSuffix(line, ": OK") && !strings.Contains(line, ": NOTFOUND"):
			s = signature{said: strings.TrimSpace(line)}
		}
		all[file] = s
	}
	return all
}

// signerOf is the primary key whose id, or that of one of whose subkeys, rpm names. rpm checked it: this only says which.
func signerOf(id string, keys []keyring.Key) string {
	for _, k := range keys {
		if strings.HasSuffix(strings.ToLower(k.Fingerprint), id) || len(keys) == 1 {
			return k.Fingerprint
		}
	}
	return ""
}
