package initrd

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"time"
	"unicode"
)

// console speaks on every console of the kernel, not on the last one alone, and in the kernel's log.
type console struct {
	root    string
	stopped map[string]bool // took nothing in time
}

const (
	// patience is how long one line may take. A console that is stopped (XOFF, a full pipe of the hypervisor's) must not
	// keep the others waiting, and is not waited for again.
	patience = 5 * time.Second
	// recordSize is what the kernel's log keeps together: 1024 bytes with what it adds.
	recordSize = 900
	kmsgInfo   = "<14>" // syslog(3): a program, and worth a line in the journal, but not on a console
)

func (c *console) say(line string) {
	line = printable(line)
	c.kmsg(line)
	names := strings.Fields(c.active())
	if len(names) == 0 {
		names = []string{"console"}
	}
	written := make(chan string, len(names))
	waiting := map[string]bool{}
	for _, name := range names {
		if c.stopped[name] {
			continue
		}
		waiting[name] = true
		go func() {
			c.write(name, line)
			written <- name
		}()
	}
	limit := time.After(patience)
	for len(waiting) > 0 {
		select {
		case name := <-written:
			delete(waiting, name)
		case <-limit:
			c.stopped = waiting
			return
		}
	}
}

func (c *console) active() string {
	data, _ := os.ReadFile(filepath.Join(c.root+"/", "sys/class/tty/console/active"))
	return string(data)
}

func (c *console) write(name, line string) {
	f, err := os.OpenFile(filepath.Join(c.root+"/", "dev", name), os.O_WRONLY|os.O_APPEND|syscall.O_NOCTTY|syscall.O_NONBLOCK, 0)
	if err != nil {
		return
	}
	defer f.Close()
	f.Write([]byte(line + "\r\n"))
}

// kmsg writes one record a write, as the kernel wants it.
func (c *console) kmsg(line string) {
	f, err := os.OpenFile(filepath.Join(c.root+"/", "dev/kmsg"), os.O_WRONLY|os.O_APPEND, 0)
	if err != nil {
		return
	}
	defer f.Close()
	for len(line) > recordSize {
		f.Write([]byte(kmsgInfo + line[:recordSize] + "\n"))
		line = line[recordSize:]
	}
	f.Write([]byte(kmsgInfo + line + "\n"))
}

// log is where a program prints to, under a name.
func (c *console) log(name string) *logger { return &logger{c: c, name: name} }

// logger cuts what is written to it into lines of the kernel's log.
type logger struct {
	c    *console
	name string
	rest []byte
}

func (l *logger) Write(p []byte) (int, error) {
	l.rest = append(l.rest, p...)
	for {
		line, rest, ok := bytes.Cut(l.rest, []byte("\n"))
		if !ok {
			break
		}
		l.line(line)
		l.rest = rest
	}
	if len(l.rest) > 16*recordSize { // a program that never ends its line
		l.Close()
	}
	return len(p), nil
}

// Close writes what is left.
func (l *logger) Close() error {
	l.line(l.rest)
	l.rest = nil
	return nil
}

func (l *logger) line(b []byte) {
	if text := printable(string(b)); strings.TrimSpace(text) != "" {
		l.c.kmsg(fmt.Sprintf("%s: %s", l.name, text))
	}
}

// printable leaves nothing in a line that a terminal would obey.
func printable(s string) string {
	return strings.Map(func(r rune) rune {
		if r == '\t' {
			return ' '
		}
		if !unicode.IsPrint(r) {
			return '?'
		}
		return r
	}, s)
}
