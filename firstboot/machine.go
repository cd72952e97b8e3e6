package firstboot

import (
	"bytes"
	"crypto/sha256"
	"crypto/x509"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"path"
	"slices"
	"time"

	"slipway/firstboot/journal"
	"slipway/firstboot/kube"
	"slipway/firstboot/roster"
	"slipway/firstboot/status"
	"slipway/node"
	"slipway/roles"
)

// runDir holds what is about this boot only.
const runDir = "/run/slipway"

// machine is this node with all that its steps need.
type machine struct {
	Host
	cfg      *node.Config
	self     node.Node
	instance string
	out      roles.Output
	journal  *journal.Store
	peers    attester
	notices  *status.Board
	log      func(format string, args ...any)
	began    time.Time // when this node began to ask others, and to be told

	roster  *roster.Roster // who belongs
	entries entries        // what the cluster keeps of it
	around  neighbourhood  // which other nodes there are
	met     meetings       // what the other etcd nodes said
	callers callers        // who was heard
	refused refusals       // certificate requests that the inventory does not vouch for

	requested, registered follower // of certificate requests, and of nodes

	look   unitLook   // at systemd's units
	member memberLook // for who looks into this node

	claim kube.Claim // to the lease of the objects; the objects step's alone
}

// newMachine takes the peer CA to prove entries by.
func newMachine(h Host, cfg *node.Config, ca *x509.CertPool, instance string, out roles.Output, j *journal.Store, peers attester, log func(string, ...any)) *machine {
	return &machine{
		Host: h, cfg: cfg, self: cfg.Self(), instance: instance, out: out, journal: j, peers: peers,
		notices: status.NewBoard(h.Clock.Now), log: log, began: h.Clock.Now(), roster: roster.New(cfg, ca),
		claim: kube.Claim{Name: objectsLease, Node: cfg.Node, Duration: leaseDuration},
	}
}

// renders says whether the roles ask for a unit.
func (n *machine) renders(unit string) bool {
	return slices.ContainsFunc(n.out.Units, func(u roles.Unit) bool { return u.Name == unit })
}

// api is the way to the API server: a control plane asks its own, everybody else the loopback balancer.
func (n *machine) api() (*kube.Client, error) {
	id, port := Identity{Cert: node.CertKubelet, CA: node.CACluster}, node.LocalAPIPort
	if n.self.Has(node.ControlPlane) {
		id.Cert, port = node.CertAdmin, node.APIPort
	}
	return n.client(id, port)
}

func (n *machine) client(id Identity, port int) (*kube.Client, error) {
	fetch, err := n.Clients.Client(id)
	if err != nil {
		return nil, err
	}
	return &kube.Client{Base: fmt.Sprintf("https://127.0.0.1:%d", port), HTTP: fetch}, nil
}

// hasData says whether there is an etcd database. etcd itself goes by the log: without one it bootstraps.
func (n *machine) hasData() (bool, error) {
	logs, err := n.FS.Glob("/var/lib/etcd/member/wal/*.wal")
	return len(logs) > 0, err
}

// noteMemory tells that the journal could not be read, for as long as that matters, or that there is no lasting instance.
func (n *machine) noteMemory(lost, fleeting error) {
	text := map[string]string{}
	if fleeting != nil {
		text["instance"] = fleeting.Error()
	}
	if lost != nil {
		text["journal"] = lost.Error()
	} else if j, token := n.journal.Get(), n.cfg.EtcdToken(); j.LostAs(token) && !j.FormedAs(token) {
		text["journal"] = "it was lost before: nobody knows whether this node belonged to a formed cluster"
	}
	n.notices.Replace("journal", text)
}

// recordFormed journals that the cluster was seen working.
func (n *machine) recordFormed() error {
	token := n.cfg.EtcdToken()
	if n.journal.Get().FormedAs(token) {
		return nil
	}
	now := n.Clock.Now().UTC()
	return n.journal.Update(func(j *journal.Journal) {
		j.Token, j.Formed, j.FormedAt = token, true, now
		j.Memory = j.MemoryOf(token)
		j.Memory.AddFormed(n.self.Name)
	})
}

// exists says whether there is anything at a path.
func (n *machine) exists(name string) (bool, error) {
	_, err := n.FS.Stat(name)
	if errors.Is(err, fs.ErrNotExist) {
		return false, nil
	}
	return err == nil, err
}

// matches says whether a file has this content and mode.
func (n *machine) matches(name string, content []byte, mode fs.FileMode) (bool, error) {
	info, err := n.FS.Stat(name)
	if errors.Is(err, fs.ErrNotExist) {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	if !info.Mode().IsRegular() || info.Mode().Perm() != mode.Perm() {
		return false, nil
	}
	have, err := n.FS.ReadFile(name)
	return bytes.Equal(have, content), err
}

// write makes a file be so, with the folders above it.
func (n *machine) write(name string, content []byte, mode fs.FileMode) error {
	if err := n.FS.MkdirAll(path.Dir(name), 0o755); err != nil {
		return err
	}
	return n.FS.WriteFile(name, content, mode)
}

func sum(data []byte) string {
	s := sha256.Sum256(data)
	return hex.EncodeToString(s[:])
}
