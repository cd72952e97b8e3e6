//go:build all

package firstboot

import (
	"cmp"
	"context"
	"crypto/rand"

	"crypto/x509"
	"crypto/x509/pkix"
	"errors"
	"math/big"
	"net"
	"net/http"
	"net/netip"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"slipway/firstboot/etcd"
	"slipway/firstboot/journal"
	"slipway/firstboot/peer"
	"slipway/firstboot/status"
	"slipway/internal/testtool"
	"slipway/node"
	"slipway/roles"
)

// town is some etcd nodes on the loopback: the daemon's own engine with the two etcd steps on each, and real etcd and etcdctl.
// They talk to each other in this process; what they have lies in folders.
type town struct {
	t             *testing.T
	etcd, etcdctl string
	nodes         []node.Node
	etcdCA        testCA
	peerCA        testCA
	lease         string // of the lock, in seconds: so that nobody waits a minute for a dead joiner

	mu    sync.Mutex
	homes map[string]*home // by name; another machine with the name of one has a name of its own here
}

// home is a machine of the town.
type home struct {
	town *town
	name string // here
	cfg  *node.Config
	root string

	machine *machine
	said    status.Document
	quit    func() // ends the daemon

	unit *unitFake
}

func newTown(t *testing.T, subnet byte) *town { return newTownOf(t, subnet, "cp1", "cp2", "cp3") }

func newTownOf(t *testing.T, subnet byte, names ...string) *town {
	t.Helper()
	t.Parallel() // most of the time they wait for each other
	tn := &town{t: t, homes: map[string]*home{}, etcdCA: newCA(t), peerCA: newCA(t), lease: "6"}
	tn.etcd, tn.etcdctl = testtool.Etcd(t)
	for i, name := range names {
		address := netip.PrefixFrom(netip.AddrFrom4([4]byte{127, 0, subnet, byte(11 + i)}), 8)
		tn.nodes = append(tn.nodes, node.Node{Name: name, Roles: []node.Role{node.Etcd, node.ControlPlane}, Address: address})
	}
	t.TempDir() // its end comes after this
	t.Cleanup(func() {
		for _, h := range tn.homes {
			h.off()
			if t.Failed() && h.unit != nil {
				text, _ := os.ReadFile(h.unit.log())
				t.Logf("%s's etcd:\n%s", h.name, text[max(0, len(text)-4000):])
			}
		}
	})
	for _, n := range tn.nodes {
		tn.build(n.Name, n.Name)
	}
	return tn
}

// build puts up a machine for a node, with an empty disk.
func (tn *town) build(name, as string) *home {
	cfg := three(tn.t)
	cfg.Versions.Etcd = "v3.6.16"
	cfg.Node, cfg.Nodes = as, tn.nodes
	cfg.Tuning.FormationGrace = node.Duration(2 * time.Second)
	h := &home{town: tn, name: name, cfg: cfg, quit: func() {}}
	tn.mu.Lock()
	tn.homes[name] = h
	tn.mu.Unlock()
	h.wipe()
	return h
}

func (h *home) files() Prefix { return Prefix(h.root) }

// wipe gives it an empty disk, with its config.
func (h *home) wipe() {
	h.off()
	h.root, h.unit = h.town.t.TempDir(), nil
	address := h.cfg.Self().Address.Addr()
	for name, by := range map[string]testCA{node.CertEtcdSrv: h.town.etcdCA, node.CertEtcdCli: h.town.etcdCA, node.CertEtcdPeer: h.town.peerCA} {
		cert, key := sign(h.town.t, &x509.Certificate{
			SerialNumber: big.NewInt(2), Subject: pkix.Name{CommonName: h.cfg.Node}, IPAddresses: []net.IP{address.AsSlice(), {127, 0, 0, 1}}, NotAfter: time.Now().Add(time.Hour),
			ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth},
		}, by.cert, by.key)
		der, err := x509.MarshalPKCS8PrivateKey(key)
		if err != nil {
			h.town.t.Fatal(err)
		}
		h.put(node.PKIDir+"/"+name+".crt", pemBlock("CERTIFICATE", cert.Raw))
		h.put(node.PKIDir+"/"+name+".key", pemBlock("PRIVATE KEY", der))
	}
	h.put(node.PKIDir+"/"+node.CAEtcd+".crt", pemBlock("CERTIFICATE", h.town.etcdCA.cert.Raw))
	h.put(node.PKIDir+"/"+node.CAEtcdPeer+".crt", pemBlock("CERTIFICATE", h.town.peerCA.cert.Raw))
}

func (h *home) put(name string, data []byte) {
	if err := errors.Join(os.MkdirAll(filepath.Dir(h.files().path(name)), 0o755), os.WriteFile(h.files().path(name), data, 0o600)); err != nil {
		h.town.t.Fatal(err)
	}
}

// on starts the daemon.
func (h *home) on() {
	t := h.town.t
	j, err := journal.Open(h.files(), h.cfg.EtcdToken())
	if err != nil {
		t.Fatal(err)
	}
	instance, err := openInstance(h.files(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	out, err := roles.Render(h.cfg)
	if err != nil {
		t.Fatal(err)
	}
	if h.unit == nil {
		h.unit = &unitFake{home: h, flags: unitFlags(out, h)}
	}
	clients := atHome{&pkiClients{files: h.files(), now: time.Now}, h.cfg.Self().Address.Addr().String()}
	host := Host{FS: h.files(), Run: h.unit, Clients: clients, Clock: WallClock(time.Now), Wire: &fakeWire{}}
	n := newMachine(host, h.cfg, nil, instance, out, j, neighbour{h}, func(format string, args ...any) { t.Logf(h.name+": "+format, args...) })
	h.town.mu.Lock()
	h.machine, h.said = n, status.Document{}
	h.town.mu.Unlock()
	e := &Engine{Node: h.name, Clock: host.Clock, Journal: j, Notices: n.notices.List, Report: h.report}
	for _, s := range n.plan() {
		if s.Name == "etcd" || s.Name == "member" {
			e.Steps = append(e.Steps, s)
		}
	}
	ctx, cancel := context.WithCancel(context.Background())
	n.keepMeeting(ctx)
	done := make(chan struct{})
	go func() {
		e.Run(ctx)
		close(done)
	}()
	h.quit = sync.OnceFunc(func() {
		cancel()
		<-done
		h.town.mu.Lock()
		h.machine = nil
		h.town.mu.Unlock()
	})
}

// off cuts the power.
func (h *home) off() {
	h.quit()
	if h.unit != nil {
		h.unit.kill()
	}
}

func (h *home) report(d status.Document) {
	h.town.mu.Lock()
	defer h.town.mu.Unlock()
	if d.Step != h.said.Step || d.WaitingFor != h.said.WaitingFor || d.LastError != h.said.LastError {
		h.town.t.Logf("%s %s: %s %s %s %s", time.Now().Format("05.0"), h.name, d.Step, d.State, d.WaitingFor, d.LastError)
	}
	h.said = d
}

func (h *home) status() status.Document {
	h.town.mu.Lock()
	defer h.town.mu.Unlock()
	return h.said
}

// atHome leads calls to the loopback to the node's own address.
type atHome struct {
	Clients
	address string
}

func (c atHome) Client(id Identity) (Fetcher, error) {
	f, err := c.Clients.Client(id)
	return homeFetcher{f, c.address}, err
}

type homeFetcher struct {
	Fetcher
	address string
}

func (f homeFetcher) Do(r *http.Request) (*http.Response, error) {
	r.URL.Host = strings.Replace(r.URL.Host, "127.0.0.1", f.address, 1)
	return f.Fetcher.Do(r)
}

// neighbour calls in this process: whoever has the address, which is the first machine of the name.
type neighbour struct{ *home }

func (x neighbour) Attest(_ context.Context, n node.Node, t peer.Testimony) (peer.Attestation, error) {
	x.town.mu.Lock()
	var y *machine
	if h := x.town.homes[n.Name]; h != nil {
		y = h.machine
	}
	x.town.mu.Unlock()
	if y == nil {
		return peer.Attestation{}, errors.New("no answer")
	}
	return y.hear(peer.Caller{Name: x.cfg.Node, Address: x.cfg.Self().Address.Addr().String()}, t)
}

func (neighbour) Nodes(context.Context, node.Node, string) (peer.List, bool, error) {
	return peer.List{}, false, errors.New("no answer")
}

func (neighbour) Certificate(context.Context, node.Node, peer.CertificateRequest) ([]byte, error) {
	return nil, errors.New("no answer")
}

// ctl asks the cluster at a node, from outside.
func (tn *town) ctl(at string, args ...string) (string, error) {
	h := tn.homes[at]
	return h.unit.Run(context.Background(), "etcdctl", append([]string{"--endpoints=" + clientURL(h.cfg.Self()),
		"--cacert=" + node.PKIDir + "/etcd-ca.crt", "--cert=" + node.PKIDir + "/etcd-client.crt", "--key=" + node.PKIDir + "/etcd-client.key", "--command-timeout=5s"}, args...)...)
}

// members is the list as a quorum has it, by name.
func (tn *town) members(at string) map[string]etcd.Member {
	h := tn.homes[at]
	list, err := etcd.Client{Run: h.unit, CA: node.PKIDir + "/etcd-ca.crt", Cert: node.PKIDir + "/etcd-client.crt", Key: node.PKIDir + "/etcd-client.key"}.Members(context.Background(), clientURL(h.cfg.Self()))
	if err != nil {
		tn.t.Log(err)
	}
	all := map[string]etcd.Member{}
	for _, m := range list {
		all[cmp.Or(m.Name, strconv.FormatUint(m.ID, 16))] = m
	}
	return all
}

// until waits for something, and says what it was if it does not come.
func (tn *town) until(what string, limit time.Duration, is func() bool) {
	tn.t.Helper()
	began := time.Now()
	for !is() {
		if time.Since(began) > limit {
			tn.t.Fatalf("not within %s: %s", limit, what)
		}
		time.Sleep(100 * time.Millisecond)
	}
	tn.t.Logf("after %s: %s", time.Since(began).Round(100*time.Millisecond), what)
}

// serving waits until a node's member is settled, and the list has it as a voter.
func (tn *town) serving(limit time.Duration, names ...string) {
	tn.t.Helper()
	for _, name := range names {
		tn.until(name+" is a voter", limit, func() bool {
			m := tn.members(name)[name]
			return tn.homes[name].status().Serving && m.Started() && !m.IsLearner
		})
	}
}
