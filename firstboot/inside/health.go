package inside

import "time"

// Health is how a node's part of the cluster does at this moment. What a node has no role for is missing.
type Health struct {
	Etcd         *Etcd         `json:"etcd,omitempty"`
	API          *API          `json:"api,omitempty"`
	VIP          *VIP          `json:"vip,omitempty"`
	Certificates []Certificate `json:"certificates,omitempty"` // the one that ends first stands first
}

// EtcdRole is what a member may do.
type EtcdRole string

// The roles. A voter that leads is a leader.
const (
	Voter   EtcdRole = "voter"
	Leader  EtcdRole = "leader"
	Learner EtcdRole = "learner"
)

// Etcd is the node's own member, asked on the loopback.
type Etcd struct {
	Healthy bool     `json:"healthy"`           // it is part of a quorum
	Trouble string   `json:"trouble,omitempty"` // why it is not, or gave no answer
	ID      string   `json:"id,omitempty"`      // in hex; empty when it gave no answer
	Cluster string   `json:"cluster,omitempty"` // id in hex
	Role    EtcdRole `json:"role,omitempty"`
	Version string   `json:"version,omitempty"`
	DBSize  int64    `json:"dbSize,omitempty"` // bytes
	Index   uint64   `json:"raftIndex,omitempty"`
	Term    uint64   `json:"raftTerm,omitempty"`
	Errors  []string `json:"errors,omitempty"`  // etcd's own, such as alarms
	Members []Member `json:"members,omitempty"` // as this member remembers them
}

// Member is one line of etcd's list.
type Member struct {
	ID      string `json:"id"` // in hex
	Name    string `json:"name,omitempty"`
	Learner bool   `json:"learner,omitempty"`
	Started bool   `json:"started"`
}

// API is the node's own API server.
type API struct {
	Ready   bool   `json:"ready"`
	Trouble string `json:"trouble,omitempty"` // checks that fail, or why there is no answer
}

// VIP says whether this node holds the API's address.
type VIP struct {
	Address string `json:"address"`
	Held    bool   `json:"held"`
	Trouble string `json:"trouble,omitempty"` // why it is not known
}

// Certificate is one of the node's, or of its CAs'.
type Certificate struct {
	Name    string    `json:"name"` // of the file, without its ending
	Begins  time.Time `json:"begins,omitzero"`
	Ends    time.Time `json:"ends,omitzero"`
	Renewal Renewal   `json:"renewal"`
	Trouble string    `json:"trouble,omitempty"` // why it cannot be read
}

// Renewal is who gets a node another certificate in place of one that ends.
type Renewal string

// Renewals. One that is not needed is that of a node's key for the peer API, where dates do not count.
const (
	ByKubelet   Renewal = "kubelet"
	BySlipwayd  Renewal = "slipwayd"
	NotNeeded   Renewal = "not needed"
	ByNewConfig Renewal = "new config"
)

// Left is which part of its life a certificate has left: 1 at its beginning, below 0 once it has ended.
func (c Certificate) Left(now time.Time) float64 {
	return float64(c.Ends.Sub(now)) / float64(max(c.Ends.Sub(c.Begins), 1))
}
