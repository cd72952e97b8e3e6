package peer

import (
	"crypto"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"strconv"
	"strings"
	"time"

	"slipway/firstboot/status"
	"slipway/node"
)

// Node is what the server asks the node, and for whom. Attest is told what the caller knows, which is nothing if that is
// about another epoch, and fills in everything but the nonce. What it was told must be durable when it answers. Introduce takes
// or refuses the entry of a caller, who may be a stranger. Issue gives a caller a certificate, DER, or an error: ErrNotNow, or a
// refusal. Nodes is false as long as the node does not know them all; Known finds
// a node that is not in the config.
type Node interface {
	Status(Caller) status.Document
	Attest(Caller, Testimony) (Attestation, error)
	Introduce(Caller, node.SignedEntry) error
	Issue(Caller, CertificateRequest) ([]byte, error)
	Nodes() (List, bool)
	Known(name string) (node.Node, bool)
}

// ServerOptions is what a server is made of.
type ServerOptions struct {
	Certificate tls.Certificate // the node's peer certificate with its key
	CA          *x509.CertPool  // the peer CA
	Config      *node.Config    // who may call, and of which cluster this is
	Clock       Clock
	Refused     func(address string, why error) // hears of every caller that showed a certificate and was turned away
	Node        Node
	Inside      Insider // nil: there is nothing to look at
	Bounds      Bounds  // of streams
}

// Server is the peer API of a node.
type Server struct {
	o     ServerOptions
	key   crypto.Signer
	rate  *rates
	serve *http.Server

	certificates *rates // on control planes

	streams chan struct{} // one element for each that is open

	attests, lists appointments
}

// NewServer makes the server; Serve runs it.
func NewServer(o ServerOptions) (*Server, error) {
	key, ok := o.Certificate.PrivateKey.(crypto.Signer)
	if !ok {
		return nil, errors.New("making peer server: the key cannot sign")
	}
	s := &Server{o: o, key: key, rate: newRates(o.Clock.Now, requestRate, requestBurst), streams: make(chan struct{}, mostStreams)}
	mux := http.NewServeMux()
	mux.HandleFunc("GET "+statusPath, s.handle(rule{}, s.status))
	mux.HandleFunc("POST "+attestPath, s.handle(rule{anyEpoch: true, quiet: true}, s.attest))
	mux.HandleFunc("POST "+introducePath, s.handle(rule{strangers: true}, s.introduce))
	mux.HandleFunc("GET "+nodesPath, s.handle(rule{quiet: true}, s.nodes))
	if self, _ := o.Config.Lookup(o.Config.Node); self.Has(node.ControlPlane) {
		s.certificates = newRates(o.Clock.Now, certificateRate, certificateBurst)
		mux.HandleFunc("POST "+certificatePath, s.handle(rule{}, s.certificate))
	}
	if o.Inside != nil {
		mux.HandleFunc("GET "+healthPath, s.operator(s.health))
		mux.HandleFunc("GET "+servicesPath, s.operator(s.services))
		mux.HandleFunc("GET "+logsPath, s.operator(s.lines(o.Inside.Logs)))
		mux.HandleFunc("GET "+kernelPath, s.operator(s.lines(o.Inside.Kernel)))
		mux.HandleFunc("GET "+supportPath, s.operator(s.support))
	}
	s.serve = &http.Server{
		Handler: mux, TLSConfig: s.tls(),
		ReadTimeout: Timeout, WriteTimeout: Timeout, IdleTimeout: 30 * time.Second, MaxHeaderBytes: 16 << 10,
		ErrorLog: log.New(io.Discard, "", 0), // port scans are no news; who shows a certificate is told of by Refused
	}
	return s, nil
}

// Serve answers the callers of a listener until Close.
func (s *Server) Serve(l net.Listener) error {
	return s.serve.ServeTLS(newLimitedListener(l, s.o.Clock.Now, addresses(s.o.Config.Nodes)), "", "")
}

// Close ends Serve and all connections.
func (s *Server) Close() error { return s.serve.Close() }

// tls asks for a certificate and leaves judging it to admit, which knows about clocks that are wrong. Every connection
// proves itself anew. HTTP/1.1 alone is spoken: with one request a connection at a time, the caps on connections are caps
// on work.
func (s *Server) tls() *tls.Config {
	base := &tls.Config{
		Certificates: []tls.Certificate{s.o.Certificate}, MinVersion: tls.VersionTLS13, Time: s.o.Clock.Now,
		ClientAuth: tls.RequireAnyClientCert, ClientCAs: s.o.CA, SessionTicketsDisabled: true,
		NextProtos: []string{"http/1.1"},
	}
	outer := base.Clone()
	outer.GetConfigForClient = func(hello *tls.ClientHelloInfo) (*tls.Config, error) {
		inner := base.Clone()
		inner.VerifyConnection = func(state tls.ConnectionState) error {
			_, err := s.o.admit(state)
			if err != nil {
				s.refused(hello.Conn.RemoteAddr().String(), err)
			}
			return err
		}
		return inner, nil
	}
	return outer
}

// refused tells of a caller, without the port, which is another one each time.
func (s *Server) refused(address string, why error) {
	if s.o.Refused == nil {
		return
	}
	s.o.Refused(hostOf(address), why)
}

func hostOf(address string) string {
	if host, _, err := net.SplitHostPort(address); err == nil {
		return host
	}
	return address
}

// rule is who may ask something besides nodes of this epoch that are known, and whether strangers who try are no news: they are
// about to introduce themselves.
type rule struct{ anyEpoch, strangers, quiet bool }

// handle finds out who asks, and asks only what it may.
func (s *Server) handle(may rule, answer func(http.ResponseWriter, *http.Request, Caller)) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		caller, err := s.o.identify(r.TLS.PeerCertificates[0]) // which the handshake has verified; who belongs may have changed
		if err != nil {
			http.Error(w, err.Error(), http.StatusForbidden)
			return
		}
		caller.Address = hostOf(r.RemoteAddr)
		if !s.rate.take(caller.Name) {
			http.Error(w, "too many requests", http.StatusTooManyRequests)
			return
		}
		if err := checkCluster(r, caller, s.o.Config.Cluster, may.anyEpoch); err != nil {
			s.refused(r.RemoteAddr, err)
			http.Error(w, err.Error(), http.StatusConflict)
			return
		}
		if caller.Stranger && !may.strangers {
			err := fmt.Errorf("%q is not in the inventory, and has not introduced itself", caller.Name)
			if !may.quiet {
				s.refused(r.RemoteAddr, err)
			}
			http.Error(w, err.Error(), http.StatusUnauthorized)
			return
		}
		answer(w, r, caller)
	}
}

func parseToken(text string) (id string, epoch int, ok bool) {
	id, number, found := strings.Cut(text, "/")
	epoch, err := strconv.Atoi(number)
	return id, epoch, found && err == nil && epoch > 0
}

func (s *Server) status(w http.ResponseWriter, _ *http.Request, caller Caller) {
	reply(w, s.o.Node.Status(caller))
}

// attest answers whatever the caller's epoch is: the answer names the node's own, and a caller that is out of date
// learns it from there.
func (s *Server) attest(w http.ResponseWriter, r *http.Request, caller Caller) {
	nonce := r.URL.Query().Get("nonce")
	if !nonceShape.MatchString(nonce) {
		http.Error(w, "nonce must be 32 to 128 lower-case hex digits", http.StatusBadRequest)
		return
	}
	told, err := s.testimony(w, r)
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	caller.Again = s.again(&s.attests, caller)
	a, err := s.o.Node.Attest(caller, told)
	if err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	a.Nonce = nonce
	signed, err := Sign(s.key, a)
	if err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	sayAgain(w, caller.Again)
	if list, ok := s.o.Node.Nodes(); ok {
		w.Header().Set(listHeader, list.Tag)
	}
	reply(w, signed)
}

// again is when a caller is expected again. Those that the config names are few, and each other's witnesses: they call as they like.
func (s *Server) again(book *appointments, caller Caller) time.Duration {
	if caller.Operator || caller.Configured {
		return 0
	}
	return book.next(s.o.Clock.Now())
}

// testimony reads what the caller tells.
func (s *Server) testimony(w http.ResponseWriter, r *http.Request) (Testimony, error) {
	data, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxTestimony))
	if err != nil {
		return Testimony{}, fmt.Errorf("reading testimony: %w", plain(err))
	}
	t, err := ParseTestimony(data)
	if _, epoch, _ := parseToken(r.Header.Get(clusterHeader)); epoch != s.o.Config.Cluster.Epoch {
		return Testimony{}, err
	}
	return t, err
}

func reply(w http.ResponseWriter, v any) {
	data, err := json.Marshal(v)
	if err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	w.Write(append(data, '\n')) // a caller that has gone away is its own business
}
