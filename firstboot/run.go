package firstboot

import (
	"cmp"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"syscall"
	"time"

	"slipway/firstboot/journal"
	"slipway/firstboot/peer"
	"slipway/firstboot/status"
	"slipway/node"
	"slipway/roles"
)

// Options is what the daemon gets from the world.
type Options struct {
	Root         string // "/"
	Console      string // where status lines go, below Root: /dev/console
	Listen       string // address of the peer API; empty: the contract's port on all addresses
	Log          io.Writer
	NotifySocket string // systemd's, empty without
	Now          func() time.Time
	Random       io.Reader
}

// Run is the daemon. It returns nil when the context ends, and at once when the node cannot even begin: without a good
// node config and the node's own certificate there is nothing to serve. The console then says why, and systemd starts
// the daemon again, later each time.
func Run(ctx context.Context, o Options) error {
	logger := log.New(o.Log, "", 0)
	console := console(filepath.Join(o.Root, o.Console))
	files := Prefix(o.Root)
	cfg, err := load(files)
	if err != nil {
		return errors.Join(err, emergency(console, "unknown", o.Now, err))
	}
	d, err := assemble(o, files, cfg, console, logger)
	if err != nil {
		return errors.Join(err, emergency(console, cfg.Node, o.Now, err))
	}
	return d.run(ctx, cmp.Or(o.Listen, fmt.Sprintf(":%d", node.PeerPort)), o.NotifySocket)
}

// load reads the contract. Path errors name the file; parse errors say what is wrong in it.
func load(files FS) (*node.Config, error) {
	data, err := files.ReadFile(node.Path)
	if err != nil {
		return nil, fmt.Errorf("reading node config: %w", err)
	}
	cfg, err := node.Parse(data)
	if err != nil {
		return nil, fmt.Errorf("reading %s: %w", node.Path, err)
	}
	return cfg, nil
}

// emergency says on the console why the daemon ends.
func emergency(out io.Writer, name string, now func() time.Time, cause error) error {
	d := status.Document{Step: "config", State: status.Failed, WaitingFor: "a good node config", LastError: cause.Error()}
	d.Node = name
	return status.NewReporter(name, out, now).Report(d)
}

// daemon is what runs.
type daemon struct {
	machine  *machine
	engine   *Engine
	reporter *status.Reporter
	server   *http.Server
}

func assemble(o Options, files FS, cfg *node.Config, console io.Writer, logger *log.Logger) (*daemon, error) {
	out, err := roles.Render(cfg)
	if err != nil {
		return nil, fmt.Errorf("rendering roles: %w", err)
	}
	j, err := journal.Open(files)
	if err != nil {
		return nil, err
	}
	floor, err := clockFloor(files, cfg)
	if err != nil {
		return nil, err
	}
	host := Host{FS: files, Run: Exec{}, Clients: &pkiClients{files: files, now: o.Now}, Clock: WallClock(o.Now)}
	pair, err := keyPair(files, node.CertPeer)
	if err != nil {
		return nil, err
	}
	pool, err := caPool(files, node.CAPeer)
	if err != nil {
		return nil, err
	}
	now := notBefore(floor, o.Now)
	base := &tls.Config{RootCAs: pool, Certificates: []tls.Certificate{pair}, Time: now}
	d := &daemon{reporter: status.NewReporter(cfg.Node, console, o.Now)}
	d.machine = newMachine(host, cfg, out, j, peerCaller{base: base, random: o.Random}, logger.Printf)
	d.engine = &Engine{
		Node: cfg.Node, Steps: d.machine.plan(), Clock: host.Clock, Journal: j, Finish: d.machine.recordFormed,
		Report: func(doc status.Document) {
			if err := d.reporter.Report(doc); err != nil {
				logger.Printf("writing status to the console: %v", err)
			}
		},
	}
	d.server, err = peer.NewServer(peer.ServerOptions{Certificate: pair, CA: pool, Inventory: cfg.Nodes, Now: now, Node: d})
	return d, err
}

// notBefore is a clock for judging peers: with a clock that is certainly behind, a node can still tell its status.
func notBefore(floor time.Time, now func() time.Time) func() time.Time {
	return func() time.Time {
		if t := now(); t.After(floor) {
			return t
		}
		return floor
	}
}

// Status and Attest make the daemon a peer.Node.
func (d *daemon) Status() status.Document { return d.reporter.Latest() }

// Attest answers for the node.
func (d *daemon) Attest() (peer.Attestation, error) { return d.machine.Attest() }

// run serves the peer API, tells systemd, and lets the engine work.
func (d *daemon) run(ctx context.Context, address, socket string) error {
	listener, err := (&net.ListenConfig{}).Listen(ctx, "tcp", address)
	if err != nil {
		return fmt.Errorf("opening the peer API: %w", err)
	}
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	go func() { cancel(fmt.Errorf("serving the peer API: %w", d.server.ServeTLS(listener, "", ""))) }()
	defer d.server.Close()
	if d.machine.self.Has(node.ControlPlane) {
		go d.machine.watchRequests(ctx)
	}
	if err := notify(socket, "READY=1"); err != nil {
		return err
	}
	d.engine.Run(ctx)
	if cause := context.Cause(ctx); !errors.Is(cause, context.Canceled) {
		return cause
	}
	return nil
}

// console is opened for every line: a login on the same line hangs up whoever holds it open.
type console string

// Write appends to the console, without making it the daemon's controlling terminal.
func (c console) Write(line []byte) (int, error) {
	f, err := os.OpenFile(string(c), os.O_WRONLY|os.O_APPEND|os.O_CREATE|syscall.O_NOCTTY, 0o600)
	if err != nil {
		return 0, err
	}
	n, err := f.Write(line)
	return n, errors.Join(err, f.Close())
}
