// Package blockdev tells what is on a block device: the signatures of its file systems, its partitions, the size of its
// sectors. Start with Signatures and Partitions.
//
// It is compiled into Ignition in the place of calls into libblkid, and asks util-linux's wipefs and partx of the image
// instead, which call the same library: Ignition is then no matter of the C library that some other machine has. It
// changes nothing on a device.
package blockdev

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// Signature is what makes a device a file system, a swap area, a member of a RAID or the like.
type Signature struct {
	Type  string `json:"type"`
	UUID  string `json:"uuid"`
	Label string `json:"label"`
}

// tables are the signatures of partition tables, as libblkid calls them.
var tables = []string{"PMBR", "aix", "atari", "bsd", "dos", "gpt", "mac", "sgi", "solaris_x86", "sun", "ultrix", "unixware"}

// Signatures are those that a device has, in the order in which libblkid finds them, partition tables aside; each is
// named once, though most are written in several places.
func Signatures(wipefs, device string) ([]Signature, error) {
	out, err := run(wipefs, "--no-act", "--json", device)
	if err != nil {
		return nil, err
	}
	var found struct{ Signatures []Signature }
	if len(bytes.TrimSpace(out)) == 0 {
		return nil, nil
	}
	if err := json.Unmarshal(out, &found); err != nil {
		return nil, fmt.Errorf("reading what wipefs says of %q: %w", device, err)
	}
	var all []Signature
	for _, s := range found.Signatures {
		if !slices.Contains(tables, s.Type) && !slices.Contains(all, s) {
			all = append(all, s)
		}
	}
	return all, nil
}

// Partition is one entry of a GPT. Start and Sectors count sectors of 512 bytes, whatever the device's own are.
type Partition struct {
	Number         int
	Start, Sectors int64
	Name           string
	UUID, Type     string // lower case
}

// ErrNoGPT means a partition table of another kind.
var ErrNoGPT = errors.New("disk does not have a GPT")

// Partitions are those of a device with a GPT; a device without any partition table has none.
func Partitions(partx, device string) ([]Partition, error) {
	f, err := os.Open(device)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	if _, err := f.ReadAt(make([]byte, 512), 0); err != nil { // partx gives one answer for this and for no table
		return nil, fmt.Errorf("reading %q: %w", device, err)
	}
	out, err := run(partx, "--pairs", "--output", "NR,START,SECTORS,NAME,UUID,TYPE,SCHEME", device)
	if exit := (*exec.ExitError)(nil); errors.As(err, &exit) && exit.ExitCode() == 1 {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	var all []Partition
	for line := range strings.Lines(string(out)) {
		p, err := parse(line)
		if err != nil {
			return nil, fmt.Errorf("reading what partx says of %q: %w", device, err)
		}
		all = append(all, p)
	}
	return all, nil
}

var pair = regexp.MustCompile(`([A-Z]+)="([^"]*)"`)

func parse(line string) (Partition, error) {
	field := map[string]string{}
	for _, m := range pair.FindAllStringSubmatch(line, -1) {
		field[m[1]] = unescape(m[2])
	}
	if field["SCHEME"] != "gpt" {
		return Partition{}, ErrNoGPT
	}
	p := Partition{Name: field["NAME"], UUID: field["UUID"], Type: field["TYPE"]}
	var errs [3]error
	p.Number, errs[0] = strconv.Atoi(field["NR"])
	p.Start, errs[1] = strconv.ParseInt(field["START"], 10, 64)
	p.Sectors, errs[2] = strconv.ParseInt(field["SECTORS"], 10, 64)
	return p, errors.Join(errs[:]...)
}

var escape = regexp.MustCompile(`\\x[0-9a-f]{2}`)

// unescape undoes \x22, the way in which util-linux writes every byte that is not plain.
func unescape(s string) string {
	return escape.ReplaceAllStringFunc(s, func(e string) string {
		b, _ := strconv.ParseUint(e[2:], 16, 8)
		return string([]byte{byte(b)})
	})
}

// SectorSize is the logical one of a block device, 512 or 4096.
func SectorSize(device string) (int, error) {
	f, err := os.Open(device)
	if err != nil {
		return 0, err
	}
	defer f.Close()
	size, err := unix.IoctlGetInt(int(f.Fd()), unix.BLKSSZGET)
	if err != nil {
		return 0, fmt.Errorf("asking %q for its sector size: %w", device, err)
	}
	if size <= 0 || size%512 != 0 {
		return 0, fmt.Errorf("asking %q for its sector size: %d is no multiple of 512", device, size)
	}
	return size, nil
}

func run(program string, args ...string) ([]byte, error) {
	cmd := exec.Command(program, args...)
	cmd.Env = append(os.Environ(), "LC_ALL=C")
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		return nil, fmt.Errorf("running %s: %w: %s", program, err, bytes.TrimSpace(stderr.Bytes()))
	}
	return out, nil
}
