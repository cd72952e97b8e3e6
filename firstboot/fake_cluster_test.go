package firstboot

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"maps"
	"math/big"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"

	"slipway/firstboot/kube"
	"slipway/firstboot/peer"
	"slipway/node"
)

// fakePeers answer for the other nodes, by name, and know what they were just told.
type fakePeers map[string]peer.Attestation

func (p fakePeers) Attest(_ context.Context, n node.Node, t peer.Testimony) (peer.Attestation, error) {
	a, ok := p[n.Name]
	if !ok {
		return peer.Attestation{}, errors.New("no answer")
	}
	a.Started = maps.Clone(a.Started)
	if a.Started == nil {
		a.Started = map[string][]string{}
	}
	for name, instances := range t.Started {
		a.Started[name] = append(slices.Clone(instances), a.Started[name]...)
	}
	return a, nil
}

// Nodes knows of one more than this world has.
func (fakePeers) Nodes(_ context.Context, _ node.Node, tag string) (peer.List, bool, error) {
	list, err := peer.NewList([]peer.Neighbour{{Name: "w9", Address: netip.MustParseAddr("10.0.0.99"), Pods: netip.MustParsePrefix("10.244.99.0/24")}})
	return list, list.Tag != tag, err
}

// Certificate is given by nobody.
func (fakePeers) Certificate(context.Context, node.Node, peer.CertificateRequest) ([]byte, error) {
	return nil, errors.New("no answer")
}

// fakeAPI is etcd's health, the API server and what the controllers and the kubelet do through it. What it keeps is
// in etcd: it survives power cuts.
type fakeAPI struct {
	w       *fakeWorld
	objects map[string]map[string]any
	node    string   // boot that the kubelet reported
	nodes   []object // others
	csrs    []*kube.CSR
	lease   json.RawMessage // who applies objects; renewing it is no act
	refuses map[string]int  // names of requests whose approval is answered by this code
}

func newFakeAPI(w *fakeWorld) *fakeAPI {
	return &fakeAPI{w: w, objects: map[string]map[string]any{}, refuses: map[string]int{}}
}

// lines is the cluster as text.
func (a *fakeAPI) lines() []string {
	var lines []string
	for path, object := range a.objects {
		data, _ := json.Marshal(object)
		lines = append(lines, "object "+path+" "+sum(data)[:8])
	}
	for _, csr := range a.csrs {
		lines = append(lines, fmt.Sprintf("csr pending=%v", csr.Pending()))
	}
	return lines
}

// kubeletStarted asks for a serving certificate when there is none.
func (a *fakeAPI) kubeletStarted() {
	if len(a.csrs) == 0 {
		a.csrs = []*kube.CSR{servingCSR("csr-1", a.w.cfg.Self())}
	}
}

func servingCSR(name string, n node.Node) *kube.CSR {
	return &kube.CSR{Metadata: kube.Metadata{Name: name, UID: name}, Spec: kube.CSRSpec{
		Request: servingRequest(n), SignerName: kube.SignerKubeletServing, Usages: []string{"digital signature", "server auth"},
		Username: "system:node:" + n.Name, Groups: []string{"system:nodes", "system:authenticated"},
	}}
}

// servingPEM is a certificate that lasts for longer than any world, the same each time.
var servingPEM = sync.OnceValue(func() string {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		panic(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(1), NotAfter: time.Date(2099, 1, 1, 0, 0, 0, 0, time.UTC)}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		panic(err)
	}
	return string(pemBlock("CERTIFICATE", der))
})

func servingRequest(n node.Node) []byte {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		panic(err)
	}
	der, err := x509.CreateCertificateRequest(rand.Reader, &x509.CertificateRequest{
		Subject:  pkix.Name{CommonName: "system:node:" + n.Name, Organization: []string{"system:nodes"}},
		DNSNames: []string{n.Name}, IPAddresses: []net.IP{n.Address.Addr().AsSlice()},
	}, key)
	if err != nil {
		panic(err)
	}
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE REQUEST", Bytes: der})
}

// Client gives a Fetcher that asks this world, if the identity may.
func (a *fakeAPI) Client(id Identity) (Fetcher, error) { return fakeFetcher{a, id}, nil }

type fakeFetcher struct {
	api *fakeAPI
	id  Identity
}

// Do answers when the program that serves the port is there, and only a client that trusts its CA and shows the right
// certificate.
func (f fakeFetcher) Do(r *http.Request) (*http.Response, error) {
	f.api.w.mu.Lock()
	defer f.api.w.mu.Unlock()
	server, ok := servers[r.URL.Port()]
	if !ok || !f.api.w.active(server.unit) {
		return nil, &net.OpError{Op: "dial", Net: "tcp", Err: errors.New("connection refused")}
	}
	if f.id.CA != server.id.CA {
		return nil, x509.UnknownAuthorityError{}
	}
	rec := httptest.NewRecorder()
	if f.id.Cert == "" && r.URL.Path == "/readyz" { // which it tells anybody
		f.api.serve(rec, r)
		return rec.Result(), nil
	}
	if f.id.Cert != server.id.Cert {
		http.Error(rec, `{"message":"who are you?"}`, http.StatusUnauthorized)
		return rec.Result(), nil
	}
	f.api.serve(rec, r)
	return rec.Result(), nil
}

// servers are the programs behind ports: with which unit they run, and as whom they want to be asked.
var servers = map[string]struct {
	unit string
	id   Identity
}{
	"2381":  {"etcd.service", Identity{node.CertEtcdCli, node.CAEtcd}},
	"6443":  {"kube-apiserver.service", Identity{node.CertAdmin, node.CACluster}},
	"7443":  {"kube-apiserver.service", Identity{node.CertKubelet, node.CACluster}},
	"10257": {"kube-controller-manager.service", Identity{}},
	"10259": {"kube-scheduler.service", Identity{}},
}

func (a *fakeAPI) serve(w http.ResponseWriter, r *http.Request) {
	switch path := r.URL.Path; {
	case path == "/health":
		a.serveHealth(w)
	case path == "/readyz" || path == "/healthz":
		fmt.Fprintln(w, "ok")
	case strings.HasPrefix(path, "/apis/certificates.k8s.io/"):
		a.serveCSR(w, r)
	case strings.HasPrefix(path, "/apis/coordination.k8s.io/"):
		a.serveLease(w, r)
	case r.Method == http.MethodPatch:
		a.apply(w, r)
	case path == nodesPath:
		a.listNodes(w)
	case path == entriesPath:
		a.listBelow(w, path)
	case strings.HasPrefix(path, nodesPath+"/"):
		a.serveNode(w, strings.TrimPrefix(path, nodesPath+"/"))
	default:
		a.read(w, path)
	}
}

// serveHealth answers as etcd does, which reads through its log.
func (a *fakeAPI) serveHealth(w http.ResponseWriter) {
	if !a.w.quorum() {
		w.WriteHeader(http.StatusServiceUnavailable)
		fmt.Fprintln(w, `{"health":"false","reason":"RAFT NO LEADER"}`)
		return
	}
	fmt.Fprintln(w, `{"health":"true","reason":""}`)
}

func (a *fakeAPI) apply(w http.ResponseWriter, r *http.Request) {
	var object map[string]any
	if r.Header.Get("Content-Type") != "application/apply-patch+yaml" || r.URL.Query().Get("force") != "true" {
		http.Error(w, "no server-side apply", http.StatusUnsupportedMediaType)
		return
	}
	if err := json.NewDecoder(r.Body).Decode(&object); err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	a.w.change("apply "+r.URL.Path, func() error { a.objects[r.URL.Path] = object; return nil })
	fmt.Fprintln(w, "{}")
}

func (a *fakeAPI) serveLease(w http.ResponseWriter, r *http.Request) {
	if r.Method != http.MethodGet {
		a.lease, _ = io.ReadAll(r.Body)
	}
	if a.lease == nil {
		http.Error(w, `{"message":"not found"}`, http.StatusNotFound)
		return
	}
	w.Write(a.lease)
}

// read gives an object; a deployment is available once the node could run it.
func (a *fakeAPI) read(w http.ResponseWriter, path string) {
	object, ok := a.objects[path]
	if !ok {
		http.Error(w, `{"message":"not found"}`, http.StatusNotFound)
		return
	}
	answer := map[string]any{"metadata": object["metadata"], "data": object["data"]}
	if strings.Contains(path, "/deployments/") && a.w.active("kube-proxy.service") {
		answer["status"] = map[string]any{"availableReplicas": 1, "conditions": []kube.Condition{{Type: "Available", Status: "True"}}}
	}
	json.NewEncoder(w).Encode(answer)
}

// registered says whether this node's kubelet has run.
func (a *fakeAPI) registered() bool {
	if a.w.active("kubelet.service") {
		a.node = fmt.Sprintf("boot-%d", a.w.boot)
	}
	return a.node != ""
}

// serveNode knows this node, once its kubelet has run.
func (a *fakeAPI) serveNode(w http.ResponseWriter, name string) {
	if !a.registered() || name != a.w.cfg.Node {
		http.Error(w, `{"message":"not found"}`, http.StatusNotFound)
		return
	}
	json.NewEncoder(w).Encode(a.ownNode())
}

// ownNode is this node's object: with the labels and pods that were applied, and ready if the runtime has a pod network.
func (a *fakeAPI) ownNode() object {
	self := object{Metadata: kube.Metadata{Name: a.w.cfg.Node, UID: "u1"}}
	if applied := a.objects[nodesPath+"/"+a.w.cfg.Node]; applied != nil {
		text, _ := json.Marshal(applied)
		json.Unmarshal(text, &self)
	}
	ready := kube.Condition{Type: "Ready", Status: "True"}
	if conflists, _ := filepath.Glob(a.w.path("/etc/cni/net.d/*.conflist")); len(conflists) == 0 {
		ready = withoutNetwork
	}
	self.Status.NodeInfo.BootID, self.Status.Conditions = a.node, []kube.Condition{ready}
	return self
}

// withoutNetwork is what a kubelet says that has no CNI configuration.
var withoutNetwork = kube.Condition{Type: "Ready", Status: "False",
	Message: "container runtime network not ready: NetworkReady=false reason:NetworkPluginNotReady message:Network plugin returns error: cni plugin not initialized"}

// listBelow gives the objects of a kind.
func (a *fakeAPI) listBelow(w http.ResponseWriter, path string) {
	items := []map[string]any{}
	for _, name := range slices.Sorted(maps.Keys(a.objects)) {
		if strings.HasPrefix(name, path+"/") {
			items = append(items, a.objects[name])
		}
	}
	json.NewEncoder(w).Encode(map[string]any{"metadata": kube.Metadata{ResourceVersion: "1"}, "items": items})
}

// listNodes knows this node, once its kubelet has run, others that a test names, and one that is nobody's.
func (a *fakeAPI) listNodes(w http.ResponseWriter) {
	items := append(slices.Clone(a.nodes), object{Metadata: kube.Metadata{Name: "stranger", UID: "u2"}})
	if a.registered() {
		items = append(items, a.ownNode())
	}
	json.NewEncoder(w).Encode(map[string]any{"items": items})
}

func (a *fakeAPI) serveCSR(w http.ResponseWriter, r *http.Request) {
	if r.Method == http.MethodPut {
		a.decideCSR(w, r)
		return
	}
	items := []kube.CSR{}
	for _, csr := range a.csrs {
		items = append(items, *csr)
	}
	json.NewEncoder(w).Encode(map[string]any{"metadata": kube.Metadata{ResourceVersion: "1"}, "items": items})
}

// decideCSR takes an approval, and the controller manager and the kubelet do the rest.
func (a *fakeAPI) decideCSR(w http.ResponseWriter, r *http.Request) {
	var csr kube.CSR
	if err := json.NewDecoder(r.Body).Decode(&csr); err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	a.w.asked = append(a.w.asked, csr.Metadata.Name)
	if code := a.refuses[csr.Metadata.Name]; code != 0 {
		for _, known := range a.csrs {
			if known.Metadata.UID == csr.Metadata.UID && code == http.StatusConflict { // somebody was quicker
				*known = csr
			}
		}
		http.Error(w, `{"message":"not like this"}`, code)
		return
	}
	a.w.change("approve "+csr.Metadata.Name, func() error {
		for _, known := range a.csrs {
			if known.Metadata.UID == csr.Metadata.UID {
				*known = csr
			}
		}
		if csr.Spec.Username == "system:node:"+a.w.cfg.Node {
			a.w.put(kubeletServing, servingPEM())
		}
		return nil
	})
	fmt.Fprintln(w, "{}")
}
