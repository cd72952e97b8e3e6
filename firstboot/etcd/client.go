package etcd

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
)

// Runner runs a program to its end and gives its standard output. The error holds what it said on standard error.
type Runner interface {
	Run(ctx context.Context, name string, args ...string) (string, error)
	Feed(ctx context.Context, input, name string, args ...string) (string, error) // with a standard input
}

// Client calls with the certificates of these files.
type Client struct {
	Run           Runner
	CA, Cert, Key string
}

// Member is one line of the list of members. One that has no client URLs has never told the others that it started.
type Member struct {
	ID         uint64   `json:"ID"`
	Name       string   `json:"name"` // empty for one that was added and has not started
	PeerURLs   []string `json:"peerURLs"`
	ClientURLs []string `json:"clientURLs"`
	IsLearner  bool     `json:"isLearner"`
}

// Started says whether the member has told the others that it started.
func (m Member) Started() bool { return len(m.ClientURLs) > 0 }

// Members is the list as a quorum has it. Only voters give it.
func (c Client) Members(ctx context.Context, endpoint string) ([]Member, error) {
	return c.members(ctx, endpoint, "l")
}

// Remembered is the list as the member at the endpoint has it, without asking anybody.
func (c Client) Remembered(ctx context.Context, endpoint string) ([]Member, error) {
	return c.members(ctx, endpoint, "s")
}

func (c Client) members(ctx context.Context, endpoint, consistency string) ([]Member, error) {
	var answer struct{ Members []Member }
	err := c.call(ctx, &answer, "", endpoint, "member", "list", "--consistency="+consistency)
	return answer.Members, err
}

// State is what the member at an endpoint says of itself.
type State struct {
	Cluster, Member, Leader uint64 // ids; Leader is 0 while there is none
	Learner                 bool
	Version                 string
	DBSize                  int64 // bytes
	RaftIndex, RaftTerm     uint64
	Errors                  []string // alarms, and that there is no leader
}

// State asks a member about itself: it answers also without a quorum.
func (c Client) State(ctx context.Context, endpoint string) (State, error) {
	var answer []struct {
		Status struct {
			Header struct {
				ClusterID uint64 `json:"cluster_id"`
				MemberID  uint64 `json:"member_id"`
			}
			Leader, RaftIndex, RaftTerm uint64
			Version                     string
			DBSize                      int64
			IsLearner                   bool
			Errors                      []string
		}
	}
	if err := c.call(ctx, &answer, "", endpoint, "endpoint", "status"); err != nil {
		return State{}, err
	}
	if len(answer) != 1 {
		return State{}, fmt.Errorf("asking etcd at %s: %d answers", endpoint, len(answer))
	}
	s := answer[0].Status
	return State{
		Cluster: s.Header.ClusterID, Member: s.Header.MemberID, Leader: s.Leader, Learner: s.IsLearner, Version: s.Version,
		DBSize: s.DBSize, RaftIndex: s.RaftIndex, RaftTerm: s.RaftTerm, Errors: s.Errors,
	}, nil
}

// MemberAt is the id of the member that answers at an endpoint, voter or not.
func (c Client) MemberAt(ctx context.Context, endpoint string) (uint64, error) {
	s, err := c.State(ctx, endpoint)
	return s.Member, err
}

// Remove takes a member out of the cluster for good: what has its data can never come back with it.
func (c Client) Remove(ctx context.Context, endpoint string, id uint64) error {
	return c.call(ctx, nil, "", endpoint, "member", "remove", Hex(id))
}

// AddLearner makes room for a member that has no vote yet, and gives it with the list that it is then in.
func (c Client) AddLearner(ctx context.Context, endpoint, name, peerURL string) (Member, []Member, error) {
	var answer struct {
		Member  Member
		Members []Member
	}
	err := c.call(ctx, &answer, "", endpoint, "member", "add", name, "--learner", "--peer-urls="+peerURL)
	return answer.Member, answer.Members, err
}

// What Promote came to.
type Promotion string

// A learner that is behind is asked about again.
const (
	Voter  Promotion = "voter"
	Behind Promotion = "behind"
)

// Promote gives a learner, by its id in hex, its vote, once it has what the leader has.
func (c Client) Promote(ctx context.Context, endpoint, id string) (Promotion, error) {
	err := c.call(ctx, nil, "", endpoint, "member", "promote", id)
	switch {
	case err == nil:
		return Voter, nil
	case strings.Contains(err.Error(), "can only promote a learner member which is in sync with leader"):
		return Behind, nil
	case strings.Contains(err.Error(), "can only promote a learner member"): // it is none any more
		return Voter, nil
	}
	return "", err
}

// Hex is how etcdctl is told of an id.
func Hex(id uint64) string { return fmt.Sprintf("%x", id) }

// call runs etcdctl against one endpoint and reads its JSON.
func (c Client) call(ctx context.Context, into any, input, endpoint string, command ...string) error {
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	args := append([]string{
		"--endpoints=" + endpoint, "--cacert=" + c.CA, "--cert=" + c.Cert, "--key=" + c.Key,
		"--dial-timeout=" + dialTimeout.String(), "--command-timeout=" + commandTimeout.String(), "--write-out=json",
	}, command...)
	out, err := c.Run.Feed(ctx, input, "etcdctl", args...)
	what := strings.Join(command[:min(2, len(command))], " ")
	if err != nil {
		return fmt.Errorf("etcdctl %s at %s: %w", what, endpoint, plain(err))
	}
	if into == nil {
		return nil
	}
	if err := json.Unmarshal([]byte(out), into); err != nil {
		return fmt.Errorf("reading what etcdctl %s at %s printed: %w", what, endpoint, err)
	}
	return nil
}

// callError is what etcdctl said was wrong, without the log lines before it, which differ from try to try.
type callError struct {
	text  string
	cause error
}

func (e *callError) Error() string { return e.text }
func (e *callError) Unwrap() error { return e.cause }

func plain(err error) error {
	text := err.Error()
	if i := strings.LastIndex(text, "Error: "); i >= 0 {
		return &callError{strings.TrimPrefix(text[i+len("Error: "):], "etcdserver: "), err}
	}
	return err
}
