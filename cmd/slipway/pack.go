package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"slipway/cluster"
	"slipway/imagebuild/qcow2"
	"slipway/ova"
	"slipway/pack"
)

type packOptions struct {
	out, compression   string
	force, json, quiet bool
	cpus               int
	memory             string
	networks           []string
	hardware           int
	secureBoot         bool
	name               string
	signKey, signCert  string
}

func newPackCmd(s streams) *cobra.Command {
	var o packOptions
	cmd := &cobra.Command{
		Use:   "pack RAW -o FILE",
		Short: "Turn a raw disk image into a qcow2, VMDK or OVA file",
		Long: `Packs any raw disk image into the format that FILE's name ends in: .qcow2, .vmdk (streamOptimized) or .ova. RAW may
also be a block device, or a file in one of these formats: it is known by its content. Packing works on all cores, reads
no holes, and gives the same bytes for the same disk everywhere. FILE is whole or not there, and replaces nothing
without --force; an OVA takes twice its size while it is made. The time in an OVA is SOURCE_DATE_EPOCH, or else that of
the build that made the image, or else 1970; it is never now.

` + exitCodeHelp,
		Example: "  slipway pack out/single.raw -o single.ova --cpus 4 --memory 8GiB\n  slipway pack disk.raw -o disk.qcow2 --compression zstd",
		Args:    packArgs,
	}
	f := cmd.Flags()
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		format, err := packFormat(o, f.Changed)
		if err != nil {
			return err
		}
		return runPack(cmd.Context(), s, o, args[0], format)
	}
	f.StringVarP(&o.out, "output", "o", "", "the file to write; its ending chooses the format")
	f.StringVar(&o.compression, "compression", "zlib", "of a qcow2 file: zlib, or zstd for QEMU 5.1 and later")
	f.BoolVar(&o.force, "force", false, "replace a file that exists")
	f.BoolVar(&o.json, "json", false, "print one line of JSON at the end")
	f.BoolVarP(&o.quiet, "quiet", "q", false, "errors only")
	f.StringVar(&o.name, "name", "", "of the machine in an OVA (default: the file's name)")
	f.IntVar(&o.cpus, "cpus", 2, "of the machine in an OVA")
	f.StringVar(&o.memory, "memory", "4GiB", "of the machine in an OVA")
	f.StringSliceVar(&o.networks, "network", []string{"VM Network"}, "of the machine in an OVA, one adapter each")
	f.IntVar(&o.hardware, "hardware-version", ova.DefaultVersion, "of the machine in an OVA, as in vmx-15")
	f.BoolVar(&o.secureBoot, "secure-boot", false, "switch Secure Boot on in an OVA; images of this version are not signed and would not start")
	f.StringVar(&o.signKey, "sign-key", "", "PEM file with the RSA key that signs an OVA's manifest")
	f.StringVar(&o.signCert, "sign-cert", "", "PEM file with its certificate, and those of its issuers behind it")
	return cmd
}

func packArgs(_ *cobra.Command, args []string) error {
	if len(args) != 1 {
		return usageError{errors.New("pack takes one raw image: slipway pack out/single.raw -o single.ova")}
	}
	return nil
}

// packFormat is the format of the file to be written, which must know each flag that was given.
func packFormat(o packOptions, given func(flag string) bool) (pack.Format, error) {
	if o.out == "" {
		return "", usageError{errors.New("pack needs --output: a name that ends in .qcow2, .vmdk or .ova")}
	}
	format, err := pack.FormatOf(o.out)
	if err != nil {
		return "", err
	}
	for _, only := range []struct {
		format pack.Format
		flags  []string
	}{
		{pack.QCOW2, []string{"compression"}},
		{pack.OVA, []string{"name", "cpus", "memory", "network", "hardware-version", "secure-boot", "sign-key", "sign-cert"}},
	} {
		for _, name := range only.flags {
			if format != only.format && given(name) {
				return "", usageError{fmt.Errorf("--%s is for .%s files, and %q is none", name, only.format, o.out)}
			}
		}
	}
	return format, nil
}

func runPack(ctx context.Context, s streams, o packOptions, raw string, format pack.Format) error {
	compression, ok := map[string]qcow2.Compression{"zlib": qcow2.Zlib, "zstd": qcow2.Zstd}[o.compression]
	if !ok {
		return usageError{fmt.Errorf("reading --compression: %q is neither zlib nor zstd", o.compression)}
	}
	machine, err := o.machine()
	if err != nil {
		return err
	}
	if machine.Time, err = sourceDate(os.Getenv("SOURCE_DATE_EPOCH")); err != nil {
		return err
	}
	if machine.Signer, err = o.signer(); err != nil {
		return err
	}
	p := newProgress(s, o.quiet, time.Now)
	p.Begin("pack")
	res, err := pack.File(ctx, raw, o.out, format, pack.Options{
		Force: o.force, Compression: compression, Machine: machine, Progress: p.Bytes,
	})
	if err != nil {
		return err
	}
	p.End("pack", fmt.Sprintf("%s of a disk of %s", format, size(res.Capacity)), false)
	if o.json {
		s.reports(res)
		return nil
	}
	fmt.Fprintf(s.out, "%s  %s  sha256 %s\n", res.Path, size(res.Size), res.SHA256)
	return nil
}

// signer is nil unless both files are given.
func (o packOptions) signer() (*ova.Signer, error) {
	if o.signKey == "" && o.signCert == "" {
		return nil, nil
	}
	if o.signKey == "" || o.signCert == "" {
		return nil, usageError{errors.New("signing needs both --sign-key and --sign-cert")}
	}
	key, err := os.ReadFile(o.signKey)
	if err != nil {
		return nil, usageError{fmt.Errorf("reading --sign-key: %w", err)}
	}
	chain, err := os.ReadFile(o.signCert)
	if err != nil {
		return nil, usageError{fmt.Errorf("reading --sign-cert: %w", err)}
	}
	signer, err := ova.ParseSigner(key, chain)
	if err != nil {
		return nil, usageError{err}
	}
	return signer, nil
}

// sourceDate is the time that the environment asks for; zero if it does not.
func sourceDate(text string) (time.Time, error) {
	if text == "" {
		return time.Time{}, nil
	}
	seconds, err := strconv.ParseInt(text, 10, 64)
	if err != nil || seconds < 0 || seconds >= 1<<33 { // 11 octal digits of a tar header
		return time.Time{}, usageError{fmt.Errorf("reading SOURCE_DATE_EPOCH %q: want seconds since 1970", text)}
	}
	return time.Unix(seconds, 0).UTC(), nil
}

// machine is what an OVA starts.
func (o packOptions) machine() (ova.Package, error) {
	name := o.name
	if name == "" {
		name = strings.TrimSuffix(filepath.Base(o.out), filepath.Ext(o.out))
	}
	memory, err := cluster.ParseSize(o.memory)
	if err != nil {
		return ova.Package{}, usageError{fmt.Errorf("reading --memory: %w\nhint: a number with a unit, like 8GiB", err)}
	}
	return ova.Package{
		Name: name, Product: ova.Product{Name: name, Vendor: "Slipway"},
		Hardware: ova.Hardware{
			Version: o.hardware, CPUs: o.cpus, MemoryMiB: int64(memory / cluster.MiB), Networks: o.networks, SecureBoot: o.secureBoot,
		},
	}, nil
}
