package main

import (
	"context"
	"crypto"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"slipway/cluster"
	"slipway/cluster/pki"
	"slipway/imagebuild"
	"slipway/ova/vsphere"
	"slipway/secureboot"
	"slipway/secureboot/pkcs11"
)

// pinVariable has the PIN of tokens: no flag, as command lines are seen by everybody.
const pinVariable = "SLIPWAY_PKCS11_PIN"

func newSecureBootCmd(s streams) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "secureboot",
		Short: "The keys with which firmware trusts the cluster's image",
		Args:  noArgs,
		RunE: func(*cobra.Command, []string) error {
			return usageError{errors.New("secureboot: say what to do, see slipway secureboot --help")}
		},
	}
	cmd.AddCommand(newSecureBootInitCmd(s))
	return cmd
}

type secureBootOptions struct {
	clusterOptions
	recipients []string
	pk, kek    string
	db         string
	trust      []string
	json       bool
}

func newSecureBootInitCmd(s streams) *cobra.Command {
	var o secureBootOptions
	cmd := &cobra.Command{
		Use:   "init",
		Short: "Make the keys PK, KEK and db of UEFI Secure Boot",
		Long: `Makes the three keys of UEFI Secure Boot for the cluster, RSA with 2048 bits and for ten years, and keeps them in the folder
secureboot below the secrets, with their certificates and the signed variables that a boot loader enrols. What exists is
never overwritten: machines that trust a key that is lost start no newer image.

db signs images; PK and KEK change what firmware trusts, and may be kept elsewhere once this has run. A key may be in a token,
where it was made before, and then only its name is kept here: with --db-key and its like. OpenSC's pkcs11-tool talks to the
token, and SLIPWAY_PKCS11_PIN has the PIN. --trust adds certificates of others to db: machines with option ROMs need those
of their makers, or lose their cards.

` + exitCodeHelp,
		Example: "  slipway secureboot init -f cluster.yaml\n  slipway secureboot init --age-recipient age1...\n" +
			"  slipway secureboot init --db-key 'pkcs11:token=slipway;object=db?module-path=/usr/lib/softhsm/libsofthsm2.so'",
		Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return runSecureBootInit(cmd.Context(), s, o) },
	}
	o.addFlags(cmd)
	f := cmd.Flags()
	f.StringArrayVar(&o.recipients, "age-recipient", nil, "encrypt the keys to this age recipient; may be repeated")
	f.StringVar(&o.pk, "pk-key", "", "PK is this key in a token, a pkcs11 URI")
	f.StringVar(&o.kek, "kek-key", "", "KEK is this key in a token, a pkcs11 URI")
	f.StringVar(&o.db, "db-key", "", "db is this key in a token, a pkcs11 URI")
	f.StringArrayVar(&o.trust, "trust", nil, "another certificate for db, PEM or DER; may be repeated")
	f.BoolVar(&o.json, "json", false, "print one line of JSON: what was made and what was kept")
	return cmd
}

func runSecureBootInit(ctx context.Context, s streams, o secureBootOptions) error {
	loaded, err := s.load(o.spec)
	if err != nil {
		return err
	}
	ids, err := o.readIdentities()
	if err != nil {
		return err
	}
	var trusted []*x509.Certificate
	for _, path := range o.trust {
		cert, err := readCertificate(path)
		if err != nil {
			return err
		}
		trusted = append(trusted, cert)
	}
	uris := map[string]string{secureboot.PK: o.pk, secureboot.KEK: o.kek, secureboot.DB: o.db}
	for _, uri := range uris {
		if _, err := pkcs11.Parse(uri); uri != "" && err != nil {
			return usageError{err}
		}
	}
	dir, err := pki.CreateDir(o.secretsDir(), o.recipients, ids)
	if err != nil {
		return err
	}
	defer dir.Close()
	report, err := pki.InitSecureBoot(dir, loaded.Spec.Cluster.ID, time.Now(), tokens(ctx), uris, trusted)
	s.madeKeys(dir.String(), o.secretsDir(), report, o.json)
	return err
}

// tokens opens keys in tokens by their names.
func tokens(ctx context.Context) pki.Tokens {
	return func(text string) (crypto.Signer, error) {
		uri, err := pkcs11.Parse(text)
		if err != nil {
			return nil, err
		}
		tool, err := exec.LookPath(pkcs11.Tool)
		if err != nil {
			return nil, usageError{fmt.Errorf("looking for %s: %w\nhint: it is in the package opensc", pkcs11.Tool, err)}
		}
		return pkcs11.Open(ctx, tool, uri, os.Getenv(pinVariable))
	}
}

// secureBootKeys opens the keys of Secure Boot in the secrets; the caller closes the folder.
func (o *clusterOptions) secureBootKeys(ctx context.Context, id string) (*pki.SecureBoot, *pki.Dir, error) {
	ids, err := o.readIdentities()
	if err != nil {
		return nil, nil, err
	}
	dir, err := pki.OpenDir(o.secretsDir(), ids)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil, usageError{fmt.Errorf("opening the Secure Boot keys: there is no folder %q\nhint: run `slipway secureboot init` first, or name the folder with --secrets", o.secretsDir())}
	}
	if err != nil {
		return nil, nil, err
	}
	keys, err := pki.OpenSecureBoot(dir, id, tokens(ctx))
	if err != nil {
		dir.Close()
		return nil, nil, err
	}
	return keys, dir, nil
}

// openSecureBoot is what a build signs with; nil if the spec does not ask for it.
func openSecureBoot(ctx context.Context, o buildOptions, spec *cluster.Spec) (*imagebuild.SecureBoot, error) {
	if spec.Image.SecureBoot.Enroll == "" {
		return nil, nil
	}
	o.keys.spec = o.spec
	keys, dir, err := o.keys.secureBootKeys(ctx, spec.Cluster.ID)
	if err != nil {
		return nil, err
	}
	defer dir.Close()
	sb := &imagebuild.SecureBoot{Updates: map[string][]byte{}}
	if sb.Key, err = keys.Key(secureboot.DB); err != nil {
		return nil, err
	}
	for _, name := range secureboot.Names() {
		if sb.Updates[name], err = keys.Update(name); err != nil {
			return nil, err
		}
	}
	return sb, nil
}

// readCertificate reads a file of one certificate, PEM or DER.
func readCertificate(path string) (*x509.Certificate, error) {
	data, err := os.ReadFile(path)
	if err != nil {
		return nil, usageError{fmt.Errorf("reading the certificate: %w", err)}
	}
	if block, rest := pem.Decode(data); block != nil {
		if len(strings.TrimSpace(string(rest))) > 0 {
			return nil, usageError{fmt.Errorf("reading the certificate %q: there is more in it than one", path)}
		}
		data = block.Bytes
	}
	cert, err := x509.ParseCertificate(data)
	if err != nil {
		return nil, usageError{fmt.Errorf("reading the certificate %q: %w", path, err)}
	}
	return cert, nil
}

// vsphereKeys are the certificates for the firmware of machines; none if the spec switches no Secure Boot on or its image is
// not signed.
func vsphereKeys(dir *pki.Dir, spec *cluster.Spec) (*vsphere.Keys, error) {
	if !spec.VSphere.SecureBoot || spec.Image.SecureBoot.Enroll == "" {
		return nil, nil
	}
	keys, err := pki.OpenSecureBoot(dir, spec.Cluster.ID, nil)
	if err != nil {
		return nil, err
	}
	der := func(name string) []byte { return keys.Certificate(name).Raw }
	return &vsphere.Keys{PK: der(secureboot.PK), KEK: der(secureboot.KEK), DB: der(secureboot.DB)}, nil
}
