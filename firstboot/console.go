package firstboot

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path"
	"strings"
	"syscall"
	"time"

	"slipway/firstboot/status"
)

// activeConsoles is where the kernel lists the consoles that it writes to (Documentation/ABI/testing/sysfs-tty).
// /dev/console is only the last one of its command line: a screen, often, while people look at the serial line.
const activeConsoles = "/sys/class/tty/console/active"

// consoles are the devices to show status on, by path.
func consoles(files FS) []string {
	active, err := files.ReadFile(activeConsoles)
	var paths []string
	for _, name := range strings.Fields(string(active)) {
		paths = append(paths, path.Join("/dev", name))
	}
	if err != nil || len(paths) == 0 {
		return []string{"/dev/console"}
	}
	return paths
}

// outputs are the ways on which the daemon speaks: the consoles and its log, which systemd passes to the journal. Any of
// them may be stopped at any moment, and none of them stops the daemon.
type outputs struct {
	consoles []*status.Lines
	log      *status.Lines
	console  io.Writer // all consoles
}

func openOutputs(files Prefix, log io.Writer) *outputs {
	out := &outputs{log: status.NewLines(log, nil)}
	var all []io.Writer
	for _, device := range consoles(files) {
		lines := status.NewLines(console(files.path(device)), func(err error) {
			fmt.Fprintf(out.log, "writing to a console: %v\n", err)
		})
		out.consoles = append(out.consoles, lines)
		all = append(all, lines)
	}
	out.console = io.MultiWriter(all...)
	return out
}

// logf says something beside the status, in the journal and on the consoles.
func (o *outputs) logf(format string, args ...any) {
	text := fmt.Sprintf(format, args...)
	fmt.Fprintf(o.log, "%s\n", text)
	fmt.Fprintf(o.console, "slipwayd: %s\n", text)
}

// lastWords is how long an ending daemon waits for outputs that take nothing.
const lastWords = 2 * time.Second

// close waits for what was said last, all outputs together.
func (o *outputs) close() {
	ctx, cancel := context.WithTimeout(context.Background(), lastWords)
	defer cancel()
	for _, lines := range o.consoles {
		lines.Close(ctx) // it hangs or not: the daemon ends now
	}
	o.log.Close(ctx)
}

// console is opened for every line: a login on the same line hangs up whoever holds it open.
type console string

// Write appends to the console, without making it the daemon's controlling terminal.
func (c console) Write(line []byte) (int, error) {
	f, err := os.OpenFile(string(c), os.O_WRONLY|os.O_APPEND|syscall.O_NOCTTY, 0)
	if err != nil {
		return 0, err
	}
	n, err := f.Write(line)
	return n, errors.Join(err, f.Close())
}
