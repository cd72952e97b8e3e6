package main

import (
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"slipway/initrd"
	"slipway/initrd/verity"
)

// machine is the one that this runs on.
type machine struct {
	environ []string // as the kernel gave it
	events  int      // a socket; -1 if there is none
}

var _ initrd.Machine = (*machine)(nil)

func newMachine() *machine {
	m := &machine{environ: os.Environ(), events: listen()}
	os.Setenv("PATH", "/usr/sbin:/usr/bin:/sbin:/bin")
	return m
}

func (*machine) Mount(source, target, kind string, flags uintptr, options string) error {
	return unix.Mount(source, target, kind, flags, options)
}

func (*machine) Unmount(target string) error { return unix.Unmount(target, unix.MNT_DETACH) }

func (*machine) Insert(file string) error {
	f, err := os.Open(file)
	if err != nil {
		return err
	}
	defer f.Close()
	if err := unix.FinitModule(int(f.Fd()), "", 0); err != nil && !errors.Is(err, unix.EEXIST) {
		return err
	}
	return nil
}

func (*machine) Verity(name string, s verity.Superblock, params string) (major, minor uint32, err error) {
	return verity.Open("/dev/mapper/control", name, s.ID(name), s.Sectors(), params)
}

func (m *machine) Run(out io.Writer, argv ...string) error {
	cmd := exec.Command(argv[0], argv[1:]...)
	cmd.Stdout, cmd.Stderr = out, out
	return cmd.Run()
}

// stopLimit is how long a program may take to end by itself.
const stopLimit = 10 * time.Second

func (m *machine) Start(out io.Writer, argv ...string) (stop func(), err error) {
	cmd := exec.Command(argv[0], argv[1:]...)
	cmd.Stdout, cmd.Stderr = out, out
	cmd.WaitDelay = stopLimit // its children may hold what it prints to
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	ended := make(chan struct{})
	go func() {
		cmd.Wait()
		close(ended)
	}()
	return func() {
		cmd.Process.Signal(syscall.SIGTERM)
		select {
		case <-ended:
		case <-time.After(stopLimit):
			cmd.Process.Kill()
			<-ended
		}
	}, nil
}

func (*machine) Sync(path string) error {
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	defer f.Close()
	return unix.Syncfs(int(f.Fd()))
}

func (m *machine) Exec(argv ...string) error {
	return fmt.Errorf("starting %s: %w", argv[0], unix.Exec(argv[0], argv, m.environ))
}

func (*machine) Restart()              { unix.Reboot(unix.LINUX_REBOOT_CMD_RESTART) }
func (*machine) Random(b []byte)       { rand.Read(b) }
func (*machine) Now() time.Time        { return time.Now() }
func (*machine) Sleep(d time.Duration) { time.Sleep(d) }
