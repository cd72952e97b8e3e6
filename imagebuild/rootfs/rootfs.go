// Package rootfs turns a tree of distro packages and what Slipway lays over it into the packed, read-only root.
// Start with Build. The packing is squashfs, for the reasons of docs/adr/0001-squashfs-root.md.
package rootfs

import (
	"bytes"
	"context"
	"embed"
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"slices"
	"strings"
	"text/template"

	"slipway/imagebuild/distro"
	"slipway/imagebuild/overlay"
	"slipway/imagebuild/sandbox"
)

//go:embed files/build.sh
var script string

//go:embed all:files/root
var static embed.FS

//go:embed files/20-slipway.preset.tmpl
var preset string

// Static returns the files that every image of a distribution has, whatever its spec says.
func Static(facts distro.Facts) ([]overlay.Entry, error) {
	entries, err := overlay.FromFS(static, "files/root", "/")
	if err != nil {
		return nil, fmt.Errorf("collecting the image's own files: %w", err)
	}
	for i := range entries {
		if entries[i].Path == emergency {
			entries[i].Mode = 0o755
		}
	}
	tmpl, err := template.New("preset").Option("missingkey=error").Parse(preset)
	if err != nil {
		return nil, fmt.Errorf("reading the preset's template: %w", err)
	}
	var text bytes.Buffer
	if err := tmpl.Execute(&text, facts.Units); err != nil {
		return nil, fmt.Errorf("writing the preset: %w", err)
	}
	entries = append(entries, overlay.Entry{Path: "/usr/lib/systemd/system-preset/20-slipway.preset", Mode: 0o644, Content: text.Bytes()})
	return slices.Concat(entries, links), nil
}

// emergency is the one program among the files: what a system in trouble runs.
const emergency = "/usr/lib/slipway/failed"

// links lead from the read-only root to state, and pin what an image must not say of itself.
var links = []overlay.Entry{
	{Path: "/etc/resolv.conf", Link: "../run/systemd/resolve/stub-resolv.conf"},
	{Path: "/etc/machine-id", Mode: 0o444, Content: []byte("uninitialized\n")}, // set on first boot, kept on state
	{Path: "/etc/localtime", Link: "../usr/share/zoneinfo/Etc/UTC"},
	{Path: "/etc/fstab", Mode: 0o644, Content: []byte("# Mounts come from the verified root's own units.\n")},
	{Path: "/etc/systemd/system-generators/systemd-gpt-auto-generator", Link: "/dev/null"}, // it would mount the ESP, writable
	{Path: "/etc/systemd/system/systemd-firstboot.service", Link: "/dev/null"},             // it asks questions
	{Path: "/etc/systemd/system/getty@.service", Link: "/dev/null"},                        // no login; a debug image unmasks it
	{Path: "/etc/systemd/system/serial-getty@.service", Link: "/dev/null"},
	{Path: "/etc/systemd/system/getty-static.service", Link: "/dev/null"},
	{Path: "/etc/systemd/system/debug-shell.service", Link: "/dev/null"}, // a shell on a virtual console
}

// Debug returns the entries that make an image with a root login on the serial console.
func Debug() []overlay.Entry {
	return []overlay.Entry{
		{Path: "/etc/systemd/system/serial-getty@.service", Link: "/usr/lib/systemd/system/serial-getty@.service"},
		{Path: "/etc/systemd/system/debug-shell.service", Link: "/usr/lib/systemd/system/debug-shell.service"},
		{Path: "/etc/systemd/system/serial-getty@ttyS0.service.d/autologin.conf", Mode: 0o644,
			Content: []byte("[Service]\nExecStart=\nExecStart=-/sbin/agetty --skip-login --nonewline --noissue --login-program /bin/bash --keep-baud 115200 - $TERM\n")},
		{Path: "/usr/lib/systemd/system-preset/10-slipway-debug.preset", Mode: 0o644, Content: []byte("enable serial-getty@ttyS0.service\n")},
		{Path: "/usr/lib/systemd/system/getty.target.wants/serial-getty@ttyS0.service", Link: "../serial-getty@.service"},
	}
}

// Input is all that shapes a root.
type Input struct {
	Tree    string
	Adds    []overlay.Entry
	Facts   distro.Facts
	Purge   []string // packages that built the image and do not ship
	Epoch   int64
	Sandbox *sandbox.Sandbox
	Log     io.Writer
}

// KeyInputs are the inputs as values for a stage key; treeKey stands for the tree.
func (in Input) KeyInputs(treeKey string) []any {
	return []any{"rootfs", treeKey, overlay.Digest(in.Adds), in.Facts, in.Purge, in.Epoch, script}
}

// Names of the results in the output directory.
const (
	Name    = "root.squashfs"
	Listing = "root.list" // every path with mode, owner and size: for tests and for a person
)

// Build writes out/root.squashfs and out/root.list.
func Build(ctx context.Context, in Input, out string) error {
	adds, written := stream(in.Adds, in.Epoch)
	err := in.Sandbox.Run(ctx, sandbox.Script{
		Name: "packing the root", Text: script, Stdin: adds, Output: in.Log,
		Args: []string{
			in.Tree, filepath.Clean(out), fmt.Sprint(in.Epoch), strings.Join(in.Purge, " "),
			in.Facts.Purge, in.Facts.Database, in.Facts.ShipsAt, in.leftovers(),
		},
	})
	if err := written(); err != nil && ctx.Err() == nil { // the cause; the script only saw its input end
		return fmt.Errorf("collecting what the root adds: %w", err)
	}
	if err != nil {
		return err
	}
	return in.Sandbox.RemoveAll(ctx, filepath.Join(out, "work"))
}

// leftovers are the patterns of what does not ship of the package database.
func (in Input) leftovers() string {
	var out []string
	for _, pattern := range in.Facts.Leftovers {
		out = append(out, in.Facts.ShipsAt+"/"+pattern)
	}
	return strings.Join(out, " ")
}

// stream gives the entries as a tar that is never whole in memory. written ends it and says why it broke off, if it did.
func stream(entries []overlay.Entry, epoch int64) (tar io.Reader, written func() error) {
	r, w := io.Pipe()
	result := make(chan error, 1)
	go func() {
		err := overlay.WriteTar(w, entries, epoch)
		w.CloseWithError(err)
		result <- err
	}()
	return r, func() error {
		r.Close()
		if err := <-result; !errors.Is(err, io.ErrClosedPipe) {
			return err
		}
		return nil // whoever read it stopped early, and says so
	}
}
