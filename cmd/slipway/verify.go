package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"

	"github.com/spf13/cobra"

	"slipway/imagebuild/verify"
	"slipway/pack"
	"slipway/secureboot"
)

type verifyOptions struct {
	clusterOptions
	json bool
	raw  string
	cert string // of db
}

func newVerifyCmd(s streams) *cobra.Command {
	var o verifyOptions
	cmd := &cobra.Command{
		Use:   "verify FILE",
		Short: "Re-read a finished image, in any format, and check that its parts belong together",
		Long: `Takes raw, qcow2, VMDK and OVA files, by their content. Of an OVA it checks the archive, the manifest, the signature and
the descriptor; of a VMDK or qcow2 every table and block; and of the disk in each of them both partition tables, the
EFI system partition, the unified kernel image, the hash tree against the root hash on the kernel command line, the
partition UUIDs, the signatures for Secure Boot, and what the root file system holds: its kernel's modules, no identity, no passwords, no private
keys and no seeds, also in the copy of /var that a first boot begins with. A debug image is named as one. It needs no
privileges and changes nothing. Every finding is one line with its offset: in the file, or on the disk inside if the
line begins with "disk". VMDK and OVA files of other programs have findings, as they are held to ours. After a hundred
findings in one part it reads no further there, whatever the file says of its size.

An image need not be signed, but what is signed must be so as a whole and by one key. With --secure-boot-cert, or -f and a spec
whose image is signed, it must be by the key of that certificate: the file's, or the one that ` + "`slipway secureboot init`" + ` made.

Exit codes: 0 nothing found; 1 findings; 2 wrong input; 130 interrupted.`,
		Example: "  slipway verify out/single.raw\n  slipway verify out/single.ova --raw out/single.raw\n  slipway verify out/single.raw --secure-boot-cert secrets/secureboot/db.crt",
		Args:    verifyArgs,
		RunE:    func(cmd *cobra.Command, args []string) error { return runVerify(cmd.Context(), s, o, args[0]) },
	}
	cmd.Flags().StringVarP(&o.spec, "file", "f", "", "the spec whose image it is (default: none)")
	cmd.Flags().StringVar(&o.secrets, "secrets", "", "folder of certificates, for -f (default: secrets/ beside the spec)")
	cmd.Flags().StringVar(&o.cert, "secure-boot-cert", "", "certificate, PEM or DER, whose key must have signed the image for Secure Boot")
	cmd.Flags().BoolVar(&o.json, "json", false, "print one line of JSON instead")
	cmd.Flags().StringVar(&o.raw, "raw", "", "a raw image that the disk in FILE must be equal to")
	return cmd
}

func verifyArgs(_ *cobra.Command, args []string) error {
	if len(args) != 1 {
		return usageError{errors.New("verify takes one file: slipway verify out/single.raw")}
	}
	return nil
}

func runVerify(ctx context.Context, s streams, o verifyOptions, path string) error {
	want, err := o.wanted(ctx, s)
	if err != nil {
		return err
	}
	f, size, err := pack.Open(path)
	if err != nil {
		return err
	}
	defer f.Close()
	report, err := pack.Verify(ctx, f, size, want)
	if err != nil {
		return fmt.Errorf("reading %q: %w", path, err)
	}
	if o.raw != "" {
		raw, err := pack.OpenDisk(ctx, o.raw)
		if err != nil {
			return err
		}
		defer raw.Close()
		if err := report.Compare(ctx, f, size, raw); err != nil {
			return err
		}
	}
	if o.json {
		s.reports(report)
	} else {
		printReport(s, path, report)
	}
	if n := len(report.Findings); n > 0 {
		return fmt.Errorf("verifying %q: %d findings", path, n)
	}
	return nil
}

// wanted is by whom the image must be signed.
func (o verifyOptions) wanted(ctx context.Context, s streams) (verify.Want, error) {
	if o.cert != "" {
		cert, err := readCertificate(o.cert)
		return verify.Want{Signer: cert}, err
	}
	if o.spec == "" {
		return verify.Want{}, nil
	}
	loaded, err := s.load(o.spec)
	if err != nil || loaded.Spec.Image.SecureBoot.Enroll == "" {
		return verify.Want{}, err
	}
	keys, dir, err := o.secureBootKeys(ctx, loaded.Spec.Cluster.ID)
	if err != nil {
		return verify.Want{}, err
	}
	defer dir.Close()
	return verify.Want{Signer: keys.Certificate(secureboot.DB)}, nil
}

func printReport(s streams, path string, r *pack.Report) {
	for _, f := range r.Findings {
		fmt.Fprintln(s.out, f)
	}
	if len(r.Findings) == 0 {
		for _, line := range r.Partitions {
			fmt.Fprintln(s.out, line)
		}
		if r.Machine != "" {
			fmt.Fprintf(s.out, "machine %q, signed by %s\n", r.Machine, cmp.Or(r.Signer, "nobody"))
		}
		if r.SecureBoot != "" {
			fmt.Fprintf(s.out, "signed for Secure Boot by %q\n", r.SecureBoot)
		}
		if r.Debug {
			fmt.Fprintf(s.out, "%s: a debug image: a person can get into its nodes; never for production\n", path)
		}
		fmt.Fprintf(s.out, "%s: whole %s; kernel %s, root hash %s, %d files\n", path, r.Format, r.Kernel, r.RootHash, r.RootFiles)
	}
}
