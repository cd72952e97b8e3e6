package firstboot

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"path"
	"slices"
	"strings"
	"time"

	"slipway/firstboot/journal"
	"slipway/firstboot/peer"
	"slipway/firstboot/status"
	"slipway/firstboot/wire"
	"slipway/node"
	"slipway/roles"
)

// Options is what the daemon gets from the world.
type Options struct {
	Root         string // "/"
	Listen       string // address of the peer API; empty: the contract's port on all addresses
	Log          io.Writer
	NotifySocket string // systemd's, empty without
	Now          func() time.Time
	Random       io.Reader
}

// Run is the daemon. It returns nil when the context ends, and at once when the node cannot even begin: without a good
// node config and the node's own certificate there is nothing to serve, and without its port nobody to serve. The consoles then say why, and systemd starts
// the daemon again, later each time.
func Run(ctx context.Context, o Options) error {
	files := Prefix(o.Root)
	out := openOutputs(files, o.Log)
	defer out.close()
	cfg, err := load(files)
	if err != nil {
		return errors.Join(err, emergency(out.console, "unknown", o.Now, noConfig, err))
	}
	d, err := assemble(o, files, cfg, out)
	if err != nil {
		return errors.Join(err, emergency(out.console, cfg.Node, o.Now, noConfig, err))
	}
	if err := d.run(ctx, cmp.Or(o.Listen, fmt.Sprintf(":%d", node.PeerPort)), o.NotifySocket); err != nil {
		return errors.Join(err, emergency(out.console, cfg.Node, o.Now, noPeerAPI, err))
	}
	return nil
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

// What an ending daemon lacks: the step of its last status, and what the node waits for.
const (
	noConfig  = "config: a good node config"
	noPeerAPI = "peer-api: the peer API to be served"
)

// emergency says on the consoles why the daemon ends.
func emergency(out io.Writer, name string, now func() time.Time, lacks string, cause error) error {
	step, waiting, _ := strings.Cut(lacks, ": ")
	d := status.Document{Node: name, Step: step, State: status.Failed, WaitingFor: waiting, LastError: cause.Error()}
	return status.NewReporter(name, out, now).Report(d)
}

// daemon is what runs.
type daemon struct {
	machine  *machine
	engine   *Engine
	reporter *status.Reporter
	server   *peer.Server
}

// assemble puts the daemon together. What is broken on the disk, but for config and identity, is told and lived with: a
// node that can say what is wrong is worth more than one that ends.
func assemble(o Options, files Prefix, cfg *node.Config, out *outputs) (*daemon, error) {
	rendered, err := roles.Render(cfg)
	if err != nil {
		return nil, fmt.Errorf("rendering roles: %w", err)
	}
	id, err := readIdentity(files)
	if err == nil {
		err = id.isOf(cfg.Self())
	}
	if err != nil {
		return nil, err
	}
	if err := files.Settle(workFolders(rendered)...); err != nil {
		out.logf("%v", err)
	}
	j, lost := journal.Open(files, cfg.EtcdToken())
	host := Host{
		FS: files, Run: Exec{}, Streams: Exec{}, Clients: &pkiClients{files: files, now: o.Now}, Clock: WallClock(o.Now),
		Sockets: UnixSockets(files), Wire: &wire.Segment{Own: cfg.Self().Address.Addr()},
	}
	d := &daemon{reporter: status.NewReporter(cfg.Node, out.console, o.Now)}
	instance, fleeting := openInstance(files, o.Random)
	d.machine = newMachine(host, cfg, id.ca, instance, rendered, j, &peerCaller{base: id.client(o.Now), cfg: cfg, random: o.Random}, out.logf)
	d.machine.noteMemory(lost, fleeting)
	d.engine = &Engine{
		Node: cfg.Node, Steps: d.machine.plan(), Clock: host.Clock, Journal: j, Notices: d.machine.notices.List,
		Report: func(doc status.Document) {
			if err := d.reporter.Report(doc); err != nil {
				out.logf("telling status: %v", err)
			}
		},
	}
	d.server, err = peer.NewServer(d.serverOptions(id, o.Now))
	return d, err
}

// workFolders are those in which slipwayd writes and removes files.
func workFolders(out roles.Output) []string {
	folders := []string{path.Dir(journal.Path), path.Dir(manifestPath), unitDir, runDir, node.PKIDir}
	for _, f := range out.Files {
		folders = append(folders, path.Dir(f.Path))
	}
	slices.Sort(folders)
	return slices.Compact(folders)
}

// strangersStay is how long a caller that was turned away stands in the status.
const strangersStay = 10 * time.Minute

func (d *daemon) serverOptions(id identity, now func() time.Time) peer.ServerOptions {
	w, err := clockWindow(d.machine.FS, d.machine.cfg)
	if err != nil { // the time gate says so
		w = window{}
	}
	return peer.ServerOptions{
		Certificate: id.pair, CA: id.ca, Config: d.machine.cfg, Node: d, Inside: d.machine.inspector(d.status),
		Clock: peer.Clock{Now: now, From: w.from, Until: w.until},
		Refused: func(address string, why error) {
			d.machine.notices.Put(status.Notice{Kind: "caller", Name: address, Text: why.Error()}, strangersStay)
		},
	}
}

// Status and Attest make the daemon a peer.Node.
func (d *daemon) Status(peer.Caller) status.Document { return d.status() }

// status is the engine's document, which may be some seconds old, with the notices as of now.
func (d *daemon) status() status.Document {
	doc := d.reporter.Latest()
	doc.Notices = d.machine.notices.List()
	return doc
}

// Attest answers for the node, to whoever belongs to the cluster, and listens.
func (d *daemon) Attest(c peer.Caller, t peer.Testimony) (peer.Attestation, error) {
	return d.machine.hear(c, t)
}

// Issue gives a worker a new certificate.
func (d *daemon) Issue(c peer.Caller, r peer.CertificateRequest) ([]byte, error) {
	return d.machine.issue(c, r)
}

// Introduce, Nodes and Known are about who belongs.
func (d *daemon) Introduce(c peer.Caller, s node.SignedEntry) error { return d.machine.introduce(c, s) }

// Nodes is the list of all nodes, once this node has it from the cluster.
func (d *daemon) Nodes() (peer.List, bool) { return d.machine.nodeList() }

// Known finds a node that introduced itself.
func (d *daemon) Known(name string) (node.Node, bool) { return d.machine.roster.Lookup(name) }

// run serves the peer API, tells systemd, and lets the engine work.
func (d *daemon) run(ctx context.Context, address, socket string) error {
	listener, err := (&net.ListenConfig{}).Listen(ctx, "tcp", address)
	if err != nil {
		return fmt.Errorf("opening the peer API: %w", err)
	}
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	go func() { cancel(fmt.Errorf("serving the peer API: %w", d.server.Serve(listener))) }()
	defer d.server.Close()
	d.machine.keepMeeting(ctx)
	if d.machine.self.Has(node.ControlPlane) {
		go d.machine.watchRequests(ctx)
		go d.machine.watchEntries(ctx)
		go d.machine.watchNodes(ctx)
	}
	if d.machine.self.Has(node.Worker) {
		go d.machine.keepCertificates(ctx)
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
